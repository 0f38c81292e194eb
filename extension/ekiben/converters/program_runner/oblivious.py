"""Trees whose every level asks one question of all rows: the answers are the bits of the leaf's number."""

from __future__ import annotations

from typing import Any

import numpy

from .planes import asking, spread
from .steps import Step, step

#: Rows up to this many are asked one by one, and more than these in blocks.
FEW, BLOCK = 8, 256


@step("oblivious")
def _oblivious(node: dict[str, Any]) -> Step:
    """Numbers to the sums of the leaves' values (n × outputs): of the trees' levels, first to last."""
    features, borders, gaps = node["features"], node["borders"], node["gaps"]
    starts, values, base = node["starts"], node["values"], node["base"]
    depth = len(features) // len(starts)
    bits = 1 << numpy.arange(depth)
    below = starts[:, None]
    many = _many(node, depth) if depth <= 8 else None

    def few(x: Any) -> Any:
        asked = x.astype("float32").take(features, axis=1)
        yes = asked > borders
        if gaps is not None:
            yes |= numpy.isnan(asked) & gaps
        leaves = yes.reshape(len(x), -1, depth) @ bits + starts
        return values.take(leaves, axis=0).sum(axis=1) + base

    def run(x: Any) -> Any:
        if many is None or len(x) <= FEW:
            return few(x)
        parts = [
            numpy.add.reduce(values.take(many(x[at : at + BLOCK]) + below, axis=0), axis=0)
            for at in range(0, len(x), BLOCK)
        ]
        return (parts[0] if len(parts) == 1 else numpy.concatenate(parts)) + base

    return run


def _many(node: dict[str, Any], depth: int) -> Any:
    """A function from rows to the numbers of their leaves in each tree (trees × n), 64 rows at a time."""
    features, borders, gaps = node["features"], node["borders"].astype("float64"), node["gaps"]
    columns = numpy.unique(features)
    cuts, starts, line = [], [0], numpy.empty(len(features), dtype=numpy.int64)
    for column in columns:
        here = features == column
        found = numpy.unique(borders[here])
        found = numpy.concatenate((found[numpy.isfinite(found)], [numpy.inf, numpy.inf]))
        line[here] = starts[-1] + numpy.searchsorted(found, borders[here])
        cuts.append(found)
        starts.append(starts[-1] + len(found))
    ask = asking(
        {
            "cuts": numpy.concatenate(cuts),
            "starts": numpy.array(starts),
            "line": line,
            "column": numpy.searchsorted(columns, features),
            # A gap that is no "yes" is told like a number below the border.
            "gaps": numpy.ones(len(features), dtype=bool) if gaps is None else ~gaps,
            "asks": numpy.zeros(0, dtype=numpy.int64),
            "lists": numpy.zeros(1, dtype=numpy.int64),
            "inside": numpy.zeros(0, dtype=bool),
        }
    )
    wide, whole = [spread(level) for level in range(depth)], numpy.uint8((1 << depth) - 1)

    def leaves(x: Any) -> Any:
        no = ask(x.take(columns, axis=1).astype("float32").astype("float64"))
        words = no.shape[1]
        levels = no.view(numpy.uint8).reshape(-1, depth, 8 * words)
        made = numpy.zeros((len(levels), 8 * words), dtype=numpy.uint64)
        for level, table in enumerate(wide):
            made |= table.take(levels[:, level])
        return (made.view(numpy.uint8) ^ whole)[:, : len(x)].astype(numpy.intp)

    return leaves
