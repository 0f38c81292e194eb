"""A grid of numbers is read to the digit, and only a grid of numbers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy
import pytest
from ekiben.runtime.columns import Columns
from ekiben.runtime.decode import decoder
from ekiben.runtime.grids import PIECE, grid
from ekiben.runtime.predictor import Predictor
from test_decode import contract, field, read

REAL = field("x", "number", "float32", shape=[3, 4, 40])
WHOLE = field("x", "integer", "uint8", shape=[3, 4, 40])
LISTS = [field(str(n), "number", "float64", minimum=-50.0, maximum=50.0) for n in range(30)]
DIGITS = [0, -1, 7, 0.5, -0.0, 1e-7, 3.4e38, 0.1 + 0.2, 2**53 + 1, 1.7976931348623157e30, 5e-324]


def nested(size: int, width: int, value: Any) -> list[Any]:
    """Rows of 3 × 4 × ``width`` numbers, ``value(n)`` each."""
    return [
        [[[value(place) for place in range(width)] for _ in range(4)] for _ in range(3)] for _ in range(size)
    ]


def reference(agreement: dict[str, Any], rows: Any) -> Any:
    predictor = Predictor.__new__(Predictor)
    predictor.contract = agreement
    return predictor.data(predictor.check(rows)[0])


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")])
@pytest.mark.parametrize("size", [1, 3, 90])
def test_a_grid_of_numbers_is_read_to_the_digit(size: int, separators: tuple[str, str]) -> None:
    agreement = contract("tensor", REAL, dtype="float32")
    rows = nested(size, 40, lambda place: DIGITS[place % len(DIGITS)])
    body = json.dumps({"rows": rows}, separators=separators).encode()
    read_quickly = grid("rows", REAL["shape"], "number")
    assert read_quickly is not None
    assert numpy.array_equal(read_quickly(body), numpy.array(rows, dtype="float64"))
    found = decoder(agreement)(body)
    assert found.dtype == "float32"
    assert numpy.array_equal(found, reference(agreement, rows))
    other = json.dumps({"rows": nested(size, 40, lambda place: 9)}).encode()
    kept = found.copy()
    read_quickly(other)
    assert numpy.array_equal(found, kept)  # it is not the parser's memory


def test_whole_numbers_stay_whole_and_within_their_dtype() -> None:
    agreement = contract("tensor", WHOLE, dtype="uint8")
    rows = nested(2, 40, lambda place: place % 256)
    assert numpy.array_equal(read(agreement, rows), rows)
    assert read(agreement, nested(2, 40, lambda place: 256 if place == 39 else 0)) is None
    assert read(agreement, nested(2, 40, lambda place: -1 if place == 39 else 0)) is None
    assert read(agreement, nested(2, 40, lambda place: 1.5 if place == 39 else 0)) is None


@pytest.mark.parametrize("count", [9, 200])
def test_many_rows_of_numbers_are_columns(count: int) -> None:
    agreement = contract("array", *LISTS)
    rows = [[(row * 30 + place) % 97 - 48.5 for place in range(30)] for row in range(count)]
    found = read(agreement, rows)
    assert isinstance(found, Columns) and found.matrix is not None
    assert [list(row) for row in found] == rows
    assert numpy.array_equal(Predictor.data(_at(agreement), found), reference(agreement, rows))
    rows[count - 1][29] = 50.1
    assert read(agreement, rows) is None


def _at(agreement: dict[str, Any]) -> Predictor:
    predictor = Predictor.__new__(Predictor)
    predictor.contract = agreement
    return predictor


def spoiled(body: str) -> list[str]:
    """What is no grid of rows 3 × 4 × 40, at the beginning of ``body`` and at its end."""
    last = body.rindex("0.25")
    return [
        body.replace("0.25", "null", 1),
        body.replace("0.25", "true", 1),
        body.replace("0.25", '"0.25"', 1),
        body.replace("0.25", "[0.25]", 1),
        body.replace("0.25", "0.25, 0.25", 1),
        body.replace("0.25", "00.25", 1),
        body.replace("0.25", ".25", 1),
        body.replace("0.25", "0.25.", 1),
        body.replace("0.25", "0.2 5", 1),
        body.replace("0.25", "+0.25", 1),
        body.replace("0.25", "1e400", 1),
        body.replace("0.25", "NaN", 1),
        body.replace("0.25", "", 1),
        body.replace("]], [[", "], [", 1),
        body[:-1] + ', "rows": [1]}',
        body[:-1] + ', "more": 1}',
        body + body,
        body.replace("rows", "row5"),
        body.replace("rows", "r ows"),
        body[:-1],
        json.dumps({"rows": [] * 2000}) + " " * 2000,
        *(body[:last] + value + body[last + 4 :] for value in ("null", '"', "[0.25]", "1, 2", "{}", "")),
        body[:last] + "[], [1, 2]" + body[last + 10 :],
        body[:last] + "0.25]]]" + body[last + 4 :],
        body.replace("0.25], [0.25, ", "0.25, 0.25], [", 1),
        body[:-2] + ",]}",
        body[:-2] + "1]}",
        body[:-1] + "]",
        body + "]}",
        body.replace("]]], [[[", "]]] [[["),
        body.replace("]]], [[[", "]]],, [[["),
        body.replace("]]], [[[", "]]], 7, [[["),
    ]


#: A body that is read at once, and one that is read in pieces.
SHORT, LONG = (json.dumps({"rows": nested(size, 40, lambda place: 0.25)}) for size in (2, 90))


@pytest.mark.parametrize("body", [*spoiled(SHORT), *spoiled(LONG)])
def test_what_is_no_such_grid_is_left_to_the_other_ways(body: str) -> None:
    assert len(SHORT) < 2 * PIECE < len(LONG)
    read_quickly = grid("rows", REAL["shape"], "number")
    assert read_quickly is not None
    assert read_quickly(SHORT.encode()) is not None and read_quickly(LONG.encode()) is not None
    assert read_quickly(body.encode()) is None


@pytest.mark.parametrize("shape", [[3], [3, 2], [40], [2, 40]])
@pytest.mark.parametrize("indent", [None, 1])
def test_pieces_are_put_together(shape: list[int], indent: int | None) -> None:
    rows = numpy.arange(60_000 * 4, dtype="float64").reshape(-1, *shape)
    body = json.dumps({"rows": rows.tolist()}, indent=indent).encode()
    assert len(body) > 8 * PIECE
    assert grid("rows", shape, "integer")(body) is None
    whole = json.dumps({"rows": rows.astype("int64").tolist()}, indent=indent).encode()
    for kind, dtype in (("number", "float64"), ("integer", "int64")):
        found = grid("rows", shape, kind)(whole)
        assert found.dtype == dtype and numpy.array_equal(found, rows)
    found = grid("rows", shape, "number", "float16")(body + b" \n")
    assert found.dtype == "float16" and numpy.isinf(found).any()
    with numpy.errstate(over="ignore"):
        assert numpy.array_equal(found, rows.astype("float16"))
    # A row that is short of a number, and one that has what the other lacks.
    last = body.rindex(b"9.0")
    assert grid("rows", shape, "number")(body[:last] + b"9.0,1" + body[last + 3 :]) is None


def test_a_grid_is_read_in_many_threads_at_once() -> None:
    read_quickly = grid("rows", REAL["shape"], "number")
    assert read_quickly is not None
    bodies = [json.dumps({"rows": nested(1, 40, lambda place, n=n: n)}).encode() for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for found in (threads.submit(read_quickly, bodies[turn % 8]) for turn in range(200)):
            assert found.result() is not None
        told = list(threads.map(lambda turn: read_quickly(bodies[turn % 8]).max(), range(400)))
    assert told == [turn % 8 for turn in range(400)]
