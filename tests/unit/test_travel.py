"""What rows lose on their way, and answers that depend on the rows beside: told with cause and remedy."""

from __future__ import annotations

import importlib
import itertools
import sys

import numpy
import pandas
import pytest
from cells_ran import ran, taken
from ekiben import contract as contracts
from ekiben import travel
from ekiben.canonical import canonical
from ekiben.capture import _asked, _example
from ekiben.code.stale import otherwise
from ekiben.errors import UnsupportedModel, UnsupportedSample
from ekiben.protocols import Description
from ekiben.registry import framework
from ekiben.runtime.contract import check, row_schema, to_data

FRAME = pandas.DataFrame({"city": ["Ōtsu", "Kobe", "Nara"] * 4, "age": range(12)})


def arrived(model, sample):
    """Contract and golden rows of a function, as ``wrap`` makes them; and the function as it is asked."""

    def ask(data):
        return {"predictions": model(data)}

    contract = contracts.infer(sample, ask, Description(estimator="f()", task="prediction", fitted=True))
    return ask, contract, _example(contract)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda rows: rows["age"] - rows["age"].mean(), "depends on the rows beside it: predictions of row"),
        (
            lambda rows: pandas.get_dummies(rows, columns=["city"])["city_Nara"],
            "alone is not answered: KeyError",
        ),
    ],
    ids=["mean", "dummies"],
)
def test_an_answer_that_depends_on_its_neighbours_is_told(model, told):
    finding = travel.beside(*arrived(model, FRAME))[0]
    assert finding.level == "warning" and told in finding.message and "one row" in finding.remedy


def test_an_answer_of_its_own_says_nothing():
    assert travel.beside(*arrived(lambda rows: rows["age"] * 0.1, FRAME)) == ()
    assert travel.beside(*arrived(lambda rows: rows["age"] * 0.1, FRAME[:1])) == ()


MIXED = pandas.DataFrame({"c": pandas.Series(["a", None, numpy.nan] * 4, dtype=object)})
DATED = pandas.DataFrame({"x": range(3)}, index=pandas.date_range("2026-01-30", periods=3))
KEYS = [{"a": 1}, {"a": None}, {}] * 4


@pytest.mark.parametrize(
    ("model", "sample", "told"),
    [
        (lambda rows: [repr(value) for value in rows["c"]], MIXED, "c: None and NaN become one"),
        (lambda rows: [repr(name) for name in rows.index], DATED, "The index stays behind"),
        (lambda rows: rows.index.month, DATED, "does not take the rows"),
        (
            lambda rows: [repr(row.get("a", "-")) for row in rows],
            KEYS,
            "a: missing keys, None and NaN become one",
        ),
    ],
    ids=["gaps", "index", "index-raises", "keys"],
)
def test_what_the_rows_lost_is_the_remedy(model, sample, told):
    ask, contract, example = arrived(model, sample)
    assert told in travel.remedy(ask, sample, contract, example)


def test_chance_and_a_copy_at_fault_are_told_apart():
    turns = itertools.count()
    ask, contract, example = arrived(lambda rows: [next(turns) for _row in rows], ["a", "b"])
    assert "Fix its seed" in travel.remedy(ask, ["a", "b"], contract, example)
    ask, contract, example = arrived(lambda rows: [len(row) for row in rows], ["a", "bb"])
    assert travel.remedy(ask, ["a", "bb"], contract, example) == ""


def test_records_keep_whole_numbers_and_keys_that_were_left_out():
    records = [{"n": 2**60 + 1, "b": "x"}, {"n": None}, {"n": 3, "f": float("nan")}]
    contract = arrived(lambda rows: [len(row) for row in rows], records)[1]
    data = contract.to_json()
    fields = {field["name"]: (field["kind"], field["missing"]) for field in data["inputs"]}
    assert fields == {"n": ("integer", "none"), "b": ("category", "absent"), "f": ("number", "nan")}
    assert row_schema(data)["required"] == ["n", "f"]
    rows = to_data(data, check(data, [{"n": 2**60 + 1, "f": 1}, {"n": None, "b": "x", "f": None}])[0])
    assert repr(rows) == repr([{"n": 2**60 + 1, "f": 1.0}, {"n": None, "b": "x", "f": float("nan")}])


def test_functions_that_give_no_answers_say_why():
    async def later(rows):
        return rows

    class Adapter:
        @staticmethod
        def call(model, data):
            return {"predictions": model(data)}

    with pytest.raises(UnsupportedModel, match="async"):
        _asked(Adapter, later, FRAME, "later()")
    with pytest.raises(UnsupportedSample, match="NameError") as caught:
        _asked(Adapter, lambda rows: gone, FRAME, "f()")  # noqa: F821
    assert "cell that makes gone again" in caught.value.remedy
    with pytest.raises(UnsupportedSample, match="missing 1 required") as caught:
        _asked(Adapter, lambda first, second: first, FRAME, "f()")
    assert "calls it with what it takes" in caught.value.remedy
    with pytest.raises(UnsupportedSample, match="with_columns") as caught:
        _asked(Adapter, lambda rows: rows.with_columns(), FRAME, "f()")
    assert "Rows reach it as a pandas.DataFrame" in caught.value.remedy


def test_a_module_that_its_file_has_otherwise_is_named(tmp_path, monkeypatch):
    file = tmp_path / "stale_beside.py"
    file.write_text("TIMES = 1\ndef by(x): return x * TIMES\ndef same(x): return x\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("stale_beside")
    try:
        assert otherwise(["stale_beside", "never_imported"]) == []
        module.TIMES = 5
        assert otherwise(["stale_beside"]) == ["stale_beside.TIMES"]
        file.write_text("TIMES = 5\ndef by(x): return x + TIMES\ndef same(x): return x\n", encoding="utf-8")
        assert otherwise(["stale_beside"]) == ["stale_beside.by"]
    finally:
        del sys.modules["stale_beside"]


@pytest.mark.parametrize("read", ["os.environ['{}']", "os.environ.get('{}', '1')", "os.getenv('{}')"])
def test_an_environment_variable_is_told(read, monkeypatch):
    monkeypatch.setenv("EK_RATE", "3")
    notebook = ran(
        "import os",
        f"def predict(rows):\n    rate = {read}\n    return [rate for row in rows]".format("EK_RATE"),
    )
    finding = taken(notebook).findings[0]
    assert (
        finding.level == "warning" and "cell 2, line 2: the environment variable EK_RATE" in finding.message
    )
    monkeypatch.delenv("EK_RATE")
    assert taken(notebook).findings == ()


def test_a_model_of_several_inputs_is_told_what_to_wrap():
    class Two:
        inputs = ("a", "b")

        def predict(self, rows):
            raise ValueError("expects 2 inputs")

    class Adapter:
        @staticmethod
        def call(model, data):
            return {"predictions": model.predict(data)}

    with pytest.raises(UnsupportedSample, match="expects 2 inputs") as caught:
        _asked(Adapter, Two(), FRAME, "Two")
    assert "calls it with what it takes" in caught.value.remedy


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (numpy.array([["a", "1"]]), "pandas.DataFrame(X, columns=['x0', 'x1'])"),
        (numpy.array([["a", 1]], dtype=object), "pandas.DataFrame(X, columns=['x0', 'x1'])"),
        (numpy.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), "pandas.DataFrame(X)"),
    ],
    ids=["text", "objects", "structured"],
)
def test_an_array_of_text_is_passed_as_a_table(array, code):
    with pytest.raises(UnsupportedSample) as caught:
        canonical(array)
    assert code in caught.value.remedy and len(canonical(eval(code, {"pandas": pandas, "X": array}))[1]) == 1


def test_a_booster_tells_the_rounds_beyond_its_best(tmp_path):
    import xgboost

    noise = numpy.random.default_rng(0).normal(size=(60, 3))
    data, other = (
        xgboost.DMatrix(noise[:, :2], label=noise[:, 2]),
        xgboost.DMatrix(noise[:, 1:], label=noise[:, 0]),
    )
    booster = xgboost.train(
        {"eta": 1.0}, data, 20, evals=[(other, "other")], early_stopping_rounds=3, verbose_eval=False
    )
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    plugin = framework("xgboost")
    for name, model, count in (("all", booster, 1), ("best", booster[: booster.best_iteration + 1], 0)):
        (tmp_path / name).mkdir()
        assert len(plugin.save(model, tmp_path / name, None).findings) == count


def test_a_clustering_without_predict_is_told_what_to_wrap():
    from sklearn.cluster import DBSCAN

    with pytest.raises(UnsupportedModel) as caught:
        framework("sklearn").describe(DBSCAN())
    assert "labels_" in caught.value.remedy
