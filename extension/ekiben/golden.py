"""Which rows of the sample become golden examples: those that cover it, a few dozen."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ekiben.records import Field
from ekiben.runtime.predictor import plain

MOST = 48
#: Answers are asked of at most this many rows to find one of each class.
LOOKED_AT = 2000
#: A wide table would otherwise spend all examples on extremes.
MOST_EXTREMES = 30


def choose(sample: Any, kind: str, fields: tuple[Field, ...], call: Callable[[Any], dict[str, Any]]) -> list[int]:
    """Row numbers, ascending: extremes of every number, every category and class, gaps, random ones.

    The choice is the same for the same sample: the random rows come from a fixed seed.
    """
    wanted: list[int] = []
    for position, field in enumerate(fields):
        column = sample.iloc[:, position] if kind == "table" else sample[:, position]
        wanted.extend(_telling(column, field))
        if len(wanted) >= MOST_EXTREMES:
            break
    wanted = list(dict.fromkeys(wanted))[:MOST_EXTREMES]
    wanted.extend(_one_a_class(sample, kind, call))
    spare = list(range(len(sample)))
    random.Random(0).shuffle(spare)
    chosen = list(dict.fromkeys([*wanted, *spare]))[: min(MOST, len(sample))]
    return sorted(chosen)


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
    seen: dict[Any, int] = {}
    for index in present[:LOOKED_AT]:
        seen.setdefault(values[index], int(index))
    return [*rows, *(list(seen.values()) if field.kind != "text" else [])]


def _one_a_class(sample: Any, kind: str, call: Callable[[Any], dict[str, Any]]) -> list[int]:
    part = sample.iloc[:LOOKED_AT] if kind == "table" else sample[:LOOKED_AT]
    predictions = plain(call(part)["predictions"])
    if any(isinstance(value, float) for value in predictions[:1]):
        return [predictions.index(min(predictions)), predictions.index(max(predictions))]
    seen: dict[str, int] = {}
    for index, value in enumerate(predictions):
        seen.setdefault(repr(value), index)
    return list(seen.values())[:MOST]
