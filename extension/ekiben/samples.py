"""Which variable of a notebook is the sample of a model: tables, in order of fit."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

from ekiben.records import SampleVariable

_LIMIT = 20  # samples listed for one model; nobody reads further


class Table(NamedTuple):
    """A DataFrame or a two-dimensional array. ``names`` are the columns' names, None for an array."""

    name: str
    type: str
    rows: int
    width: int
    names: Any
    identity: int


def table(name: str, value: object) -> Table | None:
    """``value`` as a table with at least one row, or None; pandas and numpy are not imported."""
    kind = type(value)
    names: Any = None
    if _is(kind, "pandas", "DataFrame"):
        names = value.columns  # type: ignore[attr-defined]
    elif not (_is(kind, "numpy", "ndarray") and value.ndim == 2):  # type: ignore[attr-defined]
        return None
    rows, width = value.shape  # type: ignore[attr-defined]
    if not rows or not width:
        return None
    return Table(name, kind.__name__, int(rows), int(width), names, id(value))


def _is(kind: type, module: str, name: str) -> bool:
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(kind, base)


def ranked(
    tables: list[Table], columns: tuple[str, ...] | None, width: int | None
) -> tuple[SampleVariable, ...]:
    """The tables that fit a model with ``columns`` (or ``width`` of them), the best first.

    Same names in the same order come before the same names in another, and those before the same
    width; then names like ``X_train``, ``X``, ``X_test``; then more rows. An object with two names
    is listed once.
    """
    fitting = []
    for found in tables:
        fit = _fit(found, columns, width)
        if fit is not None:
            fitting.append((fit, _likeness(found.name), -found.rows, found.name, found))
    fitting.sort(key=lambda entry: entry[:4])
    best: dict[int, SampleVariable] = {}
    for *_rank, found in fitting:
        sample = SampleVariable(found.name, found.type, found.rows, found.width)
        best.setdefault(found.identity, sample)
    return tuple(best.values())[:_LIMIT]


def _fit(found: Table, columns: tuple[str, ...] | None, width: int | None) -> int | None:
    wanted = len(columns) if columns is not None else width
    if wanted is None:
        return 3
    if found.width != wanted:
        return None
    if found.names is None:
        return 2
    if columns is None:
        return 3  # fitted on an array: an array of the width goes before
    names = list(found.names)
    if names == list(columns):
        return 0
    # A table with other names would be refused by the model itself.
    return 1 if set(names) == set(columns) else None


def _likeness(name: str) -> int:
    """How much a name looks like the sample's: 0 ``X_train``, 1 ``X``, 2 ``X_test``, 3 others, 4 ``y``."""
    if re.match(r"y(_|\d|$)|target|label", name):
        return 4
    if re.search(r"train", name, re.IGNORECASE):
        return 0
    if re.fullmatch(r"[xX]\d*|features?", name):
        return 1
    if re.search(r"test|valid|_val$", name, re.IGNORECASE):
        return 2
    return 3
