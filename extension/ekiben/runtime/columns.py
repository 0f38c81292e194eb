"""Many checked rows, kept by column: what they are made of when one pass over a column beats a loop over rows.

It is a sequence of rows like any other; who knows it takes ``columns``, or ``numpy.array(rows, dtype)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

#: Checked rows, as a model is asked: a list, ``Columns``, or one array of tensors.
Rows = Any
#: Rows from which on columns are worth making.
MANY = 8


class Columns(Sequence[Any]):
    """``columns`` in the contract's order: sequences of values, arrays (n) where all are numbers.

    ``matrix`` (n × fields) holds the same where every field is such numbers. None of it is ever written to.
    """

    __slots__ = ("columns", "matrix")

    def __init__(self, columns: Sequence[Any], matrix: Any = None) -> None:
        self.columns = columns
        self.matrix = matrix

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, at: Any) -> Any:
        """A row as a tuple of plain values, or some rows."""
        if isinstance(at, slice):
            part = None if self.matrix is None else self.matrix[at]
            return Columns([column[at] for column in self.columns], part)
        return tuple(plainly(column[at : at + 1 or None])[0] for column in self.columns)

    def __iter__(self) -> Iterator[Any]:
        if self.matrix is not None:
            return iter(self.matrix.tolist())
        return zip(*self.lists(), strict=True)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """N × fields, in rows; gaps are NaN where ``dtype`` has such."""
        import numpy

        if self.matrix is not None:
            return self.matrix.astype(dtype or self.matrix.dtype)
        made = numpy.empty((len(self), len(self.columns)), dtype or "float64")
        for place, column in enumerate(self.columns):
            made[:, place] = column if hasattr(column, "dtype") else numpy.array(column, made.dtype)
        return made

    def take(self, places: Sequence[int]) -> Columns:
        """Some of the columns, in the order of ``places``."""
        columns = self.columns
        return Columns([columns[place] for place in places])

    def lists(self) -> list[Any]:
        """The columns as sequences of plain values."""
        return [plainly(column) for column in self.columns]


def plainly(values: Any) -> Any:
    """An array's values as a list; any other sequence as it is."""
    return values.tolist() if hasattr(values, "dtype") else values


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several requests as those of one."""
    if len(parts) == 1:
        return parts[0]
    kept = {type(part) for part in parts}
    if kept <= {list}:
        return [row for part in parts for row in part]
    import numpy

    if Columns not in kept:  # tensors, each n × shape
        return numpy.concatenate(parts)
    made = [part if isinstance(part, Columns) else Columns(list(zip(*part, strict=True))) for part in parts]
    if all(part.matrix is not None for part in made) and _alike([part.matrix for part in made]):
        matrix = numpy.concatenate([part.matrix for part in made])
        return Columns(matrix.T, matrix)
    return Columns([_one(column) for column in zip(*(part.columns for part in made), strict=True)])


def _one(pieces: Sequence[Any]) -> Any:
    if all(hasattr(piece, "dtype") for piece in pieces) and _alike(pieces):
        import numpy

        return numpy.concatenate(pieces)
    return [value for piece in pieces for value in plainly(piece)]


def _alike(pieces: Sequence[Any]) -> bool:
    """Whether numpy joins them as they are: signed and unsigned whole numbers would become rounded doubles."""
    return len({piece.dtype.kind for piece in pieces}) == 1
