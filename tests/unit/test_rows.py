"""Rows of a request against the contract: exact values in, one clear problem a wrong place."""

from __future__ import annotations

import json
import warnings

import numpy
import pandas
import pytest
from ekiben.canonical import canonical
from ekiben.fields import array_fields, frame_fields, sample_fields, to_wire
from ekiben.records import Contract, Field, Golden
from ekiben.runtime.contract import check, row_schema, to_data
from ekiben.runtime.decode import decoder
from ekiben.runtime.predictor import parse
from ekiben.runtime.problems import TEXTS, InvalidRows
from ekiben.runtime.values import span
from models import people


def contract_of(sample, **changes):
    table = isinstance(sample, pandas.DataFrame)
    fields = frame_fields(sample) if table else array_fields(sample)
    made = Contract(
        input="table" if table else "array",
        inputs=fields,
        outputs=(),
        task="classification",
        classes=None,
        sample_rows=len(sample),
        golden=Golden((), {}),
        dtype="" if table else str(sample.dtype),
    )
    return {**made.to_json(), **changes}


def travelled(sample, contract):
    """The sample after a journey as JSON."""
    fields = frame_fields(sample) if isinstance(sample, pandas.DataFrame) else array_fields(sample)
    rows = json.loads(json.dumps(to_wire(sample, contract["input"], fields)))
    columns, _warnings = check(contract, rows)
    return to_data(contract, columns)


def test_a_frame_arrives_exactly_as_it_left():
    arrived = travelled(people(), contract_of(people()))
    pandas.testing.assert_frame_equal(arrived, people(), check_exact=True)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool"])
def test_an_array_arrives_exactly_as_it_left(dtype):
    array = numpy.random.default_rng(0).normal(3, 1, (20, 3)).astype(dtype)
    arrived = travelled(array, contract_of(array))
    assert arrived.dtype == array.dtype
    numpy.testing.assert_array_equal(arrived, array)


def test_nullable_and_object_columns_keep_their_gaps():
    frame = pandas.DataFrame(
        {
            "count": pandas.array([1, None, 3, 1], dtype="Int64"),
            "flag": pandas.array([True, None, False, True], dtype="boolean"),
            "nan": pandas.Series(["a", numpy.nan, "a", "b"], dtype=object),
            "none": pandas.Series(["a", None, "a", "b"], dtype=object),
            "moment": pandas.to_datetime(
                ["2024-01-01T00:00:00Z", None, "2024-06-01T00:00:00Z", "2024-07-01T12:30:00Z"], utc=True
            ),
        }
    )
    arrived = travelled(frame, contract_of(frame))
    pandas.testing.assert_frame_equal(arrived, frame, check_exact=True)
    assert arrived["none"][1] is None
    assert numpy.isnan(arrived["nan"][1])


def row(**changes):
    fields = frame_fields(people())
    return {**to_wire(people().iloc[1:2], "table", fields)[0], **changes}


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"age": "42"}, "wrong_type", "$.rows[0].age"),
        ({"age": 4.5}, "wrong_type", "$.rows[0].age"),
        ({"age": True}, "wrong_type", "$.rows[0].age"),
        ({"age": None}, "missing_value", "$.rows[0].age"),
        ({"age": float("nan")}, "missing_value", "$.rows[0].age"),
        ({"age": 10**30}, "out_of_dtype", "$.rows[0].age"),
        ({"city": "Rome"}, "unknown_category", "$.rows[0].city"),
        ({"city": 3}, "wrong_type", "$.rows[0].city"),
        ({"income": float("inf")}, "not_finite", "$.rows[0].income"),
        ({"income": 1e39}, "out_of_dtype", "$.rows[0].income"),
        ({"since": "yesterday"}, "wrong_type", "$.rows[0].since"),
        ({"since": "2024-01-01T00:00:00+02:00"}, "has_offset", "$.rows[0].since"),
        ({"member": 1}, "wrong_type", "$.rows[0].member"),
        ({"note": 5}, "wrong_type", "$.rows[0].note"),
        ({"extra field": 5}, "unknown_field", '$.rows[0]["extra field"]'),
    ],
)
def test_each_wrong_value_is_told_with_its_place(changes, code, path):
    with pytest.raises(InvalidRows) as caught:
        check(contract_of(people()), [row(**changes)])
    told = caught.value.body()["problems"]
    assert [(entry["code"], entry["path"]) for entry in told] == [(code, path)]
    assert told[0]["message"] and told[0]["remedy"]


def test_a_missing_field_and_a_row_that_is_no_object():
    incomplete = row()
    del incomplete["age"]
    with pytest.raises(InvalidRows) as caught:
        check(contract_of(people()), [row(), incomplete, [1, 2]])
    body = caught.value.body()
    assert [entry["path"] for entry in body["problems"]] == ["$.rows[1].age", "$.rows[2]"]
    assert body["count"] == 2


def test_many_problems_are_counted_and_the_first_twenty_told_in_order():
    with pytest.raises(InvalidRows) as caught:
        check(contract_of(people()), [row(age="x", city="Rome") for _ in range(50)])
    body = caught.value.body()
    assert (body["count"], len(body["problems"])) == (100, 20)
    assert body["problems"][0]["path"].startswith("$.rows[0]")
    assert body["problems"][1]["path"].startswith("$.rows[0]")


def test_out_of_range_is_a_warning_and_unseen_is_what_the_user_chose():
    _columns, warnings = check(contract_of(people()), [row(age=500)])
    assert [(entry.code, entry.path) for entry in warnings] == [("out_of_range", "$.rows[0].age")]
    _columns, warnings = check(contract_of(people(), unseen="warn"), [row(city="Rome")])
    assert [entry.code for entry in warnings] == ["unknown_category"]
    assert check(contract_of(people(), unseen="accept"), [row(city="Rome")])[1] == []


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_kept_as_an_end_of_the_sample_is_not_beyond_it(dtype):
    sample = numpy.array([[-3.1081], [0.0], [3.066]], dtype)
    contract = contract_of(sample, outside="reject")
    rows = [[-3.1081], [3.066], [float(sample[0, 0])], [float(sample[2, 0])]]  # 3.066 as such, and rounded
    assert check(contract, rows) == ([[value for (value,) in rows]], [])
    assert decoder(contract)(json.dumps({"rows": rows}).encode()) == [tuple(row) for row in rows]
    grid = [[3.066]] * 400
    assert list(map(list, decoder(contract)(json.dumps({"rows": grid}).encode()))) == grid
    far = numpy.array(numpy.inf, dtype)
    for value in map(float, (numpy.nextafter(sample[2, 0], far), numpy.nextafter(sample[0, 0], -far))):
        with pytest.raises(InvalidRows, match="range"):
            check(contract, [[value]])
        assert decoder(contract)(json.dumps({"rows": [[value]]}).encode()) is None


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_reach_of_an_end_is_all_that_rounds_to_it(dtype):
    kind = numpy.dtype(dtype).type
    for number in (0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 3.066, -2.5e-7, 1000.7, -65504.0):
        low, high = span({"dtype": dtype, "minimum": float(kind(number)), "maximum": float(kind(number))})
        assert kind(low) == kind(high) == kind(number)
        assert kind(number) == -65504.0 or kind(high + (high - low)) > kind(number) > kind(low - (high - low))
    assert span({"dtype": "float64", "minimum": 0.1, "maximum": 0.2}) == (0.1, 0.2)
    assert span({"dtype": dtype, "minimum": -1e300, "maximum": 1e300}) == (-1e300, 1e300)


def test_array_rows_are_lists_of_the_right_width():
    contract = contract_of(numpy.array([[1.0, 1, 1], [2, 2, 2]]))
    for rows, code in (([[1, 2]], "row_width"), ([{"x0": 1}], "row_type"), ([[1, 2, "3"]], "wrong_type")):
        with pytest.raises(InvalidRows) as caught:
            check(contract, rows)
        assert caught.value.problems[0].code == code
    assert check(contract, [[1, 2, 1]])[0] == [[1], [2], [1]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\x00rubbish", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"{}", "no_rows"),
        (b"[]", "no_rows"),
        (b'{"rows": 3}', "rows_type"),
        (b'{"rows": []}', "empty_rows"),
    ],
)
def test_a_body_that_is_no_request(body, code):
    with pytest.raises(InvalidRows) as caught:
        parse(body)
    assert caught.value.problems[0].code == code


def test_every_text_is_there_in_both_languages_with_the_same_places():
    import re

    for english, chinese in TEXTS.values():
        for one, other in zip(english, chinese, strict=True):
            assert bool(one) == bool(other)
            assert set(re.findall(r"(?<!\{)\{\w+\}", one)) >= set(re.findall(r"(?<!\{)\{\w+\}", other))
            assert re.search(r"[\u4e00-\u9fff]", other) or not other


def test_the_row_schema_is_a_view_of_the_contract():
    from jsonschema import validate

    X = people()
    contract = contract_of(X)
    for entry in to_wire(X.head(30), "table", frame_fields(X)):
        validate(entry, row_schema(contract))
    assert "Lima" in row_schema(contract)["properties"]["city"]["enum"]


def forms(sample):
    form, data = canonical(sample)
    return form, data, sample_fields(form, data)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_tensor_arrives_exactly_as_it_left(dtype):
    sample = (numpy.random.default_rng(0).random((5, 3, 4, 4)) * 200).astype(dtype)
    form, data, fields = forms(sample)
    contract = {**contract_of(numpy.zeros((1, 1))), "input": form, "dtype": dtype}
    contract["inputs"] = [field.to_json() for field in fields]
    rows = json.loads(json.dumps(to_wire(data, form, fields)))
    arrived = to_data(contract, check(contract, rows)[0])
    assert arrived.dtype == sample.dtype
    numpy.testing.assert_array_equal(arrived, sample)
    for row, code in (([[1, 2]], "row_shape"), ([[1], [1, 2]], "row_shape"), ("x", "row_shape")):
        with pytest.raises(InvalidRows) as caught:
            check(contract, [rows[0], row])
        assert [(entry.code, entry.path) for entry in caught.value.problems] == [(code, "$.rows[1]")]


def test_texts_and_records_arrive_as_they_left():
    for sample in (["hello", "世界"], [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 3, "b": "y"}]):
        form, data, fields = forms(sample)
        contract = {**contract_of(numpy.zeros((1, 1))), "input": form}
        contract["inputs"] = [field.to_json() for field in fields]
        assert to_data(contract, check(contract, list(to_wire(data, form, fields)))[0]) == sample
    with pytest.raises(InvalidRows) as caught:
        check({**contract, "input": "texts", "inputs": [Field("text", "str", "text").to_json()]}, ["a", 3])
    assert caught.value.problems[0].path == "$.rows[1]"


def test_polars_and_arrow_tables_become_frames():
    import polars

    table = polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for sample in (table, table.to_arrow()):
        form, data = canonical(sample)
        assert form == "table"
        assert data.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_outside_is_what_the_user_chose():
    contract = contract_of(people(), outside="reject")
    with pytest.raises(InvalidRows) as caught:
        check(contract, [row(age=500)])
    assert caught.value.problems[0].code == "out_of_range"
    assert check(contract_of(people(), outside="accept"), [row(age=500)])[1] == []


@pytest.mark.parametrize("known", [["a", "b"], [2023, 2024], [0.5, 1.5], [True, False]])
def test_a_category_that_the_sample_did_not_have_is_a_gap_without_a_warning(known):
    from ekiben.runtime.frames import frame

    field = {"name": "x", "dtype": "category", "kind": "category", "all_categories": known, "ordered": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        column = frame([field], [[known[1], "never seen", None, known[0]]])["x"]
    assert column.isna().tolist() == [False, True, True, False]
    assert column.dropna().tolist() == [known[1], known[0]]
    assert column.dtype == pandas.CategoricalDtype(known)
