"""Which variable of a notebook is the sample of a model: tables, in order of fit."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ekiben.pictures import is_image, is_picture
from ekiben.records import SampleVariable

_LIMIT = 20  # samples listed for one model; nobody reads further
_LOOKED = 20  # items of a list that are looked at, however long it is


class Table(NamedTuple):
    """What may be a sample: a DataFrame, an array, or a list of texts, records or images.

    ``names`` are the columns' names where it has them; ``width`` is None for texts, records, images and arrays
    of more dimensions.
    """

    name: str
    type: str
    rows: int
    width: int | None
    names: tuple[Any, ...] | None
    identity: int


def table(name: str, value: Any) -> Table | None:
    """``value`` as a table with at least one row, or None. No library is imported to ask."""
    kinds = {f"{str(kind.__module__).partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}
    names: tuple[Any, ...] | None = None
    width: int | None
    if kinds & {"pandas.DataFrame", "polars.DataFrame"}:
        (rows, width), names = value.shape, tuple(value.columns)
    elif "pyarrow.Table" in kinds:
        rows, width, names = value.num_rows, value.num_columns, tuple(value.column_names)
    elif kinds & {"numpy.ndarray", "torch.Tensor"} and value.ndim == 2:
        if "numpy.ndarray" in kinds and value.dtype.kind not in "fiub":
            return None
        rows, width = value.shape
    elif kinds & {"numpy.ndarray", "torch.Tensor"} and value.ndim > 2:
        if "numpy.ndarray" in kinds and value.dtype.kind not in "fiub":
            return None
        rows, width = len(value), None
    elif _is_listed(value, kinds):
        rows, width = len(value), None
    else:
        return None
    if not rows or width == 0:
        return None
    kind = type(value).__name__
    return Table(name, kind, int(rows), None if width is None else int(width), names, id(value))


def _is_listed(value: Any, kinds: set[str]) -> bool:
    """Whether it lists texts (with a space somewhere, unlike labels and names), records or images."""
    if type(value) is list:
        head = value[:_LOOKED]
    elif kinds & {"pandas.Series", "polars.Series"} or ("numpy.ndarray" in kinds and value.ndim == 1):
        dtype = str(value.dtype)
        if dtype not in ("object", "str", "string", "String") and not re.match("[<>=|]?U", dtype):
            return False
        head = value[:_LOOKED].tolist() if hasattr(value, "tolist") else value[:_LOOKED].to_list()
    else:
        return False
    if head and (all(map(is_image, head)) or all(map(is_picture, head))):
        return True
    kinds_of_items = {type(item) for item in head}
    if kinds_of_items == {dict}:
        return True
    return kinds_of_items == {str} and any(" " in item for item in head)


def ranked(
    tables: list[Table], columns: tuple[str, ...] | None, width: int | None
) -> tuple[SampleVariable, ...]:
    """The tables that fit a model with ``columns`` (or ``width`` of them), the best first.

    Same names in the same order come before the same names in another, and those before the same
    width; then names like ``X_train``, ``X``, ``X_test``; then more rows. An object with two names
    is listed once. A model that recorded no width (its first step reads text or records) fits all.
    """
    fitting = []
    for found in tables:
        fit = _fit(found, columns, width)
        if fit is not None:
            fitting.append((fit, _likeness(found.name), -found.rows, found.name, found))
    fitting.sort(key=lambda entry: entry[:4])
    best: dict[int, SampleVariable] = {}
    for *_rank, found in fitting:
        sample = SampleVariable(found.name, found.type, found.rows, found.width or 1)
        best.setdefault(found.identity, sample)
    return tuple(best.values())[:_LIMIT]


def _fit(found: Table, columns: tuple[str, ...] | None, width: int | None) -> int | None:
    wanted = len(columns) if columns is not None else width
    if wanted is None:
        # Labels are text as well, so a name must speak against it.
        return None if found.width is None and _likeness(found.name) == _LABELS else 3
    if found.width != wanted:
        return None
    if found.names is None:
        return 2
    if columns is None:
        return 3  # fitted on an array: an array of the width goes before
    if found.names == columns:
        return 0
    # A table with other names would be refused by the model itself.
    return 1 if set(found.names) == set(columns) else None


_LABELS = 4


def _likeness(name: str) -> int:
    """How much a name looks like the sample's: 0 ``X_train``, 1 ``X``, 2 ``X_test``, 3 others, 4 ``y``."""
    if re.match(r"y(_|\d|$)|target|label", name):
        return _LABELS
    if re.search(r"train", name, re.IGNORECASE):
        return 0
    if re.fullmatch(r"[xX]\d*|features?", name):
        return 1
    if re.search(r"test|valid|_val$", name, re.IGNORECASE):
        return 2
    return 3
