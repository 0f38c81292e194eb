"""Columns that arrive as arrays, read against their fields at once: what stays an array never becomes objects.

Each function hands on only what ``values.read_value`` would hand on for every value without a word; else it
gives None and the values are read one by one, by the code that knows what to say.
"""

from __future__ import annotations

from typing import Any

import numpy

from .columns import Columns
from .packing import CODES, DTYPES
from .values import ends

#: Fields whose numbers are the same whether sent as whole or real numbers.
TYPED = ("float", "int", "uint")
#: Whole numbers up to here are the same as real ones.
EXACT = 2**53


def column(field: dict[str, Any], values: Any) -> Any:
    """A column (n,) as the model takes it: an array, or a list with None for its gaps; None: read each value.

    Numbers become float64 and whole numbers int64, as ``packing.py`` has them.
    """
    code = _code(field)
    if not code or values.dtype.kind not in "fiu" or not len(values):
        return None
    gaps = numpy.isnan(values) if values.dtype.kind == "f" and field["nullable"] else None
    if gaps is None or not gaps.any():
        return _laid_out(values, DTYPES[code]) if _within(field, values) else None
    there = values[~gaps]
    if len(there) and not _within(field, there):
        return None
    made = numpy.full(len(values), None, dtype=object)
    made[~gaps] = there.astype(DTYPES[code])
    return made.tolist()


def matrix(fields: list[dict[str, Any]], values: Any) -> Columns | None:
    """Rows (n × fields) of one kind of numbers as ``Columns``; None: look at each column."""
    codes = {_code(field) for field in fields}
    if len(codes) != 1 or "" in codes or values.dtype.kind not in "fiu" or not len(values):
        return None
    (code,) = codes
    whole = values.dtype.kind != "f"
    if code == "q" and not whole:
        return None
    least, most = values.min(axis=0).tolist(), values.max(axis=0).tolist()
    for field, low, high in zip(fields, least, most, strict=True):
        first, last = ends(field)
        if not (first <= low and high <= last):  # nor is a NaN
            return None
        if code == "d" and whole and not -EXACT <= low <= high <= EXACT:
            return None
    made = _laid_out(values, DTYPES[code])
    return Columns(made.T, made)


def tensors(contract: dict[str, Any], values: Any) -> Any:
    """Tensors (n × shape) in the contract's dtype, whole numbers as they are; None: look at each row."""
    field = contract["inputs"][0]
    if field["nullable"] or values.dtype.kind not in {"number": "fiu", "integer": "iu"}.get(
        field["kind"], ""
    ):
        return None
    if not values.size:
        return None
    dtype = numpy.dtype(contract["dtype"])
    if dtype.kind != "f":
        low, high = ends({**field, "minimum": None})
        fits = low <= values.min().item() and values.max().item() <= high
        return _laid_out(values, values.dtype) if fits else None
    with numpy.errstate(over="ignore"):
        made = _laid_out(values, dtype)
    return made if numpy.isfinite(made).all() else None


def _code(field: dict[str, Any]) -> str:
    """The letter of ``packing.CODES``; empty where the field's values are no plain numbers."""
    dtype = field["dtype"].lower()
    # int64 does not hold all of uint64.
    if field["categories"] is not None or dtype == "uint64" or not dtype.startswith(TYPED):
        return ""
    return CODES.get(field["kind"], "")


def _laid_out(values: Any, dtype: Any) -> Any:
    """The same of ``dtype``; aligned, which the bytes in the middle of a body need not be."""
    return numpy.require(values, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _within(field: dict[str, Any], values: Any) -> bool:
    """Whether all are within the field's ends, and the same as whole or as real numbers."""
    first, last = ends(field)
    # As Python's numbers: NumPy would compare int64's greatest as a float.
    low, high = values.min().item(), values.max().item()
    if not (first <= low and high <= last):
        return False
    if (field["kind"] == "integer") is (values.dtype.kind != "f"):
        return True
    if field["kind"] == "integer":
        return bool((values == numpy.floor(values)).all())
    return bool(low >= -EXACT and high <= EXACT)
