"""Steps that take rows: a loop over a few, a pass over each column of many."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy

from .steps import Step, step

#: Rows from which on a pass over each column is quicker.
MANY = 8


class Table:
    """Rows by column: sequences of values, or arrays where all are numbers."""

    def __init__(self, columns: list[Any]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Any:
        plain = (column.tolist() if hasattr(column, "dtype") else column for column in self.columns)
        return zip(*plain, strict=True)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """N × columns; a gap is NaN."""
        x = numpy.empty((len(self), len(self.columns)), dtype or "float64")
        for at, column in enumerate(self.columns):
            x[:, at] = column if hasattr(column, "dtype") else numpy.array(column, dtype=x.dtype)
        return x


def _columns(rows: Any) -> Any:
    """The columns of rows, however they come."""
    found = getattr(rows, "columns", None)
    return list(zip(*rows, strict=True)) if found is None else found


@step("numbers")
def _numbers(node: dict[str, Any]) -> Step:
    """Rows to numbers (n × k). ``narrow`` names the places of 32-bit columns, ``gaps`` lets None through."""
    take, dtype, narrow, gaps = node["take"], node["dtype"], node["narrow"], node["gaps"]
    array = numpy.array

    def run(rows: Any) -> Any:
        if take is not None:
            if len(rows) < MANY:
                rows = [[row[place] for place in take] for row in rows]
            else:
                columns = _columns(rows)
                rows = Table([columns[place] for place in take])
        x = array(rows, dtype=dtype)
        if dtype != "float64":
            x = x.astype("float64")
        if narrow is not None:
            x[:, narrow] = x[:, narrow].astype("float32")
        if not gaps and numpy.isnan(x.sum()):
            raise ValueError("Input contains NaN.")
        return x

    return run


@step("fill")
def _fill(node: dict[str, Any]) -> Step:
    """Rows with their gaps filled: one value a column, None where it stays a gap."""
    values = node["values"]

    def run(rows: Any) -> Any:
        if len(rows) < MANY:
            return [
                tuple(value if found is None else found for found, value in zip(row, values, strict=True))
                for row in rows
            ]
        columns = _columns(rows)
        return Table([_filled(column, value) for column, value in zip(columns, values, strict=True)])

    return run


def _filled(column: Any, value: Any) -> Any:
    if value is None or hasattr(column, "dtype"):  # an array has no gaps
        return column
    return [value if found is None else found for found in column]


@step("select")
def _select(node: dict[str, Any]) -> Step:
    take = node["take"]

    def run(rows: Any) -> Any:
        if len(rows) < MANY:
            return [tuple(row[place] for place in take) for row in rows]
        columns = _columns(rows)
        return Table([columns[place] for place in take])

    return run


@step("lookup")
def _lookup(node: dict[str, Any]) -> Step:
    """Categories to numbers: each value of a column stands for some places of the row that is made."""
    tables = [
        (
            column["at"],
            {key: tuple(map(tuple, hits)) for key, hits in column["table"]},
            None if column["unknown"] is None else tuple(map(tuple, column["unknown"])),
        )
        for column in node["columns"]
    ]
    width, base = node["width"], node["base"]
    by_column = _lookup_by_column(tables, width, base)

    def run(rows: Any) -> Any:
        if by_column is not None and len(rows) >= MANY:
            return by_column(_columns(rows))
        x = numpy.zeros((len(rows), width)) if base is None else numpy.full((len(rows), width), base)
        for index, row in enumerate(rows):
            for at, table, unknown in tables:
                hits = table.get(row[at], unknown)
                if hits is None:
                    raise ValueError(f"Found unknown category {row[at]!r}.")
                for place, value in hits:
                    x[index, place] = value
        return x

    return run


def _lookup_by_column(tables: list[tuple[Any, ...]], width: int, base: Any) -> Step | None:
    """The same from columns, each a look-up of whole blocks; None where two columns fill one place."""
    empty = numpy.zeros(width) if base is None else numpy.full(width, base)
    taken: set[int] = set()
    parts = []
    for at, table, unknown in tables:
        hits = [*table.values(), *([] if unknown is None else [unknown])]
        places = sorted({place for one in hits for place, _value in one})
        if taken.intersection(places):
            return None
        taken.update(places)
        blocks = numpy.tile(empty[places], (len(hits), 1))
        for block, one in zip(blocks, hits, strict=True):
            for place, value in one:
                block[places.index(place)] = value
        number = {key: found for found, key in enumerate(table)}
        parts.append((at, number.get, -1 if unknown is None else len(table), _where(places), blocks))
    whole = len(taken) == width

    def run(columns: Any) -> Any:
        count = len(columns[0])
        x = numpy.empty((count, width), empty.dtype) if whole else numpy.tile(empty, (count, 1))
        for at, get, strange, where, blocks in parts:
            column = columns[at]
            values = column.tolist() if hasattr(column, "dtype") else column
            found = numpy.fromiter(map(get, values, repeat(strange)), numpy.intp, count)
            if strange < 0 and found.min() < 0:
                raise ValueError(f"Found unknown category {values[found.argmin()]!r}.")
            x[:, where] = blocks.take(found, axis=0)
        return x

    return run


def _where(places: list[int]) -> Any:
    """Places in a row; as a slice where they are neighbours, which NumPy fills faster."""
    if places and places[-1] - places[0] + 1 == len(places):
        return slice(places[0], places[-1] + 1)
    return numpy.array(places, dtype=numpy.intp)
