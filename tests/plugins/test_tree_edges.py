"""Real trees where they turn: rows on their own thresholds, beside them, at infinity and with gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from ekiben import contract as contracts
from ekiben.capture import load_adapter
from ekiben.converters import program_runner
from ekiben.converters.lanes import ROWS
from ekiben.converters.program_converter import Arrays
from ekiben.records import Compiled
from ekiben.registry import framework_for
from ekiben.views import ways
from sklearn import ensemble
from sklearn.tree import DecisionTreeClassifier
from test_converters import DIABETES, IRIS, KIND, TARGET, TWO, catboost, lightgbm, xgboost

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

#: Leaves that a tree may have at most are in the names; more than 64 have no table.
HOLES = DIABETES.copy()
HOLES[numpy.random.default_rng(0).random(HOLES.shape) < 0.05] = numpy.nan
WIDE = {"num_leaves": 100, "min_child_weight": 0.0}
MODELS: dict[str, tuple[Any, Any, Any, tuple[float, ...]]] = {
    "lightgbm": (lambda: lightgbm("LGBMRegressor"), HOLES, TARGET, (numpy.inf, numpy.nan)),
    "lightgbm, three classes": (lambda: lightgbm("LGBMClassifier"), HOLES, TARGET // 120, (numpy.inf,)),
    "lightgbm, 100 leaves": (lambda: lightgbm("LGBMRegressor", **WIDE), HOLES, TARGET, (numpy.nan,)),
    "lightgbm without gaps": (lambda: lightgbm("LGBMClassifier"), IRIS, TWO, (-numpy.inf, numpy.inf)),
    "xgboost": (lambda: xgboost("XGBRegressor"), HOLES, TARGET, (numpy.nan,)),
    "xgboost, exact": (lambda: xgboost("XGBClassifier", tree_method="exact"), HOLES, TARGET > 140, (numpy.nan,)),
    "xgboost, deep": (lambda: xgboost("XGBRegressor", max_depth=12), HOLES, TARGET, (numpy.nan,)),
    "catboost": (lambda: catboost("CatBoostRegressor"), HOLES, TARGET, (-numpy.inf, numpy.inf, numpy.nan)),
    "catboost, three classes": (
        lambda: catboost("CatBoostClassifier", depth=4, nan_mode="Max"), HOLES, TARGET // 120, (numpy.nan,)
    ),
    "catboost, deep": (lambda: catboost("CatBoostRegressor", depth=10), DIABETES, TARGET, (numpy.inf,)),
    "histogram": (
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=20),
        HOLES,
        TARGET // 120,
        (-numpy.inf, numpy.inf, numpy.nan),
    ),
    "boosting": (lambda: ensemble.GradientBoostingClassifier(n_estimators=20), IRIS, KIND, ()),
    "forest": (lambda: ensemble.RandomForestRegressor(20), HOLES, TARGET, (numpy.nan,)),
    "forest, shallow": (
        lambda: ensemble.RandomForestClassifier(30, max_depth=4), HOLES, TARGET // 120, (numpy.nan,)
    ),
    "extra trees": (lambda: ensemble.ExtraTreesClassifier(20, max_depth=5), HOLES, TARGET > 140, (numpy.nan,)),
    "isolation": (lambda: ensemble.IsolationForest(n_estimators=20, max_samples=40), DIABETES, None, ()),
    "forest, 60 trees": (lambda: ensemble.RandomForestRegressor(60), HOLES, TARGET, (numpy.nan,)),
    "forest, three classes": (
        lambda: ensemble.RandomForestClassifier(60, min_samples_leaf=2), HOLES, TARGET // 120, (numpy.nan,)
    ),
    "extra trees, deep": (lambda: ensemble.ExtraTreesClassifier(60), DIABETES, TARGET > 140, ()),
    "xgboost, many deep": (
        lambda: xgboost("XGBRegressor", max_depth=14).set_params(n_estimators=60), HOLES, TARGET, (numpy.nan,)
    ),
    "a tree": (lambda: DecisionTreeClassifier(), IRIS, KIND, ()),
}  # fmt: skip

#: Those whose trees are large and many: many rows are walked in lanes.
LANED = (
    "forest, 60 trees",
    "forest, three classes",
    "forest, shallow",
    "extra trees, deep",
    "xgboost, many deep",
)


def thresholds(folder: Path, width: int) -> list[Any]:
    """Of each column, from the form that was written."""
    steps = json.loads((folder / "program.json").read_text(encoding="utf-8"))["steps"]
    arrays = numpy.load(folder / "program.npz")
    found: list[Any] = [numpy.zeros(1)] * width
    for step in steps:
        held = {
            name: arrays[part["array"]]
            for name, part in step.items()
            if isinstance(part, dict) and "array" in part
        }
        if "cuts" in held:
            starts = held["starts"]
            for place, column in enumerate(held["columns"]):
                ends = held["cuts"][starts[place] : starts[place + 1]]
                found[column] = ends[numpy.isfinite(ends)]
        if step.get("lanes"):
            for column, ends in laned(step["lanes"], arrays).items():
                found[column] = ends
        if "borders" in held:
            for column in numpy.unique(held["features"]):
                ends = held["borders"][held["features"] == column]
                found[column] = ends[numpy.isfinite(ends)]
    return found


def laned(step: dict[str, Any], arrays: Any) -> dict[int, Any]:
    """Thresholds by column, out of the words that hold them."""
    words, columns = (arrays[step[name]["array"]] for name in ("words", "columns"))
    column = (words & ((1 << step["bits"]) - 1)) // ROWS
    inner = column < len(columns) * (2 if step["gaps"] else 1)  # and what is no leaf
    bits = (1 << 32) - 1 - (words[inner] >> step["bits"] & (1 << 32) - 1)
    bits = numpy.where(bits >= 1 << 31, bits - (1 << 31), (1 << 32) - 1 - bits)
    ends = bits.astype("uint32").view("float32").astype(float)
    asked = columns[column[inner] % len(columns)]
    ends, asked = ends[numpy.isfinite(ends)], asked[numpy.isfinite(ends)]
    return {int(one): numpy.unique(ends[asked == one]) for one in columns}


def moved(sample: Any, ends: list[Any], beyond: tuple[float, ...]) -> Any:
    """Rows of which every second number is on a threshold, beside it, or something that is no number."""
    random = numpy.random.default_rng(1)
    rows = sample[random.integers(len(sample), size=600)].astype(float)
    for row in rows:
        for column in numpy.flatnonzero(random.random(len(row)) < 0.5):
            if not len(ends[column]):
                continue
            end = float(random.choice(ends[column]))
            near = [end]
            for kind in (numpy.float64, numpy.float32):
                near += [float(numpy.nextafter(kind(end), kind(side))) for side in (-numpy.inf, numpy.inf)]
            row[column] = random.choice([*near, *beyond])
    return rows


@pytest.mark.parametrize("name", MODELS)
def test_it_turns_where_the_library_does(name, tmp_path):
    make, sample, target, beyond = MODELS[name]
    model = make().fit(sample, target) if target is not None else make().fit(sample)
    taken = framework_for(model)
    adapter = load_adapter(taken)
    contract = contracts.infer(sample, lambda data: adapter.call(model, data), taken.describe(model))
    made = Arrays().convert(model, contract, sample, tmp_path)
    run = program_runner.load(tmp_path, contract.to_json())
    assert len(ways(Compiled(ways=made.ways))) == len(made.ways)
    assert made.ways or name == "catboost, deep"  # which is asked like one row, however many there are
    if name in LANED:
        assert "many:lanes" in made.ways
        assert '"words"' in (tmp_path / "program.json").read_text(encoding="utf-8")
    rows = moved(sample, thresholds(tmp_path, sample.shape[1]), beyond)
    wanted = adapter.call(model, rows)
    for part in (rows, rows[:5]):  # many are asked in another way than few
        got = run([tuple(None if value != value else value for value in row) for row in part.tolist()])
        for key, values in wanted.items():
            told = numpy.asarray(got[key])
            if told.dtype.kind == "f":
                numpy.testing.assert_allclose(told, values[: len(part)], rtol=1e-6, atol=1e-7)
            else:
                assert told.tolist() == numpy.asarray(values)[: len(part)].tolist()
