"""Rows that are mostly zeros, and the steps that take them: n × a vocabulary is never laid out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy

from .steps import Step, chain, make, step

#: A row with more answers than this is multiplied by itself: all rows' at once would be too much memory.
FEW = 8


class Sparse:
    """``sizes[i]`` entries for row i, one row's after the other's, each a column and a value."""

    def __init__(self, sizes: list[int], columns: Any, values: Any, width: int) -> None:
        self.sizes = sizes
        self.columns = columns
        self.values = values
        self.width = width

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def rows(self) -> Any:
        """Each entry's row."""
        return numpy.repeat(numpy.arange(len(self.sizes)), self.sizes)

    def sums(self, values: Any) -> Any:
        """The sum over each row of what stands for its entries (n)."""
        return numpy.bincount(self.rows, values, minlength=len(self.sizes))

    def __matmul__(self, weights: Any) -> Any:
        """N × outputs of weights width × outputs, n of weights width: only the rows that are wanted are read."""
        found = weights.take(self.columns, axis=0)
        if len(self.sizes) == 1:
            return (self.values @ found).reshape(1, *weights.shape[1:])
        if weights.ndim == 1:
            return self.sums(self.values * found)
        made = numpy.empty((len(self.sizes), weights.shape[1]))
        if weights.shape[1] <= FEW:
            for place in range(weights.shape[1]):
                made[:, place] = self.sums(self.values * found[:, place])
            return made
        begin = 0
        for row, size in enumerate(self.sizes):
            made[row] = self.values[begin : begin + size] @ found[begin : begin + size]
            begin += size
        return made

    def __mul__(self, by: Any) -> Sparse:
        return self.of(self.values * self._each(by))

    def __truediv__(self, by: Any) -> Sparse:
        return self.of(self.values / self._each(by))

    def _each(self, by: Any) -> Any:
        return by.take(self.columns) if getattr(by, "ndim", 0) else by

    def of(self, values: Any) -> Sparse:
        """The same places with other values."""
        return Sparse(self.sizes, self.columns, values, self.width)

    def dense(self, base: float) -> Any:
        """N × width, ``base`` where there is no entry."""
        made = numpy.full((len(self.sizes), self.width), base)
        made[self.rows, self.columns] = self.values
        return made


def gathered(rows: Any, add: Callable[[Any, list[int], list[float]], None], width: int) -> Sparse:
    """Entries row by row: ``add`` is given a row, and lists to which it adds columns and values."""
    columns: list[int] = []
    values: list[float] = []
    sizes = []
    for row in rows:
        before = len(columns)
        add(row, columns, values)
        sizes.append(len(columns) - before)
    return Sparse(sizes, numpy.array(columns, dtype=numpy.int64), numpy.array(values, dtype=float), width)


def sparse(x: Any) -> Sparse:
    """Numbers (n × k) as entries; none for a zero."""
    if isinstance(x, Sparse):
        return x
    rows, columns = x.nonzero()
    sizes = numpy.bincount(rows, minlength=len(x)).tolist()
    return Sparse(sizes, columns, x[rows, columns], x.shape[1])


@step("marks")
def _marks(node: dict[str, Any]) -> Step:
    """Categories to entries: each value of a column stands for some places of the row that is made."""
    tables = [
        (column["at"], {key: _cells(hits) for key, hits in column["table"]}.get, _cells(column["unknown"]))
        for column in node["columns"]
    ]
    width = node["width"]

    def add(row: Any, columns: list[int], values: list[float]) -> None:
        for at, get, unknown in tables:
            found = get(row[at], unknown)
            if found is None:
                raise ValueError(f"Found unknown category {row[at]!r}.")
            columns += found[0]
            values += found[1]

    return lambda rows: gathered(rows, add, width)


def _cells(hits: Any) -> Any:
    return None if hits is None else ([place for place, _value in hits], [value for _place, value in hits])


@step("beside")
def _beside(node: dict[str, Any]) -> Step:
    """What several steps make of the same, side by side, as entries."""
    parts = [make(entry) for entry in node["parts"]]

    def run(x: Any) -> Sparse:
        made = [sparse(part(x)) for part in parts]
        begins = numpy.cumsum([0, *(part.width for part in made)])
        columns = numpy.concatenate([part.columns + at for part, at in zip(made, begins, strict=False)])
        values = numpy.concatenate([part.values for part in made])
        sizes = [sum(row) for row in zip(*(part.sizes for part in made), strict=True)]
        if len(sizes) > 1:
            order = numpy.argsort(numpy.concatenate([part.rows for part in made]), kind="stable")
            columns, values = columns[order], values[order]
        return Sparse(sizes, columns, values, int(begins[-1]))

    return run


@step("dense")
def _dense(node: dict[str, Any]) -> Step:
    """Entries to numbers (n × width); ``gaps`` says that what has no entry is a gap."""
    base = numpy.nan if node["gaps"] else 0.0
    return lambda x: x.dense(base)


@step("portions")
def _portions(node: dict[str, Any]) -> Step:
    """A chain of steps over ``rows`` rows at a time, so that what it lays out stays small."""
    run, most = chain(node), node["rows"]

    def some(rows: Any) -> Any:
        if len(rows) <= most:
            return run(rows)
        rows = rows if isinstance(rows, list) else list(rows)
        made = [run(rows[begin : begin + most]) for begin in range(0, len(rows), most)]
        return {name: numpy.concatenate([part[name] for part in made]) for name in made[0]}

    return some


@step("weigh")
def _weigh(node: dict[str, Any]) -> Step:
    """Counts by logarithms and the words' weights where asked, each row then to a length of 1 (``norm``)."""
    logarithm, weights, norm = node["logarithm"], node["weights"], node["norm"]

    def run(x: Sparse) -> Sparse:
        values = x.values
        if logarithm:
            values = numpy.log(values) + 1.0
        if weights is not None:
            values = values * weights.take(x.columns)
        if norm is None or not len(values):
            return x.of(values)
        size = values * values if norm == "l2" else numpy.abs(values)
        if len(x) == 1:
            length = size.max() if norm == "max" else size.sum()
            length = numpy.sqrt(length) if norm == "l2" else length
            return x.of(values / length if length else values)
        if norm == "max":
            lengths = numpy.zeros(len(x))
            numpy.maximum.at(lengths, x.rows, size)
        else:
            lengths = x.sums(size)
        lengths = numpy.sqrt(lengths) if norm == "l2" else lengths
        lengths[lengths == 0.0] = 1.0
        return x.of(values / lengths[x.rows])

    return run


@step("keep")
def _keep(node: dict[str, Any]) -> Step:
    """Some of the columns: ``places`` (width) tells each one's new place, -1 where it goes."""
    places, width = node["places"], node["width"]

    def run(x: Sparse) -> Sparse:
        columns = places.take(x.columns)
        stays = columns >= 0
        sizes = [int(stays.sum())] if len(x) == 1 else x.sums(stays).astype(int).tolist()
        return Sparse(sizes, columns[stays], x.values[stays], width)

    return run


@step("entries")
def _entries(node: dict[str, Any]) -> Step:
    """A function of one number, which leaves zeros as they are, on what is there."""
    run = make({"op": "apply", "function": node["function"]})
    return lambda x: x.of(run(x.values))


@step("positive")
def _positive(node: dict[str, Any]) -> Step:
    """1 where a number is above ``limit``, which is not below 0."""
    limit = node["limit"]
    return lambda x: x.of((x.values > limit).astype(float))
