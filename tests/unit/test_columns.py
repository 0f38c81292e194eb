"""Many rows by column are the rows that the reference way hands on, to the last bit, whoever takes them."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pytest
from ekiben.converters.program_runner.steps import make
from ekiben.runtime.columns import MANY, Columns, joined
from ekiben.runtime.decode import decoder
from ekiben.runtime.engine import _encoder
from ekiben.runtime.predictor import Predictor, assemble, dumps, parse
from ekiben.runtime.problems import InvalidRows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from test_decode import AGE, PRICE, SEEN, TOWN, contract, field

QUIET = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
COUNTS = some.sampled_from([1, MANY - 1, MANY, MANY + 1])

NUMBER = field("x", "number", "float64", minimum=-1e6, maximum=1e6)
SINGLE = field("y", "number", "float32", minimum=-3e38, maximum=3e38)
WHOLE = field("n", "integer", "int64", minimum=-(2**60), maximum=2**60)
WIDE = field("u", "integer", "uint64", minimum=0, maximum=2**64 - 1)
GAPPED = field("g", "integer", "Int64", nullable=True, minimum=0, maximum=9)
FLAG = field("flag", "boolean", "bool")
NOTE = field("note", "text", "object")
CLASS = field("class", "category", "int64", categories=[1, 2, 3])
GRADE = field("grade", "category", "object", categories=["a", "b", "null"], nullable=True)
MOMENT = field("moment", "datetime", "datetime64[ns, UTC]", nullable=True)

CLEAN: dict[str, some.SearchStrategy[Any]] = {
    "age": some.integers(0, 99),
    "the price": some.none() | some.floats(0.5, 9.5, width=32) | some.integers(1, 9),
    "town": some.sampled_from(["Ōtsu", "Kobe"]),
    "seen": some.just("2026-01-02T03:04:05.25"),
    "x": some.floats(-1e6, 1e6) | some.integers(-1000, 1000) | some.just(-0.0),
    "y": some.floats(-1e30, 1e30) | some.just(0.1) | some.just(-0.0),
    "n": some.integers(-(2**60), 2**60),
    "u": some.integers(0, 2**64 - 1),
    "g": some.none() | some.integers(0, 9),
    "flag": some.booleans(),
    "note": some.text(some.characters(codec="utf-8"), max_size=5),
    "class": some.sampled_from([1, 2, 3]),
    "grade": some.sampled_from(["a", "b", "null", None]),
    "moment": some.none() | some.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+02:00"]),
}
NUMBERS = [
    1.5,
    1.0,
    0,
    -1,
    100,
    10**30,
    -(10**400),
    2**63,
    2**64,
    1e308,
    3.5e38,
    -0.0,
    float("nan"),
    float("inf"),
]
OTHERS = [None, True, "1", "Kobe", "", [1], [], {}, {"a": 1}, "2026-01-02", "a" * 50, "\ud800"]
ODD = some.sampled_from([*NUMBERS, *OTHERS])
FIELDS = [AGE, PRICE, TOWN, SEEN, NUMBER, SINGLE, WHOLE, WIDE, GAPPED, FLAG, NOTE, CLASS, GRADE, MOMENT]
TABLES = {
    "all": contract("table", *FIELDS),
    "numbers": contract("table", NUMBER, SINGLE),
    "whole numbers": contract("table", AGE, WHOLE),
    "both": contract("table", WHOLE, NUMBER, AGE),
    "records": contract("records", AGE, PRICE, TOWN, FLAG, NOTE),
    "no number": contract("table", TOWN, NOTE, FLAG, GRADE),
    "one": contract("table", NUMBER),
}


def reference(agreement: dict[str, Any]) -> Predictor:
    made = Predictor.__new__(Predictor)
    made.contract = agreement
    return made


def told(data: Any) -> Any:
    """What a model would see of it: types, bits and all."""
    if hasattr(data, "columns"):
        return {name: (str(data[name].dtype), [repr(one) for one in data[name].tolist()]) for name in data}
    if hasattr(data, "tobytes"):
        return data.dtype, data.shape, data.flags.c_contiguous, data.tobytes()
    return [repr(one) for one in data]


def floats(agreement: dict[str, Any], rows: list[Any]) -> list[Any]:
    """The same rows with 10**30 as 1e30 where a field is a number: the decoder reads the double at once."""
    real = [entry["kind"] == "number" for entry in agreement["inputs"]]
    return [
        tuple(
            float(value) if it and value is not None else value for it, value in zip(real, row, strict=True)
        )
        for row in rows
    ]


def hold(agreement: dict[str, Any], body: str, clean: bool) -> None:
    """Decoded rows are those of the reference way; they are where nothing odd was sent."""
    decode = decoder(agreement)
    assert decode is not None
    found = decode(body.encode("utf-8", "surrogatepass"))
    if found is None:
        assert not clean, body
        return
    try:
        wanted, warnings = reference(agreement).check(parse(body.encode()))
    except InvalidRows as error:
        raise AssertionError(body) from error
    assert not warnings, body
    values = floats(agreement, wanted)
    assert len(found) == len(wanted) and [tuple(row) for row in found] == values
    assert [tuple(found[at]) for at in range(len(found))] == values
    assert [tuple(row) for row in found[1:4]] == values[1:4]
    expected = told(assemble(agreement, wanted))
    assert told(assemble(agreement, found)) == expected
    twice = told(assemble(agreement, [*wanted, *wanted[:1]]))
    assert told(assemble(agreement, joined([found, found[:1]]))) == twice
    assert told(assemble(agreement, joined([found, wanted[:1]]))) == twice


def spelled(row: list[tuple[str, Any]]) -> str:
    """An object with its names in this order, one twice where it is listed twice."""
    return "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in row) + "}"


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=25, **QUIET)
@given(data=some.data())
def test_tables_by_column_are_those_of_the_reference_way(name: str, data: some.DataObject) -> None:
    agreement = TABLES[name]
    names = [entry["name"] for entry in agreement["inputs"]]
    row = some.tuples(
        *(some.tuples(some.just(one), CLEAN[one]) for one in data.draw(some.permutations(names)))
    )
    count = data.draw(COUNTS)
    rows = [list(one) for one in data.draw(some.lists(row, min_size=count, max_size=count))]
    hold(agreement, f'{{"rows": [{",".join(map(spelled, rows))}]}}', clean=True)
    changed = rows[data.draw(some.integers(0, len(rows) - 1))]
    at = data.draw(some.integers(0, len(changed) - 1))
    kind = data.draw(some.sampled_from(["odd", "missing", "extra", "twice", "no object"]))
    if kind == "odd":
        changed[at] = (changed[at][0], data.draw(ODD))
    elif kind == "missing":
        del changed[at]
    elif kind == "extra":
        changed.append(("another", 1))
    elif kind == "twice":
        changed.append((changed[at][0], data.draw(CLEAN[changed[at][0]] | ODD)))
    listed = [spelled(row) for row in rows]
    if kind == "no object":
        listed[-1] = json.dumps(data.draw(ODD))
    hold(agreement, f'{{"rows": [{",".join(listed)}]}}', clean=False)


@pytest.mark.parametrize("entry", [SINGLE, NUMBER, WHOLE, AGE], ids=lambda entry: entry["dtype"])
@settings(max_examples=25, **QUIET)
@given(data=some.data())
def test_arrays_by_column_are_those_of_the_reference_way(
    entry: dict[str, Any], data: some.DataObject
) -> None:
    agreement = contract("array", *[{**entry, "name": str(n)} for n in range(3)], dtype=entry["dtype"])
    rows = [[data.draw(CLEAN[entry["name"]]) for _n in range(3)] for _row in range(data.draw(COUNTS))]
    hold(agreement, json.dumps({"rows": rows}), clean=True)
    changed = rows[data.draw(some.integers(0, len(rows) - 1))]
    if data.draw(some.booleans()):
        changed[data.draw(some.integers(0, 2))] = data.draw(ODD)
    else:
        changed[2:] = [data.draw(ODD)] * data.draw(some.sampled_from([0, 2]))
    hold(agreement, json.dumps({"rows": rows}), clean=False)


def test_tensors_stay_one_array_that_a_model_may_write_into() -> None:
    agreement = contract("tensor", field("x", "number", "float32", shape=[2, 1]), dtype="float32")
    decode = decoder(agreement)
    assert decode is not None
    rows = [[[n / 3], [0.1]] for n in range(9)]
    found = decode(json.dumps({"rows": rows}).encode())
    wanted, _warnings = reference(agreement).check(rows)
    assert found is not None and told(assemble(agreement, found)) == told(assemble(agreement, wanted))
    both = joined([found, found[:2]])
    assert told(assemble(agreement, both)) == told(assemble(agreement, [*wanted, *wanted[:2]]))
    kept = found.tobytes()
    assemble(agreement, found)[:] = 7
    assert found.tobytes() == kept


# -- the steps of a form that take rows ----------------------------------------------------------------

GAPS = some.none() | some.floats(-9, 9)
WORDS = some.sampled_from(["a", "b", "c", None])
TABLE = [["a", [[0, 1.0]]], ["b", [[1, 1.0]]], [None, [[2, 0.5]]]]
STEPS: dict[str, dict[str, Any]] = {
    "numbers": {"op": "numbers", "take": [2, 0], "dtype": "float64", "narrow": None, "gaps": True},
    "narrow": {"op": "numbers", "take": [0, 2], "dtype": "float64", "narrow": [1], "gaps": True},
    "single": {"op": "numbers", "take": [0], "dtype": "float32", "narrow": None, "gaps": True},
    "lookup": {
        "op": "lookup",
        "columns": [
            {"at": 1, "table": TABLE, "unknown": []},
            {"at": 3, "table": [[1, [[4, 2.0]]], [2, [[3, -1.0], [6, 3.0]]]], "unknown": [[3, float("nan")]]},
        ],
        "width": 7,
        "base": None,
    },
    "based": {
        "op": "lookup",
        "columns": [{"at": 1, "table": TABLE, "unknown": [[0, 9.0]]}],
        "width": 3,
        "base": numpy.array([5.0, 6.0, 7.0]),
    },
    "overlapping": {
        "op": "lookup",
        "columns": [{"at": at, "table": TABLE, "unknown": []} for at in (1, 1)],
        "width": 3,
        "base": None,
    },
    "filled": {
        "op": "chain",
        "steps": [
            {"op": "fill", "values": [0.25, "b", None, 1]},
            {"op": "select", "take": [2, 0]},
            {"op": "numbers", "take": None, "dtype": "float64", "narrow": None, "gaps": True},
        ],
    },
}


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=30, **QUIET)
@given(rows=some.lists(some.tuples(GAPS, WORDS, some.floats(-9, 9), some.integers(1, 3)), min_size=MANY))
def test_a_step_makes_the_same_of_rows_few_or_many_or_by_column(name: str, rows: list[Any]) -> None:
    step = make(STEPS[name])
    one_by_one = numpy.concatenate([step([row]) for row in rows])
    columns = list(zip(*rows, strict=True))
    arrays = [columns[0], columns[1], numpy.array(columns[2]), numpy.array(columns[3])]
    for given_rows in (rows, Columns(columns), Columns(arrays)):
        made = step(given_rows)
        assert made.dtype == one_by_one.dtype and made.flags.c_contiguous
        assert made.tobytes() == one_by_one.tobytes()


@pytest.mark.parametrize("count", [1, MANY])
def test_an_unknown_category_is_named(count: int) -> None:
    column = {"at": 0, "table": TABLE, "unknown": None}
    step = make({"op": "lookup", "columns": [column], "width": 3, "base": None})
    with pytest.raises(ValueError, match="unknown category 'z'"):
        step([("a",)] * (count - 1) + [("z",)])


@pytest.mark.parametrize(
    ("values", "short"),
    [
        (numpy.array([0.1, -0.0, 5e-324, 1.7976931348623157e308]), True),
        (numpy.array([[0.1, 0.2]], dtype="float32"), True),
        (numpy.array([2**63 - 1, -1]), True),
        (numpy.array(["null", "é"], dtype=object), True),
        (numpy.array(["null", "é"]), True),
        (numpy.array([0.1, numpy.nan]), False),
        (numpy.array([0.1, numpy.inf]), False),
        (numpy.array([1, "a"], dtype=object), False),
        ([0.1], False),
    ],
)
def test_an_answer_written_the_short_way_reads_as_the_long_ways(values: Any, short: bool) -> None:
    made = reference({"classes": ["a", "é"]})
    written = _encoder(made.contract["classes"])({"predictions": values})
    assert (written is not None) == short
    if written is not None:
        long = dumps(made.body({"predictions": values}, []))
        assert repr(json.loads(written)) == repr(json.loads(long))


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 20])
@pytest.mark.parametrize("rows", [1, 31, 32, 100])
def test_shares_of_many_rows_are_those_of_each(rows: int, columns: int) -> None:
    x = numpy.random.default_rng(rows * columns).normal(scale=5, size=(rows, columns))
    x[0, 0] = 800.0
    shares = make({"op": "apply", "function": "softmax"})
    together = shares(x)
    alone = numpy.concatenate([shares(row[None]) for row in x])
    numpy.testing.assert_allclose(together, alone, rtol=1e-14)
    assert together.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("whole", [True, False])
def test_signed_and_unsigned_requests_share_a_call_without_becoming_doubles(whole: bool) -> None:
    large = 2**60 + 1
    matrices = [numpy.full((MANY, 2), large, dtype) for dtype in ("int64", "uint64")]
    shared = joined([Columns(matrix.T, matrix if whole else None) for matrix in matrices])
    assert len(shared) == 2 * MANY
    assert {value for row in shared for value in row} == {large}
    alike = joined([Columns(matrices[0].T, matrices[0]), Columns(matrices[0].T, matrices[0])])
    assert alike.matrix.dtype == "int64"
