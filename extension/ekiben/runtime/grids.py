"""Bodies that are one grid of numbers, from the bytes to an array: no Python object a number.

simdjson reads the numbers, to the digit as Python does. What it does not say at once, that they are nested as
the contract has them and that nothing else is in the body, the marks between them tell: what is left of such a
body without its digits is the same for all bodies of as many rows. Where a row's innermost lists are long, it
is quicker to ask simdjson for the length of each, and to count the brackets, so that no number is a list in
disguise. A large body is read by some rows at a time: the pieces stay in the processor's cache, and other
threads have their turn in between. Whatever is otherwise is None here and goes another way (``decode.py``,
``protocols/data.py``).
"""

from __future__ import annotations

import json
import re
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
#: Bodies longer than twice this many bytes are read in such pieces, or a row at a time where it is longer.
PIECE = 1 << 16
#: Innermost lists of so many numbers are counted by simdjson.
WIDE = 24
SPACE = b" \t\r\n"
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


def grid(key: str, shape: Sequence[int], kind: str, dtype: Any = None) -> Callable[[bytes], Any] | None:
    """A function from a body ``{key: rows}`` to its numbers, n × shape; to None where it is not just that.

    ``kind`` is ``number`` (float64) or ``integer`` (int64); ``dtype`` is what they shall become, where it is
    another (what is too large for it is infinite). None where there is no simdjson.
    """
    try:
        import numpy

        simdjson: Any = import_module("simdjson")
    except (ImportError, RuntimeError):  # RuntimeError: it is there and does not load
        return None
    if kind not in LETTERS or not shape or 0 in shape:
        return None
    letter, read_as = LETTERS[kind], DTYPES[kind]
    dtype = numpy.dtype(dtype or read_as)
    nested = _lengths(shape) if shape[-1] >= WIDE else _outline(shape)
    single = json.dumps({key: 0}).encode().translate(None, NUMBERS)[:-1], b"}"
    closing = b"]" * len(shape)
    begins, ends, goes_on = _edges(key)

    def read(body: bytes) -> Any:
        if len(body) < LEAST:
            return None
        if len(body) > 2 * PIECE:
            return pieces(body)
        try:
            document = _parsed(simdjson, body)
            return array(document[key], body, single) if len(document) == 1 else None
        except (ValueError, TypeError, KeyError, RuntimeError):
            return None

    def array(rows: Any, text: bytes, around: tuple[bytes, bytes]) -> Any:
        count = nested(rows, text, around)
        if not count:
            return None
        found = numpy.frombuffer(rows.as_buffer(of_type=letter), read_as)
        if dtype == read_as:
            return found.reshape(count, *shape)
        with numpy.errstate(over="ignore"):
            return found.reshape(count, *shape).astype(dtype)

    def piece(text: bytes) -> Any:
        try:
            return array(_parsed(simdjson, text), text, (b"", b""))
        except (ValueError, TypeError, RuntimeError):
            return None

    def pieces(body: bytes) -> Any:
        begin, last = begins(body), ends(body[-LEAST:])
        if not begin or not last:
            return None
        at, end = begin.end(), max(0, len(body) - LEAST) + last.start()
        found = []
        while True:
            cut = body.find(closing, at + PIECE, end)
            cut = end if cut < 0 else cut + len(closing)
            found.append(piece(b"[%b]" % body[at:cut]))
            if found[-1] is None:
                return None
            more = goes_on(body, cut, end)
            if not more:
                return None if body[cut:end].strip(SPACE) else numpy.concatenate(found)
            at = more.end()

    return read


def _edges(key: str) -> tuple[Any, Any, Any]:
    """Patterns of what is before the first row, after the last, and between two."""
    room = rb"[ \t\r\n]*"
    name = re.escape(json.dumps(key).encode())
    before = re.compile(room.join([b"", rb"\{", name, b":", rb"\["]))
    after = re.compile(room.join([rb"\]", rb"\}", rb"\Z"]))
    return before.match, after.search, re.compile(room + b",").match


#: A function from rows, the text that has them and the marks around them there, to how many there are; to 0 where
#: they are not nested as they should be.
Nested = Callable[[Any, bytes, tuple[bytes, bytes]], int]


def _outline(shape: Sequence[int]) -> Nested:
    """What is left of the text without its digits is what it should be."""
    row = _marks(shape)
    one = len(row) + 1

    def nested(rows: Any, text: bytes, around: tuple[bytes, bytes]) -> int:
        marks = text.translate(None, NUMBERS)
        count = (len(marks) - len(around[0]) - len(around[1]) - 1) // one
        # What it should be is no longer than what it is.
        same = count and marks == b"%b[%b]%b" % (around[0], b",".join([row] * count), around[1])
        return count if same else 0

    return nested


def _lengths(shape: Sequence[int]) -> Nested:
    """Each list has its length, and there are no more of them; simdjson says whether the rest are numbers."""
    import numpy

    lists = 0
    for size in reversed(shape[:-1]):
        lists = size * (1 + lists)
    lists += 1

    def even(level: Any, sizes: Sequence[int]) -> bool:
        if set(map(len, level)) != {sizes[0]}:
            return False
        return len(sizes) == 1 or all(even(inner, sizes[1:]) for inner in level)

    def nested(rows: Any, text: bytes, around: tuple[bytes, bytes]) -> int:
        count = len(rows)
        opened = numpy.count_nonzero(numpy.frombuffer(text, "uint8") == ord("["))
        return count if opened == 1 + count * lists and even(rows, shape) else 0

    return nested
