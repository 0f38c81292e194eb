"""Many rows through trees at once: a node's answers to 64 rows are the bits of one number.

All nodes of a level are answered together for all trees: of the rows that reach a node, those it leads left,
and the others. Which rows reach a leaf is then told for each bit of the leaves' numbers, and those bits are
put together row by row (the bits of many numbers side by side are called planes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .cuts import levels

#: Bytes that what is worked on should not exceed, and 64s of rows at least and at most.
BYTES, FEWEST, MOST = 3 * 2**19, 2, 32
#: Lines a column from which on numbers are looked up among them.
DENSE = 60


def by_planes(node: dict[str, Any]) -> Callable[[Any], list[Any]]:
    """A function from rows (n × k) to the numbers of their leaves (trees × rows), in blocks of rows."""
    ask, rounds = asking(node), levels(node)
    leaves = node["leaves"]
    trees, nodes = len(leaves), int(node["sizes"].sum())
    first = numpy.cumsum(leaves) - leaves
    depth = max(1, int(leaves.max() - 1).bit_length())
    # Where each leaf's rows are, by its number in its tree; what a tree has not is reached by none.
    slots = numpy.full((1 << depth, trees), 2 * nodes, dtype=numpy.intp)
    tree = numpy.repeat(numpy.arange(trees), leaves)
    slots[numpy.arange(len(tree)) - first[tree], tree] = node["places"]
    order = slots.reshape(-1)
    wide = [spread(plane) for plane in range(min(depth, 8))]
    most = BYTES // (64 * len(node["cuts"]) + 8 * (3 * nodes + len(order)))
    size = 64 * min(MOST, max(FEWEST, most))
    first = first[:, None]

    def block(x: Any) -> Any:
        told = ask(x)
        words = told.shape[1]
        reached = numpy.empty((2 * nodes + 1, words), dtype=numpy.uint64)
        reached[-1] = 0
        here = numpy.full((trees, words), ~numpy.uint64(0))
        for begin, count, inner in rounds:
            left = reached[2 * begin : 2 * begin + count]
            numpy.bitwise_and(here, told[begin : begin + count], out=left)
            numpy.bitwise_xor(here, left, out=reached[2 * begin + count : 2 * (begin + count)])
            here = reached.take(inner, axis=0)
        halves = reached.take(order, axis=0).reshape(1 << depth, -1)
        places = numpy.zeros((trees, 64 * words), dtype=numpy.uint8 if depth <= 8 else numpy.uint32)
        eights = places.view(numpy.uint64) if depth <= 8 else None
        for plane in reversed(range(depth)):
            half = len(halves) // 2
            bits = numpy.bitwise_or.reduce(halves[half:], axis=0).view(numpy.uint8).reshape(trees, -1)
            if eights is not None:
                eights |= wide[plane].take(bits)
            else:
                places |= numpy.unpackbits(bits, axis=1, bitorder="little").astype("uint32") << plane
            halves = halves[:half] | halves[half:] if plane else halves
        return numpy.add(places[:, : len(x)], first, dtype=numpy.intp)

    return lambda x: [block(x[at : at + size]) for at in range(0, len(x), size)]


def asking(node: dict[str, Any]) -> Callable[[Any], Any]:
    """A function from rows (n × k) to what each node answers them (nodes × 64s of rows): 1 is left."""
    below, line, column = _below(node), node["line"].astype(numpy.intp), node["column"].astype(numpy.intp)
    gap_nodes = numpy.flatnonzero(node["gaps"])
    asks, begins, inside = node["asks"].astype(numpy.intp), node["lists"][:-1, None], node["inside"]
    cuts, starts = node["cuts"], node["starts"]
    categories = [(place, cuts[starts[place] : starts[place + 1] - 1]) for place in column[asks].tolist()]

    def ask(x: Any) -> Any:
        across = numpy.ascontiguousarray(x.T)
        told = _packed(below(across)).take(line, axis=0)
        missing = numpy.isnan(across) if gap_nodes.size else None
        if missing is not None and missing.any():
            flags = _room(*missing.shape)
            flags[:, : len(x)] = missing
            told[gap_nodes] |= _packed(flags).take(column[gap_nodes], axis=0)
        if categories:
            flags = _room(len(asks), len(x))
            found = numpy.array([ends.searchsorted(across[place]) for place, ends in categories])
            flags[:, : len(x)] = inside.take(begins + found)
            told[asks] = _packed(flags)
        return told

    return ask


def spread(plane: int) -> Any:
    """The bits of each byte as eight bytes, at a plane's place."""
    bits = numpy.unpackbits(numpy.arange(256, dtype="uint8")[:, None], axis=1, bitorder="little")
    return (bits << plane).view("uint64").reshape(-1)


def _below(node: dict[str, Any]) -> Callable[[Any], Any]:
    """A function from columns (k × n) to whether each number is within a line, or one before it (lines × n)."""
    starts, cuts = node["starts"], node["cuts"]
    lengths = numpy.diff(starts)
    most, ends = int(lengths.max()), cuts[:, None]
    if len(cuts) < DENSE * len(lengths):
        of = numpy.repeat(numpy.arange(len(lengths)), lengths)

        def dense(x: Any) -> Any:
            made = _room(len(cuts), x.shape[1])
            numpy.less_equal(x.take(of, axis=0), ends, out=made[:, : x.shape[1]])
            return made

        return dense
    # Many lines a column: the places of the numbers among them are found first, and compared as short ones.
    dtype = next(kind for kind in ("uint8", "uint16", "int64") if most <= numpy.iinfo(kind).max)
    order = numpy.arange(most).astype(dtype)[:, None]
    pieces = [
        (cuts[low : high - 1], slice(low, high), order[: high - low])
        for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]

    def below(x: Any) -> Any:
        made = _room(len(cuts), x.shape[1])
        inner = made[:, : x.shape[1]]
        for column, (piece, here, places) in zip(x, pieces, strict=True):
            numpy.less_equal(piece.searchsorted(column).astype(dtype), places, out=inner[here])
        return made

    return below


def _room(count: int, rows: int) -> Any:
    """Flags, none of which is set, for whole 64s of rows."""
    return numpy.zeros((count, -(-rows // 64) * 64), dtype=bool)


def _packed(flags: Any) -> Any:
    """Flags (k × 64s of rows) as the bits of numbers (k × 64s)."""
    return numpy.packbits(flags.reshape(-1), bitorder="little").view(numpy.uint64).reshape(len(flags), -1)
