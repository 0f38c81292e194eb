"""A row on its own through a small program in plain Python: what the way of many rows answers, and the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from ekiben import contract as contracts
from ekiben import convert
from ekiben.capture import load_adapter
from ekiben.converters import program_runner
from ekiben.converters.program_runner.alone import MOST, alone
from ekiben.converters.program_runner.steps import make
from ekiben.errors import NotConverted
from ekiben.registry import framework_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sklearn import linear_model, svm
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

IRIS, KIND = load_iris(return_X_y=True)
random = numpy.random.default_rng(0)
PEOPLE = pandas.DataFrame(
    {
        "age": random.integers(18, 90, 200).astype(float),
        "income": random.normal(30_000, 9_000, 200),
        "city": random.choice(["Lima", "Oslo", "京都"], 200),
    }
)
GAPS = PEOPLE.copy()
GAPS.loc[::7, "income"] = numpy.nan
BUYS = numpy.where((PEOPLE.age > 50) ^ (PEOPLE.city == "Oslo"), "buys", "leaves")


def table(unknown: str, impute: bool = False) -> Any:
    """Scaled numbers and one-hot categories."""
    numbers = (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()) if impute else StandardScaler()
    )
    return make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown), ["city"]), (numbers, ["age", "income"])
    )


CASES: dict[str, tuple[Any, Any, Any]] = {
    "three classes": (linear_model.LogisticRegression(max_iter=500), IRIS, KIND),
    "two classes": (linear_model.LogisticRegression(max_iter=500), IRIS, KIND == 1),
    "one against the rest": (linear_model.SGDClassifier(loss="log_loss", random_state=0), IRIS, KIND),
    "32 bits": (linear_model.LogisticRegression(max_iter=500), IRIS.astype("float32"), KIND),
    "discriminant": (LinearDiscriminantAnalysis(), IRIS, KIND),
    "a vector machine": (svm.LinearSVC(random_state=0), IRIS, KIND),
    "its two classes": (svm.LinearSVC(random_state=0), IRIS, KIND == 1),
    "a line": (linear_model.Ridge(), IRIS[:, :3], IRIS[:, 3]),
    "two lines": (linear_model.LinearRegression(), IRIS[:, :2], IRIS[:, 2:]),
    "through a logarithm": (linear_model.PoissonRegressor(), IRIS[:, :3], IRIS[:, 3]),
    "scaled": (make_pipeline(StandardScaler(), linear_model.RidgeClassifier()), IRIS, KIND),
    "a table": (make_pipeline(table("ignore"), linear_model.LogisticRegression()), PEOPLE, BUYS),
    "known cities": (make_pipeline(table("error"), linear_model.LogisticRegression()), PEOPLE, BUYS),
    "gaps": (make_pipeline(table("ignore", True), linear_model.LogisticRegression()), GAPS, BUYS),
    "ordinals": (
        make_pipeline(
            make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough"),
            linear_model.Ridge(),
        ),
        PEOPLE,
        PEOPLE.income.to_numpy(),
    ),
}


class Case:
    """A form in ``folder`` that was proven, both its ways and the model's own."""

    def __init__(self, folder: Path, model: Any, sample: Any, target: Any) -> None:
        model = model.fit(sample, target)
        folder.mkdir()
        taken = framework_for(model)
        call = load_adapter(taken).call
        self.contract = contracts.infer(sample, lambda data: call(model, data), taken.describe(model))
        convert.convert(model, sample, self.contract, call, folder, wanted="arrays", seconds=600.0)
        home = folder / "compiled"
        self.told = self.contract.to_json()
        tree = json.loads((home / "program.json").read_text(encoding="utf-8"))
        arrays = dict(numpy.load(home / "program.npz"))
        gaps = any(entry.nullable for entry in self.contract.inputs)
        node = program_runner._resolved(tree, arrays, home, gaps)
        self.many = make(node)
        self.run = alone(node, self.many)
        self.rows = convert.Proof(self.contract, lambda data: call(model, data), sample, 0.0)


def told(run: Any, rows: list[Any]) -> Any:
    """The answers, or the kind of refusal."""
    try:
        with numpy.errstate(all="ignore"):
            return run(rows)
    except Exception as error:  # noqa: BLE001 - a refusal is an answer
        return type(error)


def alike(one: Any, other: Any) -> None:
    """Both refuse alike, or answer the same names, types and shapes, and numbers to the last digits."""
    if isinstance(one, type) or isinstance(other, type):
        assert one is other
        return
    assert list(one) == list(other)
    for name, values in one.items():
        found = other[name]
        assert (values.dtype, values.shape) == (found.dtype, found.shape)
        if values.dtype.kind == "f":
            numpy.testing.assert_allclose(values, found, rtol=1e-9, atol=1e-12)
        else:
            assert values.tolist() == found.tolist()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Each made once."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: Case(folder / name.replace(" ", "-"), *entry) for name, entry in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_rows_of_the_sample(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    assert case.run is not case.many
    rows, _wanted = next(case.rows._asked())
    for row in rows:
        alike(case.run([row]), case.many([row]))


@pytest.mark.parametrize("name", CASES)
def test_any_row(cases: dict[str, Case], name: str) -> None:
    """Gaps, infinities, the greatest numbers, categories that nobody knows: answered, or refused, alike."""
    case = cases[name]
    number = some.one_of(
        some.floats(width=32),
        some.floats(-1e6, 1e6),
        some.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 10**400, 2**60, True, None]),
    )
    text = some.sampled_from(["Lima", "Oslo", "京都", "", "nowhere", None])
    kinds = [text if entry.kind in ("category", "text") else number for entry in case.contract.inputs]

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(some.tuples(*kinds))
    def compared(row: tuple[Any, ...]) -> None:
        one, other = told(case.run, [row]), told(case.many, [row])
        # Two classes a last digit apart may change places where rows add up in another order.
        if not isinstance(other, type) and "probabilities" in other:
            best = numpy.sort(numpy.nan_to_num(other["probabilities"][0]))
            if best[-1] - best[-2] < 1e-9:
                return
        alike(one, other)

    compared()


def test_what_it_does_not_take() -> None:
    """Large ones, and steps that have no second function."""
    line = {"op": "linear", "weights": numpy.ones((MOST, 1)), "bias": numpy.zeros(1)}
    for steps in ([line], [{"op": "powers", "products": [[0], [0, 0]]}]):
        node = {"op": "chain", "steps": [*steps, {"op": "answer", "dtype": None}]}
        many = make(node)
        assert alone(node, many) is many


def test_a_form_that_errs_on_rows_alone() -> None:
    """It is not kept, though it answers many rows as the model does; a model that does the same itself is."""
    sample, target = IRIS, KIND.astype(float)
    model = linear_model.Ridge().fit(sample, target)

    def off(data: Any) -> dict[str, Any]:
        found = model.predict(numpy.asarray(data, dtype=float))
        return {"predictions": found + (0.5 if len(found) == 1 else 0.0)}

    def native(data: Any) -> dict[str, Any]:
        return {"predictions": model.predict(data)}

    contract = contracts.infer(sample, native, framework_for(model).describe(model))
    far = convert.time.monotonic() + 60
    with pytest.raises(NotConverted, match="otherwise"):
        convert.Proof(contract, native, sample, far).compare(off)
    assert convert.Proof(contract, off, sample, far).compare(off)[2] == 0.0
    assert convert.Proof(contract, native, sample, far).compare(native)[2] < 1e-9


def test_no_share_is_made_up_where_every_one_is_nothing() -> None:
    """All of one class against the rest may say 0: a least share in its place would be a third each."""
    numbers = {"op": "numbers", "take": None, "dtype": "float64", "narrow": None, "gaps": False}
    steps = [numbers, *({"op": "apply", "function": name} for name in ("logistic", "share"))]
    node = {"op": "chain", "steps": [*steps, {"op": "classify", "classes": ["a", "b", "c"]}]}
    many = make(node)
    for row in ((-800.0, -900.0, -1e6), (-800.0, 1.0, 2.0), (1.0, 2.0, 3.0)):
        wanted, got = many([row])["probabilities"], alone(node, many)([row])["probabilities"]
        assert got == pytest.approx(wanted, abs=1e-15)
    assert not alone(node, many)([(-800.0, -900.0, -1e6)])["probabilities"].any()
