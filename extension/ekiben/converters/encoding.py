"""Encoders of categories as tables, read off the encoder itself: it is asked for every category."""

from __future__ import annotations

import copy
from typing import Any

from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

#: Categories of all columns together; a table of more would be slow to read and to write.
MOST = 100_000
#: More columns than this are made as entries.
WIDE = 200
#: A text that no column has.
UNKNOWN = "\x00 nobody's category"


@transform("sklearn.OneHotEncoder", "sklearn.OrdinalEncoder", "sklearn.TargetEncoder")
def encoder(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """A table for each column: the category, and which places of the row it makes get which number."""
    if source.fields is None:
        raise NotConverted(_("{type} has no faster form here: it gets numbers.", type=type(part).__name__))
    known = [_plain(values) for values in part.categories_]
    if sum(map(len, known)) > MOST:
        raise NotConverted(_("It knows {n} categories, more than are tried.", n=sum(map(len, known))))
    if not all(known):
        raise NotConverted(_("It keeps no column."))
    kinds: list[type] = [
        str if any(isinstance(value, str) for value in values) else float for values in known
    ]
    # Every category once, the other columns at their first.
    rows = [[values[0] for values in known]]
    for column, values in enumerate(known):
        rows.extend([[v if at == column else first for at, first in enumerate(rows[0])] for v in values[1:]])
    asked, width = _asked(part, source.names, rows)
    blocks = _blocks(part, known, width)
    unknown = _unknown(part, source, rows[0], kinds)
    table = []
    row = 1
    for column, values in enumerate(known):
        block = blocks[column]
        seen = [asked[0], *asked[row : row + len(values) - 1]]
        row += len(values) - 1
        entries = [[_key(value), _hits(found, block)] for value, found in zip(values, seen, strict=True)]
        strange = None if unknown is None else _hits(unknown[column], block)
        table.append({"at": column, "table": entries, "unknown": strange})
    if width <= WIDE:
        return [{"op": "lookup", "columns": table, "width": width, "base": None}], Source(width)
    absent = bool(getattr(part, "sparse_output", False))
    return [{"op": "marks", "columns": table, "width": width}], Source(width, sparse=True, absent=absent)


def _plain(values: Any) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in values]


def _key(value: Any) -> Any:
    """A category as a row has it: a gap is None."""
    return None if value is None or value != value else value


def _hits(found: dict[int, float], block: range) -> list[list[Any]]:
    return [[place, value] for place, value in found.items() if place in block]


def _asked(part: Any, names: tuple[str, ...], rows: list[list[Any]]) -> tuple[list[dict[int, float]], int]:
    """What each row becomes, without its zeros, and the width."""
    import numpy

    if getattr(part, "sparse_output", True) is False:  # categories times categories would be laid out
        part = copy.copy(part)
        part.sparse_output = True
    made = part.transform(_frame(part, names, rows))
    if hasattr(made, "tocsr"):
        made = made.tocsr()
        ends = zip(made.indptr[:-1].tolist(), made.indptr[1:].tolist(), strict=True)
        cells = [(made.indices[begin:end].tolist(), made.data[begin:end].tolist()) for begin, end in ends]
        return [dict(zip(places, map(float, found), strict=True)) for places, found in cells], made.shape[1]
    dense = numpy.asarray(made).astype(float)
    found = [{place: value for place, value in enumerate(row) if value != 0.0} for row in dense.tolist()]
    return found, dense.shape[1]


def _frame(part: Any, names: tuple[str, ...], rows: list[list[Any]]) -> Any:
    """Rows in the form that the encoder was fitted on; a column's type is that of its values."""
    import numpy

    if getattr(part, "feature_names_in_", None) is not None:
        import pandas

        columns = zip(part.feature_names_in_, zip(*rows, strict=True), strict=True)
        return pandas.DataFrame({name: pandas.Series(list(v), dtype=_dtype(v)) for name, v in columns})
    made = numpy.empty((len(rows), len(rows[0])), dtype=object)
    made[:] = rows
    return made


def _dtype(values: tuple[Any, ...]) -> Any:
    return object if any(value is None or isinstance(value, (str, bool)) for value in values) else None


def _blocks(part: Any, known: list[list[Any]], width: int) -> list[range]:
    """Which places of the row belong to which column."""
    if type(part).__name__ != "OneHotEncoder":
        each = width // len(known)
        if type(part).__name__ == "TargetEncoder" and each * len(known) == width:
            return [range(place, place + each) for place in range(0, width, each)]
        if width != len(known):
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        return [range(place, place + 1) for place in range(len(known))]
    widths = list(part._n_features_outs)
    starts = [sum(widths[:place]) for place in range(len(widths))]
    return [range(start, start + width) for start, width in zip(starts, widths, strict=True)]


def _unknown(part: Any, source: Source, first: list[Any], kinds: list[type]) -> list[dict[int, float]] | None:
    """What an unknown category becomes, column by column; None where the encoder refuses it."""
    if getattr(part, "handle_unknown", "ignore") == "error":
        return None
    import warnings

    found = []
    for column, kind in enumerate(kinds):
        row = list(first)
        row[column] = UNKNOWN if kind is str else 1e300
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(_asked(part, source.names, [first, row])[0][1])
    return found
