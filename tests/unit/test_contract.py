"""What the sample shows becomes the contract; what cannot travel is refused with the remedy."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal

import numpy
import pandas
import pytest
from ekiben import contract as contracts
from ekiben.canonical import canonical
from ekiben.capture import load_adapter
from ekiben.errors import UnsupportedSample
from ekiben.fields import array_fields, frame_fields
from ekiben.frameworks.sklearn import Sklearn
from ekiben.personal import look
from ekiben.protocols import Description
from ekiben.records import Contract
from models import applicants, diabetes, iris, people

PLAIN = Description(estimator="f", task="prediction", fitted=True)


def infer(model, sample):
    plugin = Sklearn()
    adapter = load_adapter(plugin)
    return contracts.infer(sample, lambda data: adapter.call(model, data), plugin.describe(model))


def test_fields_of_a_frame_are_what_the_columns_hold():
    fields = {field.name: field for field in frame_fields(people())}
    kinds = {name: field.kind for name, field in fields.items()}
    assert kinds == {
        "age": "integer",
        "city": "category",
        "income": "number",
        "plan": "category",
        "since": "datetime",
        "note": "text",
        "member": "boolean",
    }
    assert {name for name, field in fields.items() if field.nullable} == {"city", "income"}
    assert set(fields["city"].categories) == {"Lima", "Oslo", "京都"}
    assert fields["plan"].all_categories == ("b", "a", "unused")
    assert fields["age"].minimum == people()["age"].min()
    assert fields["age"].maximum == people()["age"].max()
    assert sum(fields["age"].counts) == len(people())
    assert fields["income"].dtype == "float32"


def test_an_array_gets_numbered_fields_and_keeps_its_dtype():
    array = numpy.array([[1, 2], [3, 4]], dtype="int16")
    assert [(field.name, field.kind, field.dtype) for field in array_fields(array)] == [
        ("x0", "integer", "int16"),
        ("x1", "integer", "int16"),
    ]


def test_the_contract_survives_json():
    contract = infer(*applicants())
    again = Contract.from_json(json.loads(json.dumps(contract.to_json())))
    assert again == Contract.from_json(contract.to_json())
    assert again.to_json() == contract.to_json()


def test_golden_rows_cover_extremes_categories_gaps_and_classes():
    model, X = applicants()
    golden = infer(model, X).golden
    ages = [row["age"] for row in golden.rows]
    assert {min(ages), max(ages)} == {X["age"].min(), X["age"].max()}
    assert {row["city"] for row in golden.rows} == {"Lima", "Oslo", "京都", None}
    assert None in {row["income"] for row in golden.rows}
    assert set(golden.answers["predictions"]) == {"approved", "refused"}
    assert len(golden.rows) == 48


def test_golden_answers_are_the_live_objects_own():
    model, X = diabetes()
    golden = infer(model, X).golden
    assert golden.answers["predictions"] == model.predict(numpy.array(golden.rows)).tolist()


def test_classes_and_task():
    contract = infer(*iris())
    assert contract.task == "classification"
    assert contract.classes == ("setosa", "versicolor", "virginica")
    assert [(field.name, field.shape) for field in contract.outputs] == [
        ("predictions", ()),
        ("probabilities", (3,)),
    ]


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ([1, 2], "The sample is a list"),
        (numpy.zeros(4), "The sample is a ndarray"),
        (numpy.zeros((0, 4)), "no rows"),
        (numpy.zeros((3, 2)), "has 2 columns"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(sample, told):
    with pytest.raises(UnsupportedSample, match=told) as caught:
        infer(iris()[0], sample)
    assert caught.value.remedy


def test_columns_the_model_does_not_know_are_named():
    model, X = iris()
    with pytest.raises(UnsupportedSample, match="Unknown to the model: target"):
        infer(model, X.assign(target=0))
    with pytest.raises(UnsupportedSample, match="another order"):
        infer(model, X[X.columns[::-1]])


@pytest.mark.parametrize(
    ("column", "told"),
    [([1, "a"], "no common form"), ([1.0, numpy.inf], "infinity")],
)
def test_values_that_cannot_travel_name_their_column(column, told):
    with pytest.raises(UnsupportedSample, match=told) as caught:
        frame_fields(pandas.DataFrame({"strange": column}))
    assert caught.value.where == "sample['strange']"


@pytest.mark.parametrize(
    ("columns", "told", "remedy"),
    [
        ([0, 1], "name 0 is not text", r"str\(name\) for name in X.columns"),
        ([("a", "x"), ("a", "y")], "is not text", r'"_".join\(map\(str, name\)\)'),
        (["a", "a"], "Two columns are called 'a'", "a name of its own"),
    ],
)
def test_column_names_must_be_text_and_unique(columns, told, remedy):
    """Told before anything looks a column up by its name."""
    frame = pandas.DataFrame([[1, 2]])
    frame.columns = pandas.MultiIndex.from_tuples(columns) if isinstance(columns[0], tuple) else columns
    for ask in (canonical, look):
        with pytest.raises(UnsupportedSample, match=told) as caught:
            ask(frame)
        assert re.search(remedy, caught.value.remedy)


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (pandas.period_range("2026-01", periods=2, freq="M"), "X['c'].dt.to_timestamp()"),
        (pandas.to_timedelta([1, 2], unit="h"), "X['c'].dt.total_seconds()"),
        (pandas.cut([1, 2], 2), "X['c'].astype(str)"),
        ([date(2026, 1, 2)] * 2, "pandas.to_datetime(X['c'])"),
        ([Decimal("1.5")] * 2, "X['c'].astype(float)"),
        (pandas.Series([1, 2], dtype=object), "pandas.to_numeric(X['c'])"),
        ([1 + 2j, 3j], "one type"),
    ],
)
def test_columns_without_a_form_in_json_are_refused_with_the_code_that_converts_them(column, code):
    with pytest.raises(UnsupportedSample, match="JSON") as caught:
        frame_fields(pandas.DataFrame({"c": column}))
    assert code in caught.value.remedy


def test_unsigned_numbers_beyond_the_signed_ones_are_counted_like_any():
    column = numpy.array([2**64 - 1, 1, 2**63], dtype="uint64")
    (field,) = frame_fields(pandas.DataFrame({"id": column}))
    assert (field.minimum, field.maximum, sum(field.counts)) == (1, 2**64 - 1, 3)


def test_numbers_too_large_for_bins_have_their_ends():
    large = numpy.array([2**63, 2**63 + 1], dtype="uint64")
    field = frame_fields(pandas.DataFrame({"id": large}))[0]
    assert (field.minimum, field.maximum, field.counts) == (2**63, 2**63 + 1, ())


def test_answers_without_a_form_in_json_are_refused():
    with pytest.raises(UnsupportedSample, match="predictions have no form in JSON: set") as caught:
        contracts.infer([{"a": 1}] * 3, lambda rows: {"predictions": [{1} for _row in rows]}, PLAIN)
    assert caught.value.remedy
