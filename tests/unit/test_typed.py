"""Columns that arrive as arrays are answered, warned of and refused as the same values one by one."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pytest
from ekiben.runtime.columns import MANY, Columns
from ekiben.runtime.grids import reader
from ekiben.runtime.predictor import Predictor, assemble
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.protocols import data
from ekiben.runtime.protocols.call import read_json
from ekiben.runtime.protocols.tensor_rows import given
from ekiben.runtime.protocols.tensors import Tensor, from_bytes, from_json
from hypothesis import example, settings
from hypothesis import given as supposed
from hypothesis import strategies as some
from test_columns import CLASS, FLAG, GAPPED, GRADE, NOTE, NUMBER, QUIET, SINGLE, WHOLE, WIDE
from test_decode import AGE, PRICE, TOWN, contract, field

BARE = field("bare", "number", "float64")
ODD = field("odd", "number", "object", minimum=0, maximum=5)
HALF = field("half", "number", "float16", minimum=-60000, maximum=60000, nullable=True)
FIELDS = [AGE, PRICE, TOWN, NUMBER, SINGLE, WHOLE, WIDE, GAPPED, FLAG, NOTE, CLASS, GRADE, BARE, ODD, HALF]
NUMPY = {"FP64": "f8", "FP32": "f4", "FP16": "f2", "INT64": "i8", "UINT64": "u8", "INT8": "i1", "UINT8": "u1"}
REAL = some.floats(width=16) | some.sampled_from([0.5, 1.0, 2.0, 3.0, 9.5, 99.0, -0.0])
WORDS = some.sampled_from(["Ōtsu", "Kobe", "Nara", "", "a", "b", "京都"])
COUNTS = (1, MANY - 1, MANY, MANY + 3)


def whole(dtype: str) -> some.SearchStrategy[int]:
    limits = numpy.iinfo(dtype)
    low, high = int(limits.min), int(limits.max)
    edges = [0, 1, 2, 3, 9, 10, 99, 2**53 + 1, 2**60, 2**60 + 1, 2**63 - 1, 2**63, -(2**53) - 1, low, high]
    return some.sampled_from([edge for edge in edges if low <= edge <= high]) | some.integers(low, high)


@some.composite
def columns(draw: some.DrawFn, count: int) -> list[tuple[dict[str, Any], str, Any]]:
    """Some fields, each with a datatype and an array of values that fit it more often than not."""
    made = []
    for entry in draw(some.lists(some.sampled_from(FIELDS), min_size=1, max_size=4, unique_by=id)):
        if entry in (NOTE, TOWN, GRADE):
            words = draw(some.lists(WORDS, min_size=count, max_size=count))
            made.append((entry, "BYTES", [word.encode() for word in words]))
        elif entry is FLAG:
            values = numpy.array(draw(some.lists(some.booleans(), min_size=count, max_size=count)))
            made.append((entry, "BOOL", values))
        else:
            datatype = draw(some.sampled_from(list(NUMPY)))
            kind = NUMPY[datatype]
            some_values = REAL if kind[0] == "f" else whole(kind)
            base = draw(some_values)
            values = draw(some.lists(some.just(base) | some_values, min_size=count, max_size=count))
            made.append((entry, datatype, numpy.array(values, kind)))
    return made


def asked(agreement: dict[str, Any], tensors: list[Tensor]) -> Any:
    """The rows and the warnings, or what is wrong."""
    reference = Predictor.__new__(Predictor)
    reference.contract = agreement
    try:
        rows, warnings = given(agreement, tensors).check(reference)
    except InvalidRows as error:
        return error.problems, error.body()
    return rows, warnings


def same(one: Any, other: Any, agreement: dict[str, Any]) -> None:
    """Whether the model is given the same."""
    if isinstance(other[1], dict):
        assert one == other
        return
    assert one[1] == other[1]
    assert list(map(tuple, one[0])) == list(map(tuple, other[0]))
    try:
        wanted = assemble(agreement, other[0])
    except OverflowError:  # an unknown category that was let in, and that no column holds
        with pytest.raises(OverflowError):
            assemble(agreement, one[0])
        return
    data = assemble(agreement, one[0])
    if hasattr(wanted, "columns"):
        assert list(map(str, data.dtypes)) == list(map(str, wanted.dtypes))
        for name in wanted:
            assert repr(data[name].tolist()) == repr(wanted[name].tolist())
    else:
        assert data.dtype == wanted.dtype
        numpy.testing.assert_array_equal(data, wanted)


def plain(values: Any) -> list[Any]:
    found: list[Any] = values if isinstance(values, list) else values.tolist()
    return found


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("rules", ["reject", "warn", "accept"])
@settings(max_examples=25, **QUIET)
@supposed(some.data())
def test_columns_are_the_same_values_one_by_one(count: int, rules: str, drawn: some.DataObject) -> None:
    parts = drawn.draw(columns(count))
    if drawn.draw(some.booleans()):  # all of one kind, which are looked at in one go
        parts = [
            ({**entry, "name": f"{entry['name']}{at}"}, *rest)
            for at in range(2)
            for entry, *rest in parts[:1]
        ]
    upright = drawn.draw(some.booleans())  # shape (n, 1)
    agreement = contract("table", *(entry for entry, _kind, _values in parts))
    agreement |= {"unseen": rules, "outside": rules}

    def sent(listed: bool) -> list[Tensor]:
        shape = (count, 1) if upright else (count,)
        return [
            Tensor(entry["name"], kind, shape, plain(values) if listed else values, f"$.inputs[{at}]", True)
            for at, (entry, kind, values) in enumerate(parts)
        ]

    same(asked(agreement, sent(False)), asked(agreement, sent(True)), agreement)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("entry", "dtype"), [(NUMBER, "float64"), (SINGLE, "float32"), (WHOLE, "int64"), (PRICE, "float32")]
)
@settings(max_examples=15, **QUIET)
@supposed(some.data())
def test_one_array_of_all_columns_likewise(
    count: int, entry: Any, dtype: str, drawn: some.DataObject
) -> None:
    fields = [{**entry, "name": name} for name in "abc"]
    agreement = contract("array", *fields, dtype=dtype)
    datatype = drawn.draw(some.sampled_from(list(NUMPY)))
    kind = NUMPY[datatype]
    some_values = REAL if kind[0] == "f" else whole(kind)
    base = drawn.draw(some_values)
    mixed = some.one_of(some.just(base), some.just(base), some_values)
    flat = numpy.array(drawn.draw(some.lists(mixed, min_size=3 * count, max_size=3 * count)), kind)
    tensors = [
        [Tensor("input", datatype, (count, 3), values, "$.inputs[0]")] for values in (flat, flat.tolist())
    ]
    same(asked(agreement, tensors[0]), asked(agreement, tensors[1]), agreement)


def test_clean_columns_stay_arrays() -> None:
    agreement = contract("table", NUMBER, WHOLE, TOWN)
    count = 20
    sent = [
        Tensor("x", "FP32", (count,), numpy.arange(count, dtype="f4"), "$.inputs[0]"),
        Tensor("n", "INT64", (count, 1), numpy.arange(count) + 2**60 - count, "$.inputs[1]"),
        Tensor("town", "BYTES", (count,), ["Ōtsu".encode()] * count, "$.inputs[2]"),
    ]
    rows, warnings = asked(agreement, sent)
    assert isinstance(rows, Columns) and not warnings
    assert [getattr(column, "dtype", None) for column in rows.columns] == ["float64", "int64", None]
    assert rows[3] == (3.0, 2**60 - count + 3, "Ōtsu")
    sent[0].flat[7] = numpy.inf
    (wrong,), _told = asked(agreement, sent)
    assert (wrong.path, wrong.code) == ("$.inputs[0].data[7]", "not_finite")
    alike = contract("table", NUMBER, {**NUMBER, "name": "y"})
    pair = [Tensor(name, "FP32", (10,), numpy.ones(10, "f4"), "$.inputs[0]") for name in "xy"]
    rows, _warnings = asked(alike, pair)
    assert isinstance(rows, Columns) and rows.matrix is not None
    matrix = contract("array", NUMBER, {**NUMBER, "name": "y"})
    rows, _warnings = asked(matrix, [Tensor("input", "FP64", (10, 2), numpy.ones(20), "$.inputs[0]")])
    assert isinstance(rows, Columns) and rows.matrix is not None


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("datatype", ["FP16", "BF16", "FP32"])
def test_narrow_numbers_are_what_they_stand_for(count: int, datatype: str) -> None:
    """1.5 and 0.0999755859375 are exact in 16 bits of either kind, or rounded as the kind has it."""
    wanted = numpy.array([1.5, -3.0, 0.1] * count, "f4")
    if datatype == "BF16":
        raw = (wanted.view("u4") >> 16).astype("<u2")
        wanted = (raw.astype("u4") << 16).view("f4")
    else:
        raw = wanted.astype("<f2" if datatype == "FP16" else "<f4")
        wanted = raw.astype("f4")
    # The bytes stand at an odd place, as behind a request's JSON.
    content = memoryview(b"x" + raw.tobytes())[1:]
    flat = from_bytes(content, datatype, (count, 3), "$.inputs[0]")
    agreement = contract("array", *({**NUMBER, "name": name} for name in "abc"))
    rows, warnings = asked(agreement, [Tensor("input", datatype, (count, 3), flat, "$.inputs[0]")])
    numpy.testing.assert_array_equal(assemble(agreement, rows), wanted.astype("f8").reshape(count, 3))
    assert not warnings
    assert numpy.asarray(rows, "f8").flags.aligned


@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
@settings(max_examples=25, **QUIET)
@supposed(some.data())
def test_tensors_are_the_same_row_by_row(kind: str, dtype: str, drawn: some.DataObject) -> None:
    if (kind == "integer") != (dtype != "float32"):
        return
    agreement = contract("tensor", {**field("x", kind, dtype), "shape": [2, 2]}, dtype=dtype)
    datatype = drawn.draw(some.sampled_from(list(NUMPY)))
    values = REAL if NUMPY[datatype][0] == "f" else whole(NUMPY[datatype])
    flat = numpy.array(drawn.draw(some.lists(values, min_size=12, max_size=12)), NUMPY[datatype])
    tensor = Tensor("x", datatype, (3, 2, 2), flat, "$.inputs[0]")
    reference = Predictor.__new__(Predictor)
    reference.contract = agreement
    got = asked(agreement, [tensor])
    try:
        rows, _warnings = reference.check(list(flat.reshape(3, 2, 2)))
    except InvalidRows as error:
        assert [one.code for one in got[0]] == [one.code for one in error.problems]
        return
    with numpy.errstate(over="ignore"):
        made, wanted = assemble(agreement, got[0]), assemble(agreement, rows)
    assert made.dtype == wanted.dtype
    numpy.testing.assert_array_equal(made, wanted)


# -- data of JSON --------------------------------------------------------------------------------------

LONG = 400
TELLING = [
    [1] * LONG,
    [0.5, 1, -2e3] * LONG,
    [[1, 2]] * LONG,
    [[[1.5], [2.5]]] * LONG,
    [[1, 2]] * LONG + [3, 4],
    [[1, 2], [3]] * LONG,
    [[[1, 2]]] * LONG,
    [2**53 + 1] * LONG,
    [2**63] * LONG,
    [2**64 + 1] * LONG,
    [1.0] * LONG,
    [-0.0] * LONG,
    [None] * LONG,
    [True] * LONG,
    ["1"] * LONG,
    [1] * LONG + [float("nan")],
    [1] * LONG + [float("inf")],
    [1e400] * LONG,
    {"a": [1] * LONG},
    "1" * 3 * LONG,
    [],
]


def from_request(body: bytes, read: Any) -> Any:
    """What becomes of a request's tensors."""
    try:
        made = read(body)
        found = []
        for entry in made["inputs"]:
            shape = tuple(entry["shape"])
            values = from_json(entry.get("data"), entry["datatype"], shape, "$.inputs[0]")
            found.append(repr([*map(float, plain(values))] if "FP" in entry["datatype"] else plain(values)))
        return found, {name: value for name, value in made.items() if name != "inputs"}
    except InvalidRows as error:
        return error.body()
    except (TypeError, OverflowError) as error:  # a gap or a text among the numbers, the same in both
        return type(error)


@pytest.mark.parametrize("values", TELLING)
@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "UINT8", "UINT64", "BOOL", "BYTES", "BF16"])
def test_large_data_are_read_as_json_has_them(values: Any, datatype: str) -> None:
    size = numpy.array(values, dtype=object).size if not isinstance(values, dict) else 1
    for shape in ([size], [size, 1], [size // 2, 2], [size // 2, 2, 1], [LONG], [LONG, 2], [1] * 40, [2**39]):
        entry = {"name": "x", "datatype": datatype, "shape": shape, "data": values, "parameters": {}}
        body = {"id": "京", "inputs": [entry, {**entry, "data": values}], "outputs": [{"name": "p"}]}
        sent = json.dumps(body, ensure_ascii=False).encode()
        assert from_request(sent, data.request) == from_request(sent, read_json)


@settings(max_examples=40, **QUIET)
@supposed(some.binary(min_size=1, max_size=8), some.integers(0, 3000))
@example(b"\xff", 30)
@example(b'"data": [1], ', 30)
def test_bytes_that_are_no_json_are_told_as_ever(odd: bytes, place: int) -> None:
    entry = {"name": "x", "datatype": "FP64", "shape": [LONG], "data": [1.5] * LONG}
    body = json.dumps({"inputs": [entry]}).encode()
    body = body[:place] + odd + body[place:]

    def told(read: Any) -> Any:
        try:
            return from_request(body, read)
        except (KeyError, AttributeError) as error:
            return type(error)

    assert told(data.request) == told(read_json)


def test_numbers_of_a_large_request_are_an_array() -> None:
    values = [[n / 7, n] for n in range(LONG)]
    for sent in (values, [n for row in values for n in row]):
        entry = {"name": "x", "datatype": "FP32", "shape": [LONG, 2], "data": sent}
        found = data.request(json.dumps({"inputs": [entry]}).encode())["inputs"][0]["data"]
        assert hasattr(found, "dtype") is (reader() is not None)
        assert numpy.ravel(found).tolist() == numpy.ravel(values).tolist()
