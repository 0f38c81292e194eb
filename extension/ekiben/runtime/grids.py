"""Bodies that are one grid of numbers, from the bytes to an array: no Python object a number.

simdjson reads the numbers, to the digit as Python does. What it does not say, that they are nested as the
contract has them and that nothing else is in the body, the marks between them tell: what is left of such a
body without its digits is the same for all bodies of as many rows. Whatever is otherwise is None here and
goes another way (``decode.py``).
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
    row = b""
    for size in reversed(shape):
        row = b"[" + b",".join([row] * size) + b"]"
    opening = json.dumps({key: 0}).encode().translate(None, NUMBERS)[:-1]
    one = len(row) + 1
    letter, dtype = LETTERS[kind], DTYPES[kind]
    mine = local()

    def read(body: bytes) -> Any:
        if len(body) < LEAST:
            return None
        marks = body.translate(None, NUMBERS)
        count = (len(marks) - len(opening) - 2) // one
        if count < 1 or marks != b"%b[%b]}" % (opening, b",".join([row] * count)):
            return None
        if len(body) > KEPT:
            parser = simdjson.Parser()
        else:
            parser = getattr(mine, "parser", None) or simdjson.Parser()
            mine.parser = parser
        try:
            numbers = parser.parse(body)[key].as_buffer(of_type=letter)
        except (ValueError, TypeError, KeyError, RuntimeError):
            return None
        return numpy.frombuffer(numbers, dtype).reshape(count, *shape)

    return read
