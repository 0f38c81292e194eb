"""The contract at work: rows of a request against the fields, to a DataFrame or an array.

The contract is the plain JSON of ``contract.json``; ``inputs`` lists the fields in the model's
order. Checking goes column by column, so that a thousand rows cost little more than one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from .problems import InvalidRows, Problem, kind_of, problem
from .values import read_value

Contract = dict[str, Any]

JSON_TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "string",
    "category": None,
    "datetime": "string",
}


def check(contract: Contract, rows: Any) -> tuple[list[list[Any]], list[Problem]]:
    """The columns of ``rows`` in the contract's order, and the warnings.

    Raises:
        InvalidRows: with every place that breaks the contract.
    """
    if not isinstance(rows, list):
        raise InvalidRows([problem("$.rows", "rows_type", got=kind_of(rows))])
    if not rows:
        raise InvalidRows([problem("$.rows", "empty_rows")])
    bad: list[Problem] = []
    warnings: list[Problem] = []
    columns = _table(contract, rows, bad) if contract["input"] == "table" else _array(contract, rows, bad)
    if bad:
        raise InvalidRows(bad)
    for field, values in zip(contract["inputs"], columns, strict=True):
        for index, value in enumerate(values):
            path = _path(contract, index, field)
            values[index] = read_value(field, value, path, contract["unseen"], bad, warnings)
    if bad:
        raise InvalidRows(sorted(bad, key=lambda entry: int(entry.path.split("[")[1].split("]")[0])))
    return columns, warnings


def _path(contract: Contract, index: int, field: dict[str, Any]) -> str:
    if contract["input"] == "array":
        return f"$.rows[{index}][{contract['inputs'].index(field)}]"
    name = field["name"]
    return f"$.rows[{index}].{name}" if name.isidentifier() else f"$.rows[{index}][{json.dumps(name)}]"


def _table(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    fields = {field["name"]: field for field in contract["inputs"]}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            bad.append(problem(f"$.rows[{index}]", "row_type", got=kind_of(row), wanted="object"))
            continue
        if row.keys() == fields.keys():
            continue
        for name, field in fields.items():
            if name not in row:
                bad.append(problem(_path(contract, index, field), "missing_field", kind=field["kind"]))
        listed = ", ".join(list(fields)[:12]) + ("…" if len(fields) > 12 else "")
        for name in row.keys() - fields.keys():
            bad.append(problem(_path(contract, index, {"name": str(name)}), "unknown_field", fields=listed))
    return [] if bad else [[row[name] for row in rows] for name in fields]


def _array(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    width = len(contract["inputs"])
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            bad.append(problem(f"$.rows[{index}]", "row_type", got=kind_of(row), wanted="list"))
        elif len(row) != width:
            bad.append(problem(f"$.rows[{index}]", "row_width", got=len(row), wanted=width))
    return [] if bad else [[row[position] for row in rows] for position in range(width)]



def to_data(contract: Contract, columns: list[list[Any]]) -> Any:
    """The DataFrame (``table``) or array (``array``) that the model was shown at capture, n rows long."""
    if contract["input"] == "array":
        import numpy

        return numpy.array(columns, dtype=contract["dtype"]).T.copy()
    from .frames import frame

    return frame(contract["inputs"], columns)


def row_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema of one row: the view of the contract that the OpenAPI page shows."""
    shown = {field["name"]: _field_schema(field, contract["unseen"]) for field in contract["inputs"]}
    if contract["input"] == "array":
        return {
            "type": "array",
            "minItems": len(shown),
            "maxItems": len(shown),
            "items": {"type": "number"},
        }
    return {
        "type": "object",
        "properties": shown,
        "required": list(shown),
        "additionalProperties": False,
    }


def _field_schema(field: dict[str, Any], unseen_rule: str) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    kind = JSON_TYPES[field["kind"]]
    if kind:
        schema["type"] = [kind, "null"] if field["nullable"] else kind
    if field["kind"] == "datetime":
        schema["format"] = "date-time"
    if field["categories"] is not None and unseen_rule == "reject":
        schema["enum"] = [*field["categories"], *([None] if field["nullable"] else [])]
    if field["minimum"] is not None:
        schema["description"] = f"{field['minimum']} … {field['maximum']} in the sample"
    return schema


def Row(path: str | Path) -> Any:
    """The type of one row, documented by the contract in ``path`` and checked by it, not by pydantic."""
    from pydantic import WithJsonSchema

    contract = json.loads(Path(path).read_text(encoding="utf-8"))
    return Annotated[Any, WithJsonSchema(row_schema(contract))]

