"""Many rows through deep trees: every row in every tree is a lane, and all lanes go down a level at a time.

ONNX Runtime walks row by row, and at each node its processor guesses the way and is wrong half of the time.
Here nothing is guessed: a node and what it asks of a row are fetched, and their sum is the next node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

#: Rows at once, and bits of a number, as the words were written.
ROWS, NUMBER = 128, 32
#: Levels between looks at who has arrived, and steps that are left from which on nobody looks any more.
EVERY, FEW = 3, 3000


def by_lanes(node: dict[str, Any], wide: int) -> Callable[[Any], list[Any]]:
    """A function from rows (n × ``wide``) to the numbers of their leaves (trees × rows), in blocks of rows."""
    columns, bits, gaps = node["columns"], node["bits"], node["gaps"]
    every = columns.tolist() == list(range(wide))
    leaf = node["leaf"].astype(numpy.intp)
    bounds = [first for first, *_rest in node["groups"]] + [len(leaf)]
    groups = [
        (node["words"][first:last], leaf[first:last], *rest)
        for first, last, (_first, *rest) in zip(bounds[:-1], bounds[1:], node["groups"], strict=True)
    ]
    width = len(columns) * (2 if gaps else 1)

    def block(x: Any) -> Any:
        x = (x if every else x.take(columns, axis=1)).astype("float32")
        keys = numpy.zeros((width + 1, ROWS), dtype=numpy.int64)
        keys[:width, : len(x)] = _both(x.T) if gaps else ordered(x.T)
        keys <<= bits
        flat = keys.reshape(-1)
        places = [
            leaf.take(_walked(words, flat, trees, len(x), levels, soon, bits)).reshape(trees, -1)
            for words, leaf, trees, levels, soon in groups
        ]
        return places[0] if len(places) == 1 else numpy.concatenate(places)

    return lambda x: [block(x[at : at + ROWS]) for at in range(0, len(x), ROWS)]


def ordered(x: Any) -> Any:
    """The place of each 32-bit number among all of them, from 0 to 2³² - 1, which is a gap's.

    IEEE 754 numbers are in the order of their bits, but that the negative ones go down.
    """
    bits = numpy.ascontiguousarray(x + numpy.float32(0.0)).view("int32").astype("int64")  # -0.0 is 0.0
    found = numpy.where(bits < 0, ~bits, bits + (1 << NUMBER - 1))
    found[x != x] = (1 << NUMBER) - 1
    return found


def _both(x: Any) -> Any:
    """The same twice: where a gap is above all numbers, and where it is below them."""
    found = ordered(x)
    return numpy.concatenate((found, numpy.where(x != x, 0, found)))


def _walked(words: Any, keys: Any, trees: int, rows: int, levels: int, soon: int, bits: int) -> Any:
    """The places of the leaves, tree by tree; lanes that have arrived are let go from time to time."""
    arrived, mask, shift = len(keys) - ROWS, (1 << bits) - 1, NUMBER + bits
    here = numpy.repeat(numpy.arange(trees), rows)
    row = numpy.tile(numpy.arange(rows), trees)
    found, lanes = here, None
    for level in range(levels):
        word = words.take(here, mode="clip")
        asked = word & mask
        asked += row
        if level == soon and len(here) * (levels - level) > FEW:
            soon += EVERY
            going = numpy.flatnonzero(asked < arrived)
            if lanes is None:
                found, lanes = here, going
            else:
                found[lanes] = here
                lanes = lanes.take(going)
            word, asked, row = word.take(going), asked.take(going), row.take(going)
        word += keys.take(asked, mode="clip")
        word >>= shift
        here = word
    if lanes is None:
        return here
    found[lanes] = here
    return found
