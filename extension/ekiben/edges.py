"""Rows at the contract's edges: what the sample may not have shown and a client may send."""

from __future__ import annotations

from typing import Any

from ekiben.records import Contract, Field
from ekiben.runtime.contract import check
from ekiben.runtime.problems import InvalidRows

#: Columns that get rows of their own; a wide table would have thousands.
COLUMNS = 64
CATEGORIES = 40
STRANGE = "\u65e0\u4eba\u77e5\u6653 nobody's"
TEXTS = (
    "",
    " ",
    "0",
    "the of and",
    "a" * 5000,
    "ÄÖÜ ß 東京 \u0130 🙂",
    "UPPER lower",
    "don't-stop 3.14 #x @y\n\ttab",
)


def edge_rows(contract: Contract) -> list[Any]:
    """Rows of the contract's form, all of which it lets in, as they travel.

    Each is a golden row with one value changed (a gap, an end, beyond the end, zero, a category, an
    unknown one), and some have every value at its end.
    """
    golden = list(contract.golden.rows)
    data = contract.to_json()
    return [row for row in _proposed(contract, golden) if _taken(data, row)]


def _taken(contract: dict[str, Any], row: Any) -> bool:
    try:
        check(contract, [row])
    except InvalidRows:
        return False
    return True


def _proposed(contract: Contract, golden: list[Any]) -> list[Any]:
    if contract.input == "texts":
        return [*TEXTS, *(row.upper() for row in golden[:5]), " ".join(golden[:5])]
    if contract.input == "images":
        return golden[:3]
    if contract.input == "tensor":
        return _tensors(contract, golden[0])
    fields = contract.inputs
    listed = contract.input == "array"
    bases = [row if listed else [row[field.name] for field in fields] for row in golden]
    rows: list[list[Any]] = []
    for place, field in enumerate(fields[:COLUMNS]):
        for turn, value in enumerate(_values(field, contract)):
            base = bases[(place + turn) % len(bases)]
            rows.append([*base[:place], value, *base[place + 1 :]])
    for end in (0, 1):
        rows.append([_end(field, end, value) for field, value in zip(fields, bases[0], strict=True)])
        rows.append(
            [
                _end(field, (end + place) % 2, value)
                for place, (field, value) in enumerate(zip(fields, bases[0], strict=True))
            ]
        )
    rows.append([None if field.nullable else value for field, value in zip(fields, bases[0], strict=True)])
    return rows if listed else [dict(zip([f.name for f in fields], row, strict=True)) for row in rows]


def _values(field: Field, contract: Contract) -> list[Any]:
    found: list[Any] = [None] if field.nullable else []
    if field.categories is not None:
        found.extend(field.categories[:CATEGORIES])
        if contract.unseen != "reject":
            found.append(STRANGE if any(isinstance(entry, str) for entry in field.categories) else 987_654)
    elif field.kind in ("number", "integer") and field.minimum is not None and field.maximum is not None:
        low, high = float(field.minimum), float(field.maximum)
        span = (high - low) or 1.0
        numbers = [low, high, 0.0, (low + high) / 2]
        if contract.outside != "reject":
            numbers += [low - span, high + span, high + 1000 * span, low - 1000 * span]
        whole = field.kind == "integer"
        found.extend(round(value) if whole else value for value in numbers)
    elif field.kind == "boolean":
        found.extend((True, False))
    elif field.kind == "text":
        found.extend(TEXTS)
    return found


def _end(field: Field, end: int, value: Any) -> Any:
    if field.categories:
        return field.categories[0 if end == 0 else -1]
    if field.kind in ("number", "integer") and field.minimum is not None:
        return field.maximum if end else field.minimum
    return value


def _tensors(contract: Contract, golden: Any) -> list[Any]:
    import numpy

    field = contract.inputs[0]
    shape = field.shape
    low = 0.0 if field.minimum is None else float(field.minimum)
    high = 1.0 if field.maximum is None else float(field.maximum)
    dtype = int if field.kind == "integer" else float
    ramp = numpy.linspace(low, high, int(numpy.prod(shape))).reshape(shape)
    flats = [numpy.full(shape, value) for value in (0.0, low, high)]
    return [made.astype(dtype).tolist() for made in (*flats, ramp, numpy.flip(ramp))]
