"""Bodies that are one grid of numbers, from the bytes to an array: no Python object a number.

simdjson reads the numbers, to the digit as Python does. What it does not say, that they are nested as the
contract has them and that nothing else is in the body, the marks between them tell: what is left of such a
body without its digits is the same for all bodies of as many rows. Whatever is otherwise is None here and
goes another way (``decode.py``, ``protocols/data.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from threading import local
from typing import Any

#: Bodies shorter than this are read as quickly without.
LEAST = 1024
#: A parser keeps what the largest body took; beyond this it is made anew each time.
KEPT = 1 << 20
#: All that numbers and the room between marks are made of.
NUMBERS = b"0123456789+-.eE \t\r\n"
#: simdjson's letters for 64 bits, real and whole.
LETTERS = {"number": "d", "integer": "i"}
DTYPES = {"number": "float64", "integer": "int64"}


_mine = local()


def _parsed(simdjson: Any, body: Any) -> Any:
    """A document, which is good until the thread's next."""
    if len(body) > KEPT:
        return simdjson.Parser().parse(body)
    parser = getattr(_mine, "parser", None)
    if parser is None:
        parser = _mine.parser = simdjson.Parser()
    return parser.parse(body)


def _marks(shape: Sequence[int]) -> bytes:
    """What is left of a nested list of numbers without the numbers."""
    made = b""
    for size in reversed(shape):
        made = b"[" + b",".join([made] * size) + b"]"
    return made


def reader() -> Callable[[bytes, Sequence[int], str], Any] | None:
    """A function from a list of numbers in JSON to them (n,): flat, or nested as ``shape``; None where not so.

    Its last argument is the kind, as in ``grid``. None where there is no simdjson.
    """
    try:
        import numpy

        simdjson: Any = import_module("simdjson")
    except (ImportError, RuntimeError):
        return None

    def read(data: bytes, shape: Sequence[int], kind: str) -> Any:
        count = 1
        for size in shape:
            count *= size
        if len(data) < LEAST or not 0 < count < len(data):
            return None
        marks = data.translate(None, NUMBERS)
        if marks != b"[%b]" % (b"," * (count - 1)) and (len(shape) < 2 or marks != _marks(shape)):
            return None
        try:
            numbers = _parsed(simdjson, data).as_buffer(of_type=LETTERS[kind])
        except (ValueError, TypeError, AttributeError, RuntimeError):
            return None
        return numpy.frombuffer(numbers, DTYPES[kind])

    return read


def grid(key: str, shape: Sequence[int], kind: str) -> Callable[[bytes], Any] | None:
    """A function from a body ``{key: rows}`` to its numbers, n × shape; to None where it is not just that.

    ``kind`` is ``number`` (float64) or ``integer`` (int64). None where there is no simdjson.
    """
    try:
        import numpy

        simdjson: Any = import_module("simdjson")
    except (ImportError, RuntimeError):  # RuntimeError: it is there and does not load
        return None
    if kind not in LETTERS or not shape or 0 in shape:
        return None
    row = _marks(shape)
    opening = json.dumps({key: 0}).encode().translate(None, NUMBERS)[:-1]
    one = len(row) + 1
    letter, dtype = LETTERS[kind], DTYPES[kind]

    def read(body: bytes) -> Any:
        if len(body) < LEAST:
            return None
        marks = body.translate(None, NUMBERS)
        count = (len(marks) - len(opening) - 2) // one
        if count < 1 or marks != b"%b[%b]}" % (opening, b",".join([row] * count)):
            return None
        try:
            numbers = _parsed(simdjson, body)[key].as_buffer(of_type=letter)
        except (ValueError, TypeError, KeyError, RuntimeError):
            return None
        return numpy.frombuffer(numbers, dtype).reshape(count, *shape)

    return read
