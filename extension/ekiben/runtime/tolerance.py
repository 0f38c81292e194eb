"""How near two numbers must be to agree: the one rule of every station.

``|a - b| <= absolute + relative * size``, where ``size`` is ``|b|``, b being the notebook's answer. Where
both are whole numbers, they are equal or wrong.

Answers of 32 bits (``scales`` names those outputs) count with what they were summed from as well. A sum's
rounding error is bounded by the sum of its terms' magnitudes, not by the sum (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., section 3.1: ``|fl(w·x) - w·x| <= γ |w|·|x|``): a small logit beside
large ones has the large ones' rounding. The terms are not seen from outside, but ``|w|`` is the same for
all rows of one output position and ``|x|`` for all positions of one row, so that the size is at least
``sizes[position] * length``: the position's root mean square over the golden answers, times the row's own
length in that measure (the root mean square of its answers, each divided by its position's), or ``least``
where the row is shorter. Positions are those of the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

#: Positions that have a size each; a longer last axis has one for all.
MOST_SIZES = 256


def allowed(tolerance: dict[str, Any], size: Any) -> Any:
    """The greatest difference of a number of this size (or an array of them) that still agrees."""
    return tolerance["absolute"] + tolerance["relative"] * size


def floors(tolerance: dict[str, Any], output: str, row: Any) -> list[float]:
    """The least sizes that a row's numbers count with, by position on the last axis.

    ``row`` is the notebook's answer, a number or nested lists. ``[0.0]`` where only the numbers
    themselves count.
    """
    scale = (tolerance.get("scales") or {}).get(output)
    if not scale:
        return [0.0]
    sizes = scale["sizes"]
    long = max(_length(sizes, row), scale["least"])
    return [size * long for size in sizes]


def scale_of(rows: list[Any]) -> dict[str, Any] | None:
    """The ``sizes`` and ``least`` of an output from its golden answers, one a row.

    None where the numbers have no scale beyond themselves: all are 0, or all lie from 0 to 1, as
    probabilities do, which stay as near as ever. ``least`` is the lower quartile of the rows' lengths:
    answers over many magnitudes must not hide the small ones.
    """
    numbers = list(_numbers(rows))
    if not numbers or all(0.0 <= value <= 1.0 for _place, value in numbers):
        return None
    width = 1 + max(place for place, _value in numbers) if isinstance(rows[0], list) else 1
    width = width if width <= MOST_SIZES else 1
    squares, counts = [0.0] * width, [0] * width
    for place, value in numbers:
        squares[place % width] += value * value
        counts[place % width] += 1
    sizes = [math.sqrt(total / count) if count else 0.0 for total, count in zip(squares, counts, strict=True)]
    lengths = sorted(_length(sizes, row) for row in rows)
    return {"sizes": sizes, "least": lengths[len(lengths) // 4]}


def _length(sizes: list[float], row: Any) -> float:
    width = len(sizes)
    shares = [value / sizes[place % width] for place, value in _numbers(row) if sizes[place % width] > 0]
    return math.sqrt(math.fsum(share * share for share in shares) / len(shares)) if shares else 0.0


def _numbers(value: Any, place: int = 0) -> Iterator[tuple[int, float]]:
    """The finite numbers of nested lists, each with its position on the last axis."""
    if isinstance(value, list):
        for at, entry in enumerate(value):
            yield from _numbers(entry, at)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield place, float(value)
