"""Many rows of the right types to ``Columns``: no loop over cells in Python. Numbers without gaps become arrays."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from .columns import Columns

Packing = Callable[[Sequence[Any]], Columns]
#: Letters of ``struct`` by kind of field, and the arrays' types.
CODES = {"number": "d", "integer": "q"}
DTYPES = {"d": "float64", "q": "int64"}


def packing(fields: list[dict[str, Any]]) -> Packing | None:
    """A function from rows (tuples of values as their fields want them) to columns; None without NumPy."""
    try:
        import numpy
    except ImportError:
        return None
    by_code: dict[str, list[int]] = {}
    for place, field in enumerate(fields):
        code = CODES.get(field["kind"], "")
        # int64 does not hold all of uint64.
        if (
            code
            and field["categories"] is None
            and not field["nullable"]
            and field["dtype"].lower() != "uint64"
        ):
            by_code.setdefault(code, []).append(place)

    def packed(code: str, values: Any, count: int) -> Any:
        return numpy.frombuffer(struct.pack(f"{count}{code}", *values), DTYPES[code])

    def whole(rows: Sequence[Any]) -> Columns:
        matrix = packed(code, chain.from_iterable(rows), len(rows) * len(fields)).reshape(-1, len(fields))
        return Columns(matrix.T, matrix)

    def mixed(rows: Sequence[Any]) -> Columns:
        columns: list[Any] = list(zip(*rows, strict=True))
        for code, places in by_code.items():
            values = chain.from_iterable([columns[place] for place in places])
            made = packed(code, values, len(rows) * len(places)).reshape(len(places), -1)
            for place, column in zip(places, made, strict=True):
                columns[place] = column
        return Columns(columns)

    code, places = next(iter(by_code.items()), ("", []))
    return whole if len(places) == len(fields) else mixed
