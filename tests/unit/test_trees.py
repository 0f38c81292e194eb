"""Trees asked in every way, by tables, by planes and by ONNX, against walking them node by node."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from ekiben.converters import cuts, lanes, ways
from ekiben.converters.ensemble import LEQ, LT, MEMBER, Ensemble
from ekiben.converters.program_runner import lanes as lanes_runner
from ekiben.converters.program_runner.trees import _trees
from ekiben.converters.ways import FEW
from hypothesis import given, settings
from hypothesis import strategies as st

#: Values that thresholds and rows share, so that rows lie on thresholds and beside them.
MARKS = (-math.inf, -1e30, -2.0, -0.0, 0.0, 0.1, 1.0, 2.0, 3.0, 1e30, math.inf)


class Tree:
    """A tree of lists, and the walk that the others are held against."""

    def __init__(self, draw: Any, width: int, outputs: int, most: int, kinds: list[int], dtype: str) -> None:
        self.dtype = numpy.dtype(dtype).type
        self.nodes: list[dict[str, Any]] = [{"leaf": True}]
        leaves = draw(st.integers(1, most))
        for _ in range(leaves - 1):
            ends = [place for place, node in enumerate(self.nodes) if node["leaf"]]
            place = ends[draw(st.integers(0, len(ends) - 1))]
            mode = draw(st.sampled_from(kinds))
            split = draw(st.sampled_from(MARKS[1:] if mode == LT else MARKS))
            self.nodes[place] = {
                "leaf": False,
                "feature": draw(st.integers(0, width - 1)),
                "mode": mode,
                "split": split,
                "members": sorted(draw(st.sets(st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0]), min_size=1))),
                "missing": draw(st.booleans()),
                "left": len(self.nodes),
                "right": len(self.nodes) + 1,
            }
            self.nodes += [{"leaf": True}, {"leaf": True}]
        for place, node in enumerate(self.nodes):
            node["values"] = [math.sin(37.0 * place + output + len(self.nodes)) for output in range(outputs)]

    def add(self, ensemble: Ensemble) -> None:
        def of(name: str, default: Any) -> Any:
            return numpy.array([node.get(name, default) for node in self.nodes])

        members = {
            place: node["members"] for place, node in enumerate(self.nodes) if node.get("mode") == MEMBER
        }
        values = of("values", None)
        ensemble.add(
            of("feature", 0), of("split", 0.0), of("left", 0), of("right", 0), of("leaf", True),
            values[:, 0] if values.shape[1] == 1 else values,
            missing=of("missing", False), modes=of("mode", LEQ), members=members,
        )  # fmt: skip

    def walk(self, row: Any) -> list[float]:
        node = self.nodes[0]
        while not node["leaf"]:
            x = self.dtype(row[node["feature"]])
            if math.isnan(x):
                left = node["missing"]
            elif node["mode"] == MEMBER:
                left = float(x) in node["members"]
            else:
                left = float(x) < node["split"] if node["mode"] == LT else float(x) <= node["split"]
            node = self.nodes[node["left" if left else "right"]]
        return list(node["values"])


def steps(ensemble: Ensemble, groups: int) -> dict[str, Any]:
    """The step in each way of asking that there is for these trees."""
    common = {
        "dtype": ensemble.dtype, "width": ensemble.width, "trees": ensemble.count, "values": ensemble.values,
        "groups": groups, "scale": None, "base": None, "few": FEW, "table": False, "planes": False, "lanes": None,
    }  # fmt: skip
    arrays, laned = cuts.cut(ensemble), lanes.laned(ensemble)
    assert arrays is not None
    model = {"model": ensemble.onnx()}
    made = {"walk": common | model, "planes": common | arrays | model | {"planes": True}}
    if int(ensemble.leaf_counts.max()) <= ways.MOST_MASKED:
        made["table"] = common | arrays | {"table": True, "planes": True}
    if laned is not None:
        made["lanes"] = common | {"lanes": laned}
    return {name: _trees(node) for name, node in made.items()}


@st.composite
def asked(draw: Any) -> tuple[list[Tree], Ensemble, int, Any]:
    dtype = draw(st.sampled_from(["float32", "float64"]))
    width = draw(st.integers(1, 4))
    groups = draw(st.sampled_from([0, 1, 3]))
    outputs = 1 if groups else draw(st.sampled_from([1, 3]))
    kinds = draw(st.sampled_from([[LEQ], [LT], [LEQ, MEMBER]]))
    most = draw(st.sampled_from([3, 9, 40]))
    trees = [
        Tree(draw, width, outputs, most, kinds, dtype) for _ in range((groups or 1) * draw(st.integers(1, 3)))
    ]
    ensemble = Ensemble(width, dtype)
    for tree in trees:
        tree.add(ensemble)
    kind = numpy.dtype(dtype).type
    near = [
        float(numpy.nextafter(kind(mark), kind(side)))
        for mark in MARKS
        for side in (-math.inf, math.inf)
        if math.isfinite(mark)
    ]
    values = [*MARKS, *near, 7.0, 2.5, math.nan]
    count = draw(st.sampled_from([1, 2, FEW, FEW + 1, 70]))
    seed = draw(st.integers(0, 2**32 - 1))
    rows = numpy.random.default_rng(seed).choice(values, (count, width))
    return trees, ensemble, groups, rows


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(asked())
def test_every_way_is_the_walk(case):
    trees, ensemble, groups, rows = case
    wanted = numpy.array([[tree.walk(row) for tree in trees] for row in rows])
    wanted = wanted[:, :, 0].reshape(len(rows), -1, groups) if groups else wanted
    total = numpy.zeros((len(rows), wanted.shape[2]))
    for turn in range(wanted.shape[1]):
        total += wanted[:, turn]
    asked = any(node.get("mode") == MEMBER for tree in trees for node in tree.nodes)
    found = steps(ensemble, groups)
    assert ("lanes" in found) == (ensemble.dtype == "float32" and not asked)
    for name, run in found.items():
        got = run(rows)
        assert got.shape == ((len(rows),) if not groups and total.shape[1] == 1 else total.shape), name
        assert got.reshape(total.shape).tolist() == total.tolist(), name


def grown(leaves: int, trees: int = 3, width: int = 2, dtype: str = "float64") -> Ensemble:
    """Trees of so many leaves, each side as long as the other."""
    ensemble = Ensemble(width, dtype)
    random = numpy.random.default_rng(leaves)
    for _ in range(trees):
        inner = leaves - 1
        count = inner + leaves
        left = numpy.array([2 * place + 1 for place in range(inner)] + [0] * leaves)
        ensemble.add(
            random.integers(0, width, count), random.normal(size=count), left, left + 1,
            numpy.arange(count) >= inner, random.normal(size=count),
        )  # fmt: skip
    return ensemble


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("leaves", [1, 2, 8, 9, 16, 31, 32, 33, 63, 64, 65, 257, 300])
def test_as_many_leaves(leaves, dtype):
    ensemble = grown(leaves, dtype=dtype)
    rows = numpy.random.default_rng(0).normal(size=(150, 2))
    found = steps(ensemble, 1)
    assert ("table" in found) == (leaves <= 64) and ("lanes" in found) == (dtype == "float32")
    answers = {name: (run(rows), run(rows[:1])) for name, run in found.items()}
    for name, (many, one) in answers.items():
        assert many.tolist() == answers["walk"][0].tolist(), name
        assert one.tolist() == answers["walk"][1].tolist() == many[:1].tolist(), name


@pytest.mark.parametrize("trees", [1, 127, 128, 129, 300])
@pytest.mark.parametrize("bits", [0, 12])
def test_lanes_go_in_groups_of_trees(trees, bits, monkeypatch):
    """As many as the caches hold, and as a word's bits can number."""
    monkeypatch.setattr(lanes, "WORD", 63 - bits)
    ensemble = grown(40, trees, dtype="float32")
    assert lanes.laned(ensemble) is not None
    rows = numpy.random.default_rng(0).normal(size=(lanes.ROWS + 30, 2))
    rows[::5, 0] = numpy.nan
    found = steps(ensemble, 1)
    assert found["lanes"](rows).tolist() == found["walk"](rows).tolist()


def test_lanes_that_arrive_early_are_let_go(monkeypatch):
    """One side of these trees ends at once, the other goes down as long as a chain."""
    monkeypatch.setattr(lanes_runner, "FEW", 0)
    ensemble = Ensemble(1, "float32")
    for tree in range(5):
        inner = 30
        left, right = numpy.zeros(61, dtype=int), numpy.zeros(61, dtype=int)
        left[:inner], right[:inner] = numpy.arange(31, 61), numpy.arange(1, 31)
        leaf = numpy.arange(61) >= inner
        ensemble.add(
            numpy.zeros(61, dtype=int), numpy.arange(61) * 0.1 + tree, left, right, leaf, numpy.arange(61.0)
        )
    rows = numpy.linspace(-1.0, 8.0, 100)[:, None]
    found = steps(ensemble, 1)
    assert found["lanes"](rows).tolist() == found["walk"](rows).tolist()


def test_numbers_are_in_their_order():
    tiny = numpy.float32(1e-45)
    numbers = [-numpy.inf, -3.4e38, -1.0, -tiny, 0.0, tiny, 1.0, 3.4e38, numpy.inf, numpy.nan]
    places = lanes_runner.ordered(numpy.array(numbers, dtype="float32"))
    assert (numpy.diff(places) > 0).all() and places[0] > 0 and places[-1] == 2**32 - 1
    assert lanes_runner.ordered(numpy.array([-0.0, 0.0], dtype="float32")).tolist() == [2**31, 2**31]


def test_what_is_too_large_is_walked(monkeypatch):
    ensemble = grown(64)
    assert ways.way_of(ensemble).table
    monkeypatch.setattr(ways, "MOST_TABLE", 1000)
    assert not ways.way_of(ensemble).table
    many = grown(60_000, trees=5)
    assert ways.way_of(many) == ways.Way({})
    monkeypatch.setattr(ways, "MOST_LANED", 200_000)
    assert ways.way_of(grown(60_000, trees=5, dtype="float32")) == ways.Way({})


def test_how_they_are_asked_is_told():
    def told(walked: bool = True, **options: Any) -> tuple[str, ...]:
        return ways.Way({}, **options).told(walked)

    assert told(table=True, planes=True) == ("few:table", "many:bits")
    assert told(lanes={}) == ("few:walk", "many:lanes")
    assert told() == ("all:walk",)
    assert told(False, planes=True) == ("all:bits",)
    assert told(False, lanes={}) == ("all:lanes",)


def test_without_onnx_nothing_is_walked():
    for leaves, dtype in ((20, "float64"), (20, "float32"), (400, "float64"), (400, "float32")):
        way = ways.way_of(grown(leaves, dtype=dtype), walked=False)
        assert way.planes or way.lanes is not None
        assert way.table == (leaves <= 64)


@pytest.mark.parametrize(
    ("leaves", "trees", "width", "dtype", "way"),
    [
        (31, 500, 10, "float64", (True, True, False)),  # boosting
        (8, 100, 4, "float64", (True, True, False)),
        (300, 100, 10, "float32", (False, False, True)),  # a forest
        (300, 100, 10, "float64", (False, False, False)),
        # so many columns that finding their lines takes longer than the trees
        (8, 100, 2000, "float64", (False, False, False)),
        (8, 100, 2000, "float32", (False, False, False)),
        (100, 1, 10, "float32", (False, False, False)),  # one tree
    ],
)
def test_the_rule_takes_what_was_fastest(leaves, trees, width, dtype, way):
    found = ways.way_of(grown(leaves, trees, width, dtype))
    assert (found.table, found.planes, found.lanes is not None) == way
