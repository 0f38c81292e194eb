"""Steps that fill a row's gaps from its other numbers."""

from __future__ import annotations

from typing import Any

import numpy

from .steps import Step, chain, make, step


@step("filled")
def _filled(node: dict[str, Any]) -> Step:
    """Numbers with their gaps filled by ``fill``; ``keep`` and ``marks`` as in ``impute``."""
    fill, keep, marks = make(node["fill"]), node["keep"], node["marks"]

    def run(x: Any) -> Any:
        gaps = numpy.isnan(x)
        made = fill(x) if gaps.any() else x
        if keep is not None:
            made = made[:, keep]
        return made if marks is None else numpy.concatenate((made, gaps[:, marks]), axis=1)

    return run


@step("neighbourly")
def _neighbourly(node: dict[str, Any]) -> Step:
    """A gap to the mean of its column among the nearest known rows that have it, by what both rows have."""
    known, count, by_distance = node["known"], node["count"], node["by_distance"]
    there = ~numpy.isnan(known)
    donors = [numpy.flatnonzero(column) for column in there.T]
    means = [known[rows, at].mean() if len(rows) else 0.0 for at, rows in enumerate(donors)]

    def one(row: Any) -> Any:
        gaps = numpy.isnan(row)
        both = there & ~gaps
        shared = both.sum(axis=1)
        squares = numpy.where(both, known - row, 0.0) ** 2
        with numpy.errstate(divide="ignore", invalid="ignore"):
            apart = numpy.sqrt(squares.sum(axis=1) * (len(row) / shared))
        made = row.copy()
        for at in numpy.flatnonzero(gaps):
            rows = donors[at][shared[donors[at]] > 0]
            if not len(rows):
                made[at] = means[at]
                continue
            near = rows[numpy.argsort(apart[rows], kind="stable")[:count]]
            if not by_distance:
                made[at] = known[near, at].mean()
                continue
            same = apart[near] == 0.0
            weights = same.astype(float) if same.any() else 1.0 / apart[near]
            made[at] = weights @ known[near, at] / weights.sum()
        return made

    def run(x: Any) -> Any:
        made = x.copy()
        for place in numpy.flatnonzero(numpy.isnan(x).any(axis=1)):
            made[place] = one(x[place])
        return made

    return run


@step("rounds")
def _rounds(node: dict[str, Any]) -> Step:
    """Gaps begun with one number a column, then told by models of the other columns, one after the other."""
    begin = node["begin"]
    turns = [(turn["at"], turn["others"], turn["low"], turn["high"], chain(turn)) for turn in node["turns"]]

    def run(x: Any) -> Any:
        gaps = numpy.isnan(x)
        made = numpy.where(gaps, begin, x)
        if gaps.all():  # of nothing, nothing more can be told
            return made
        for at, others, low, high, tell in turns:
            rows = gaps[:, at]
            if rows.any():
                made[rows, at] = numpy.clip(tell(made[rows][:, others]), low, high)
        return made

    return run


@step("gaps")
def _gaps(node: dict[str, Any]) -> Step:
    """1 where there is a gap."""
    columns = node["columns"]
    return lambda x: numpy.isnan(x[:, columns]).astype(float)
