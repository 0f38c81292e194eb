"""Drift counts a column in one pass what it would count value by value."""

from __future__ import annotations

import random
from bisect import bisect_right

import numpy
import pytest
from ekiben.runtime.columns import Columns
from ekiben.runtime.drift import MOST, TOGETHER, Block, Drift
from test_decode import contract, field

AGE = field("age", "number", "float64", minimum=0.0, maximum=16.0, counts=list(range(1, 17)))
TOWN = field("town", "category", "object", categories=["Ōtsu", "Kobe"], counts=[10, 20], nullable=True)


def rows(count: int) -> list[tuple[object, object]]:
    chosen = random.Random(7)
    ages = [None, float("nan"), -1, 0, 0.0, 3, 7.5, 16, 16.0, 16.5, 10**20, float("inf")]
    return [(chosen.choice(ages), chosen.choice(["Ōtsu", "Kobe", "Nara", None])) for _n in range(count)]


@pytest.mark.parametrize("known", [True, False])
def test_a_column_is_counted_as_its_values_one_by_one(known: bool) -> None:
    # Where the sample was too large to be counted whole, its gaps are not known.
    drift = Drift({**contract("table", AGE, TOWN), "sample_rows": 200 if known else 10**9})
    assert isinstance(drift.blocks[0], Block)
    sent = rows(MOST)
    drift.offer(sent)
    drift.turn()
    columns = list(zip(*sent, strict=True))
    for entry, values in zip(drift.fields, columns, strict=True):
        expected = [0.0] * len(entry.seen)
        for value in values:
            if value is not None and value == value:
                expected[entry.bin(value)] += 1
            elif known:
                expected[-1] += 1
        assert entry.seen == expected and sum(expected) > 100


def test_many_fields_are_counted_in_blocks_of_their_own_bins() -> None:
    """Each block has fields of few bins and of many, and all are as one by one."""
    chosen = random.Random(3)
    fields = [
        field(
            f"x{n}",
            "number",
            "float32",
            minimum=-1.0,
            maximum=n + 0.1,
            counts=[chosen.choice([0, 0, 9])] * n + [1],
        )
        for n in range(1, TOGETHER + 4)
    ]
    drift, alone = (Drift({**contract("array", *fields), "sample_rows": 10**9}) for _n in range(2))
    sent = [
        tuple(chosen.choice([None, *map(float, range(-2, 22))]) for _field in fields) for _row in range(MOST)
    ]
    drift.offer(sent)
    drift.turn()
    for entry, values in zip(alone.fields, zip(*sent, strict=True), strict=True):
        entry.count(values)
    assert len(drift.blocks) == 2
    assert drift.figures() == alone.figures()


def test_rows_and_columns_are_sampled_alike() -> None:
    sent = [(float(n % 16), "Kobe") for n in range(2 * MOST)]
    ages, towns = zip(*sent, strict=True)
    by_row, by_column, in_pieces = (
        Drift({**contract("table", AGE, TOWN), "sample_rows": 200}) for _n in range(3)
    )
    by_row.offer(sent)
    by_column.offer(Columns([numpy.array(ages), towns]))
    for at in range(MOST):
        in_pieces.offer(sent[at : at + 1])
    in_pieces.offer(Columns([numpy.array(ages), towns]))  # there are enough
    for drift in (by_row, by_column, in_pieces):
        drift.turn()
        assert drift.figures() == by_row.figures()
        assert sum(drift.fields[0].seen) == MOST
    assert bisect_right([0.0], 0.0) == 1  # an edge belongs to the bin above it, as NumPy's side="right"
    nothing = Drift({**contract("tensor", field("x", "number", "float32", shape=[2])), "sample_rows": 9})
    nothing.offer(numpy.zeros((9, 2)))
    assert nothing.waiting == []
