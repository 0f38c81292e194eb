"""CSV to columns: with a line of names, or without one where the values stand in the fields' order."""

from __future__ import annotations

import csv
import io
from typing import Any

from .asking import Given
from .call import refused
from .plain_json import column_place

#: How pandas and SQL write a gap. In a text column only the empty cell is one.
GAPS = {"", "na", "nan", "null", "none", "n/a", "<na>"}
BOOLEANS = {"true": True, "false": False}


def by_csv(contract: dict[str, Any], body: bytes) -> Given:
    """Rows from CSV. Cells are read by the kind of their field; what cannot be stays text for the contract.

    Raises:
        InvalidRows: it is not CSV in UTF-8, or its columns are not those of the contract.
    """
    fields = contract["inputs"]
    names = [field["name"] for field in fields]
    listed = ",".join(names[:20])
    if contract["input"] == "tensor":
        raise refused(415, "Content-Type", "unknown_content", got="text/csv", wanted="application/json")
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise refused(400, "$", "bad_csv", detail=str(error)[:120], fields=listed) from None
    if not lines:
        raise refused(400, "$", "bad_csv", detail="empty", fields=listed)
    head, first = lines[0], 1
    if sorted(head) == sorted(names):
        order = [head.index(name) for name in names]
    elif len(head) == len(names) and (
        contract["input"] in ("array", "texts", "images") or _values(fields, head)
    ):
        if len(names) > 2 and head == [str(place) for place in range(len(names))]:
            # pandas writes such names where a frame has none; they could be numbers too.
            raise refused(400, "$[0]", "names_or_row", fields=listed)
        order = list(range(len(names)))
        # An array's own names are ours: another line of names says nothing of the order.
        first = 1 if contract["input"] == "array" and not _values(fields, head) else 0
    else:
        raise refused(400, "$", "column_names", fields=listed)
    lines = lines[first:]
    for index, line in enumerate(lines):
        if len(line) != len(names):
            raise refused(400, f"$[{index}]", "row_width", got=len(line), wanted=len(names))
    columns = [[_cell(field, line[at]) for line in lines] for field, at in zip(fields, order, strict=True)]
    return Given(columns=columns, place=column_place(names, "$"))


def _values(fields: list[dict[str, Any]], line: list[str]) -> bool:
    """Whether a line holds values and no names: some field that is no text reads its cell."""
    pairs = [(field, cell) for field, cell in zip(fields, line, strict=True) if _kind(field) is not str]
    return any(not isinstance(_cell(field, cell), str) for field, cell in pairs)


def _kind(field: dict[str, Any]) -> type:
    if field["categories"] is not None:
        kinds = {type(entry) for entry in field["categories"]}
        return kinds.pop() if len(kinds) == 1 else str
    return {"number": float, "integer": int, "boolean": bool}.get(field["kind"], str)


def _cell(field: dict[str, Any], text: str) -> Any:
    if field["kind"] == "image":
        return {"b64": text} if text else None
    kind = _kind(field)
    if kind is str:
        gap = text == "" and field["nullable"] and "" not in (field["categories"] or ())
        return None if gap else text
    bare = text.strip()
    if bare.lower() in GAPS:
        return None
    if "_" in bare:  # Python would read 1_000
        return text
    if kind is bool:
        return BOOLEANS.get(bare.lower(), text)
    try:
        return int(bare) if kind is int and len(bare) < 40 else float(bare)
    except ValueError:
        pass
    try:
        return float(bare)
    except ValueError:
        return text
