"""What is read in one pass is what the reference way would have handed on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ekiben.runtime.decode import decoder
from ekiben.runtime.frames import frame
from ekiben.runtime.predictor import Predictor
from ekiben.runtime.values import moment_trouble, read_value


def field(name: str, kind: str, dtype: str, **more: Any) -> dict[str, Any]:
    made = {
        "name": name,
        "kind": kind,
        "dtype": dtype,
        "shape": [],
        "nullable": False,
        "categories": None,
        "minimum": None,
        "maximum": None,
        "all_categories": None,
        "ordered": False,
    }
    return {**made, **more}


AGE = field("age", "integer", "int8", minimum=0, maximum=99)
PRICE = field("the price", "number", "float32", minimum=0.5, maximum=9.5, nullable=True)
TOWN = field("town", "category", "object", categories=["Ōtsu", "Kobe"])
SEEN = field("seen", "datetime", "datetime64[ns]")
FINE = {"age": 3, "the price": 1, "town": "Kobe", "seen": "2026-01-02T03:04:05"}


def contract(form: str, *fields: dict[str, Any], dtype: str = "float64") -> dict[str, Any]:
    rules = {"unseen": "reject", "outside": "warn", "dtype": dtype}
    return {"input": form, "inputs": list(fields), **rules}


def read(agreement: dict[str, Any], rows: Any) -> Any:
    decode = decoder(agreement)
    assert decode is not None
    return decode(json.dumps({"rows": rows}).encode())


@pytest.mark.parametrize("count", [1, 2, 7, 9])
def test_clean_rows_are_those_of_the_reference_way(count: int) -> None:
    agreement = contract("table", AGE, PRICE, TOWN, SEEN)
    rows = [{**FINE, "age": n, "the price": None if n == 1 else n / 2 + 1} for n in range(count)]
    reference = Predictor.__new__(Predictor)
    reference.contract = agreement
    checked, warnings = reference.check(rows)
    assert list(read(agreement, rows)) == checked
    assert warnings == []


@pytest.mark.parametrize("unseen", ["reject", "warn", "accept"])
@pytest.mark.parametrize("known", [[1, 2], [1.5, 2.5]])
@pytest.mark.parametrize("sent", [10**400, 10**19, -(10**19), 1e300, float("inf")])
def test_a_category_that_no_library_takes_is_refused(unseen: str, known: list[Any], sent: Any) -> None:
    bad: list[Any] = []
    read_value(
        field("x", "category", "category", categories=known), sent, "$.rows[0].x", (unseen, "warn"), bad, []
    )
    assert [entry.code for entry in bad] == ["not_finite" if sent == float("inf") else "out_of_dtype"]
    assert bad[0].told()["message"]


@pytest.mark.parametrize("copies", [1, 8])
@pytest.mark.parametrize(
    "change",
    [
        {"age": 100},
        {"age": True},
        {"age": "3"},
        {"age": 3.5},
        {"age": None},
        {"age": 10**30},
        {"the price": 9.6},
        {"the price": "1"},
        {"the price": float("nan")},
        {"town": "Nara"},
        {"town": None},
        {"town": ["Kobe"]},
        {"seen": "yesterday"},
        {"seen": "2026-01-02T03:04:05+02:00"},
        {"another": 1},
    ],
)
def test_whatever_is_odd_goes_the_reference_way(change: dict[str, Any], copies: int) -> None:
    assert read(contract("table", AGE, PRICE, TOWN, SEEN), [FINE] * copies) is not None
    assert read(contract("table", AGE, PRICE, TOWN, SEEN), [*[FINE] * copies, {**FINE, **change}]) is None


def test_arrays_have_their_width() -> None:
    two = contract("array", *(field(str(n), "number", "float64", minimum=0.0, maximum=1.0) for n in range(2)))
    assert read(two, [[0, 1], [0.5, 0.25]]) == [(0.0, 1.0), (0.5, 0.25)]
    for rows in ([[0.0]], [[0.0, 1.0, 1.0]], [[0.0, 1.5]], [[0.0, None]], [], "no", [0.0, 1.0]):
        assert read(two, rows) is None


def test_tensors_have_their_shape() -> None:
    image = contract("tensor", field("x", "integer", "uint8", shape=[2, 1]), dtype="uint8")
    (row,) = read(image, [[[0], [255]]])
    assert row.tolist() == [[0], [255]]
    for rows in ([[[0], [256]]], [[[0], [-1]]], [[[0]]], [[[0], [1.5]]]):
        assert read(image, rows) is None
    real = contract("tensor", field("x", "number", "float32", shape=[2]), dtype="float32")
    assert read(real, [[1.5, 2]])[0].tolist() == [1.5, 2.0]
    assert read(real, [[1e300, 2]]) is None  # does not fit the dtype


def test_what_has_no_single_type_has_no_decoder() -> None:
    mixed = field("x", "category", "object", categories=["a", 1])
    assert decoder(contract("table", mixed)) is None
    assert decoder(contract("table", field("x", "number", "object", minimum=0, maximum=1))) is None


def test_names_that_the_decoder_cannot_spell_go_the_reference_way() -> None:
    for name in ('q"uote', "back\\slash", "line\nbreak", "\ud800"):
        assert decoder(contract("table", {**AGE, "name": name})) is None
    assert read(contract("table", {**AGE, "name": "年龄 😀."}), [{"年龄 😀.": 3}]) == [(3,)]


@pytest.mark.parametrize(
    ("dtype", "sent", "code"),
    [
        ("datetime64[ns, UTC]", "2026-01-02T03:04:05", "needs_offset"),
        ("datetime64[ns]", "2026-01-02T03:04:05Z", "has_offset"),
        ("datetime64[ns]", "yesterday", "wrong_type"),
        ("datetime64[us]", "2020-W01-1", "wrong_type"),
        ("datetime64[us]", "2020-01-01T05:00:00,5", "wrong_type"),
        ("datetime64[ns]", "0001-01-01", "out_of_dtype"),
        ("datetime64[us, Europe/Berlin]", "9999-12-31T23:59:59+00:00", "out_of_dtype"),
    ],
)
def test_a_time_is_told_what_its_offset_should_be(dtype: str, sent: str, code: str) -> None:
    bad: list[Any] = []
    read_value({**SEEN, "dtype": dtype}, sent, "$.rows[0].seen", ("reject", "warn"), bad, [])
    assert [entry.code for entry in bad] == [code]
    assert bad[0].told("en")["remedy"] != bad[0].told("zh")["remedy"]


@pytest.mark.parametrize(
    "dtype", ["datetime64[s]", "datetime64[ns]", "timestamp[us][pyarrow]", "date32[day][pyarrow]"]
)
@pytest.mark.parametrize(
    "sent", ["2026-01-02", "20260102T0304", "2026-01-02 03:04:05.123456789", "1678-01-01", "2261-12-31"]
)
def test_every_time_that_is_taken_becomes_a_column(dtype: str, sent: str) -> None:
    assert moment_trouble(dtype, sent) in ("", "wrong_type")  # Python 3.10 reads fewer forms
    if not moment_trouble(dtype, sent):
        column = frame([{**SEEN, "dtype": dtype}], [[sent]])["seen"]
        assert str(column.dtype) == dtype and str(column[0].year) == sent[:4]
