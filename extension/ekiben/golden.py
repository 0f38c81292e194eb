"""Which rows of the sample become golden examples: those that cover it, a few dozen."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from ekiben import pictures
from ekiben.canonical import rows_of
from ekiben.records import Field, Input
from ekiben.runtime.predictor import plain

MOST = 48
#: Wide rows, such as images, make fewer examples: this many numbers in all, but some rows at least.
MOST_NUMBERS = 200_000
FEWEST = 4
#: Answers are asked of at most this many rows to find one of each class.
LOOKED_AT = 2000
#: And of so many numbers at most: a network takes its time for images.
LOOKED_AT_NUMBERS = 10_000_000
#: A wide table would otherwise spend all examples on extremes.
MOST_EXTREMES = 30


def choose(
    data: Any, form: Input, fields: tuple[Field, ...], call: Callable[[Any], dict[str, Any]]
) -> list[int]:
    """Row numbers, ascending: extremes of every number, every category and class, gaps, random ones.

    The choice is the same for the same sample: the random rows come from a fixed seed.
    """
    wanted: list[int] = []
    for position, field in enumerate(fields if form in ("table", "array") else ()):
        column = data.iloc[:, position] if form == "table" else data[:, position]
        wanted.extend(_telling(column, field))
        if len(wanted) >= MOST_EXTREMES:
            break
    wanted = list(dict.fromkeys(wanted))[:MOST_EXTREMES]
    numbers = _numbers(form, fields)
    wanted.extend(_one_a_class(data, call, max(FEWEST, LOOKED_AT_NUMBERS // numbers)))
    spare = random.Random(0).sample(range(len(data)), min(len(data), 2 * MOST))
    most = max(FEWEST, min(MOST, MOST_NUMBERS // numbers))
    chosen = list(dict.fromkeys([*wanted, *spare]))[: min(most, len(data))]
    return sorted(chosen)


def _numbers(form: Input, fields: tuple[Field, ...]) -> int:
    """How many numbers a row is made of."""
    if form == "tensor":
        return max(1, math.prod(fields[0].shape))
    return max(1, sum(map(pictures.numbers, fields)))


def _telling(column: Any, field: Field) -> list[int]:
    """The rows that show a column's ends, its categories and a gap."""
    import numpy

    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    gaps = column.isna().to_numpy() if hasattr(column, "isna") else values != values
    rows = [int(numpy.argmax(gaps))] if gaps.any() else []
    present = numpy.flatnonzero(~gaps)
    if not len(present):
        return rows
    if field.kind in ("number", "integer", "datetime"):
        series = values[present]
        return [*rows, int(present[numpy.argmin(series)]), int(present[numpy.argmax(series)])]
    if field.kind in ("text", "image"):
        return rows
    seen: dict[Any, int] = {}
    for index in present[:LOOKED_AT]:
        seen.setdefault(values[index], int(index))
    return [*rows, *seen.values()]


def _one_a_class(data: Any, call: Callable[[Any], dict[str, Any]], most: int) -> list[int]:
    part = rows_of(data, list(range(min(LOOKED_AT, most, len(data)))))
    predictions = plain(call(part)["predictions"])
    if not isinstance(predictions, list) or not predictions:
        return []
    known = [value for value in predictions if isinstance(value, float)]
    if known:
        return [predictions.index(min(known)), predictions.index(max(known))]
    seen: dict[str, int] = {}
    for index, value in enumerate(predictions):
        seen.setdefault(repr(value), index)
    return list(seen.values())[:MOST]
