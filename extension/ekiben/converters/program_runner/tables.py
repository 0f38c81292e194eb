"""One row through small trees: of each column, a line tells which leaves of all the trees are left.

The idea is QuickScorer's (Lucchese et al., SIGIR 2015: a tree's leaves as bits, a node's answer as a mask of
those that it rules out), with the masks of a column's nodes put together in advance, as all numbers between
two thresholds are answered alike. The AND of a row's lines has one bit left for each tree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .cuts import levels, one_by_one


def by_tables(node: dict[str, Any]) -> Callable[[Any], list[Any]]:
    """A function from a few rows (n × k) to the numbers of their leaves, for each of all the trees."""
    table, lines, leaves = _table(node), one_by_one(node), node["leaves"]
    # A mask with one bit is a power of two: its place is the exponent of the double (IEEE 754).
    first = numpy.cumsum(leaves) - leaves - 1023
    rule = numpy.bitwise_and.reduce

    def found(line: list[int]) -> Any:
        places = rule(table.take(line, axis=0), axis=0).astype("float64").view("int64")
        places >>= 52
        places += first
        return places

    return lambda x: [found(line) for line in lines(x)]


def _table(node: dict[str, Any]) -> Any:
    """Lines × trees: the leaves that are left, one bit each."""
    leaves, starts = node["leaves"], node["starts"]
    dtype = numpy.dtype(next(f"uint{bits}" for bits in (8, 16, 32, 64) if leaves.max() <= bits))
    tree, line, column, gaps = node["tree"], node["line"], node["column"], node["gaps"]
    sides = _sides(node, dtype)
    left, right = (~side for side in sides)
    made = numpy.empty((int(starts[-1]), len(leaves)), dtype=dtype)
    made[:] = (~numpy.uint64(0) >> (64 - leaves).astype("uint64")).astype(dtype)
    plain = numpy.ones(len(tree), dtype=bool)
    plain[node["asks"]] = False
    order = numpy.argsort(column, kind="stable")
    order = order[plain[order]]
    bounds = numpy.searchsorted(column[order], numpy.arange(len(starts)))
    rule = numpy.bitwise_and
    for place, (low, gap) in enumerate(zip(starts[:-1], starts[1:] - 1, strict=True)):
        nodes = order[bounds[place] : bounds[place + 1]]
        part, at, trees = made[low:gap], line[nodes] - low, tree[nodes]
        # From the line after a node's own its left side is out of reach, and up to its own its right side.
        after = at + 1 < len(part)
        rule.at(part, (at[after] + 1, trees[after]), left[nodes[after]])
        rule.accumulate(part, axis=0, out=part)
        back = numpy.full_like(part, ~dtype.type(0))
        rule.at(back, (at, trees), right[nodes])
        rule.accumulate(back[::-1], axis=0, out=back[::-1])
        part &= back
        rule.at(made[gap], trees, numpy.where(gaps[nodes], right[nodes], left[nodes]))
    for at, begin, end in zip(node["asks"], node["lists"][:-1], node["lists"][1:], strict=True):
        low = starts[column[at]]
        made[low : low + end - begin, tree[at]] &= numpy.where(node["inside"][begin:end], right[at], left[at])
    return made


def _sides(node: dict[str, Any], dtype: Any) -> tuple[Any, Any]:
    """The masks of the leaves on the left and on the right of each node; none of a tree's only leaf."""
    leaves, sizes = node["leaves"], node["sizes"]
    below = numpy.zeros(2 * int(sizes.sum()), dtype=dtype)
    first = numpy.repeat(numpy.cumsum(leaves) - leaves, leaves)
    bits = numpy.uint64(1) << (numpy.arange(len(first)) - first).astype("uint64")
    below[node["places"]] = bits.astype(dtype)
    made = numpy.zeros((2, int(sizes.sum())), dtype=dtype)
    under = None
    for begin, size, inner in reversed(levels(node)):
        if under is not None:
            below[inner] = under
        made[:, begin : begin + size] = below[2 * begin : 2 * (begin + size)].reshape(2, size)
        under = made[0, begin : begin + size] | made[1, begin : begin + size]
    made[:, leaves[node["tree"]] == 1] = 0
    return made[0], made[1]
