"""Trees asked in every way, by tables, by planes and by ONNX, against walking them node by node."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from ekiben.converters import cuts
from ekiben.converters.ensemble import LEQ, LT, MEMBER, Ensemble
from ekiben.converters.program_runner.trees import FEW, _trees
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


def steps(ensemble: Ensemble, groups: int, ways: tuple[str, ...]) -> dict[str, Any]:
    """The step in each way of asking."""
    common = {
        "dtype": ensemble.dtype, "width": ensemble.width, "trees": ensemble.count, "values": ensemble.values,
        "groups": groups, "scale": None, "base": None,
    }  # fmt: skip
    arrays = cuts.cut(ensemble)
    assert arrays is not None
    made = {
        "walk": common | {"model": ensemble.onnx(), "table": False, "planes": False},
        "planes": common | arrays | {"model": ensemble.onnx(), "table": False, "planes": True},
        "table": common | arrays | {"table": True, "planes": True},
    }
    return {name: _trees(made[name]) for name in ways}


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


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(asked())
def test_every_way_is_the_walk(case):
    trees, ensemble, groups, rows = case
    wanted = numpy.array([[tree.walk(row) for tree in trees] for row in rows])
    wanted = wanted[:, :, 0].reshape(len(rows), -1, groups) if groups else wanted
    total = numpy.zeros((len(rows), wanted.shape[2]))
    for turn in range(wanted.shape[1]):
        total += wanted[:, turn]
    for name, run in steps(ensemble, groups, ("walk", "planes", "table")).items():
        got = run(rows)
        assert got.shape == ((len(rows),) if not groups and total.shape[1] == 1 else total.shape), name
        assert got.reshape(total.shape).tolist() == total.tolist(), name


def grown(leaves: int, trees: int = 3, width: int = 2) -> Ensemble:
    """Trees of so many leaves, each side as long as the other."""
    ensemble = Ensemble(width, "float64")
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


@pytest.mark.parametrize("leaves", [1, 2, 8, 9, 16, 31, 32, 33, 63, 64, 65, 257, 300])
def test_as_many_leaves(leaves):
    ensemble = grown(leaves)
    way = cuts.way_of(ensemble, walked=False)
    assert way.planes and way.table == (leaves <= 64)
    rows = numpy.random.default_rng(0).normal(size=(150, 2))
    ways = ("walk", "planes", "table") if way.table else ("walk", "planes")
    answers = {name: (run(rows), run(rows[:1])) for name, run in steps(ensemble, 1, ways).items()}
    for name, (many, one) in answers.items():
        assert many.tolist() == answers["walk"][0].tolist(), name
        assert one.tolist() == answers["walk"][1].tolist() == many[:1].tolist(), name


def test_what_is_too_large_is_walked(monkeypatch):
    ensemble = grown(64)
    assert cuts.way_of(ensemble).table
    monkeypatch.setattr(cuts, "MOST_TABLE", 1000)
    assert not cuts.way_of(ensemble).table
    many = grown(60_000, trees=5)
    assert cuts.way_of(many) == cuts.Way({}, False, False)


@pytest.mark.parametrize(
    ("leaves", "trees", "width", "way"),
    [
        (31, 500, 10, (True, True)),  # boosting
        (8, 100, 4, (True, True)),
        (300, 100, 10, (False, False)),  # a forest
        (
            8,
            100,
            2000,
            (False, False),
        ),  # so many columns that finding their lines takes longer than the trees
    ],
)
def test_the_rule_takes_what_was_fastest(leaves, trees, width, way):
    found = cuts.way_of(grown(leaves, trees, width))
    assert (found.table, found.planes) == way
