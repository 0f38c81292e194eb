"""Columns cut into bins by the thresholds of all trees: each bin is a line, and so is a gap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy


def one_by_one(node: dict[str, Any]) -> Callable[[Any], list[list[int]]]:
    """A function from a few rows (n × k) to the numbers of their lines."""
    starts, ends = node["starts"], node["cuts"].tolist()
    bounds = list(zip(starts[:-1].tolist(), (starts[1:] - 1).tolist(), strict=True))

    def lines(x: Any) -> list[list[int]]:
        return [
            [
                bisect_left(ends, value, low, high) if value == value else high
                for value, (low, high) in zip(row, bounds, strict=True)
            ]
            for row in x.tolist()
        ]

    return lines


def levels(node: dict[str, Any]) -> list[tuple[int, int, Any]]:
    """Of each level of the trees: the nodes before it, its own, and the places of the next level's.

    Its nodes' children lie at twice their own places: the left ones, then the right ones.
    """
    made, begin, place = [], 0, 0
    sizes = node["sizes"].tolist()
    for size, below in zip(sizes, [*sizes[1:], 0], strict=True):
        made.append((begin, size, node["inner"][place : place + below].astype(numpy.intp)))
        begin, place = begin + size, place + below
    return made
