"""The contract at work: rows of a request against the fields, to a DataFrame or an array.

The contract is the plain JSON of ``contract.json``; ``inputs`` lists the fields in the model's
order. Checking goes column by column, so that a thousand rows cost little more than one.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from .images import schema as image_schema
from .problems import MOST, InvalidRows, Problem, kind_of, problem
from .values import clean, read_value

Contract = dict[str, Any]

JSON_TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "string",
    "category": None,
    "datetime": "string",
    "image": "object",
}


def check(contract: Contract, rows: Any) -> tuple[list[list[Any]], list[Problem]]:
    """The columns of ``rows`` in the contract's order, and the warnings.

    Raises:
        InvalidRows: with the places that break the contract, the first ``MOST`` or so of them.
    """
    if not isinstance(rows, list):
        raise InvalidRows([problem("$.rows", "rows_type", got=kind_of(rows))])
    if not rows:
        raise InvalidRows([problem("$.rows", "empty_rows")])
    bad: list[Problem] = []
    columns = SHAPES[contract["input"]](contract, rows, bad)
    if bad:
        raise InvalidRows(bad)
    return check_columns(contract, columns)


def check_columns(contract: Contract, columns: list[Any]) -> tuple[list[Any], list[Problem]]:
    """The same columns, each value read against its field, and the warnings.

    A column may be an array of numbers (n,), and is one afterwards where it had nothing to say.

    Raises:
        InvalidRows: with the places that break the contract: of each column no more than ``MOST``.
    """
    bad: list[Problem] = []
    warnings: list[Problem] = []
    if contract["input"] == "tensor":
        return columns, warnings
    rules = (contract["unseen"], contract["outside"])
    columns = list(columns)
    for place, (field, values) in enumerate(zip(contract["inputs"], columns, strict=True)):
        if hasattr(values, "dtype"):
            from .typed import column

            made = column(field, values)
            values = columns[place] = values.tolist() if made is None else made
            if made is not None:
                continue
        if clean(field, values):
            continue
        rest = _rest(contract, field)
        room = len(bad) + MOST + 1
        for index, value in enumerate(values):
            values[index] = read_value(field, value, f"$.rows[{index}]{rest}", rules, bad, warnings)
            if len(bad) >= room:
                break
    if bad:
        # The first places by row; a column's later ones were not looked for.
        bad.sort(key=lambda entry: int(entry.path.split("[")[1].split("]")[0]))
        raise InvalidRows(bad[: MOST + 1])
    return columns, warnings


def _rest(contract: Contract, field: dict[str, Any]) -> str:
    """What follows a row in the path of a field's value."""
    if contract["input"] in ("texts", "images"):
        return ""
    if contract["input"] == "array":
        return f"[{contract['inputs'].index(field)}]"
    return _named(field["name"])


def _named(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"


def _table(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    fields = {field["name"]: field for field in contract["inputs"]}
    listed = ", ".join(list(fields)[:12]) + ("…" if len(fields) > 12 else "")
    for index, row in enumerate(rows):
        if len(bad) > MOST:
            break
        if not isinstance(row, dict):
            bad.append(problem(f"$.rows[{index}]", "row_type", got=kind_of(row), wanted="object"))
            continue
        if row.keys() == fields.keys():
            continue
        for name, field in fields.items():
            if name not in row and not absent(contract, field):
                bad.append(problem(f"$.rows[{index}]{_named(name)}", "missing_field", kind=field["kind"]))
        unknown = (str(name) for name in row if name not in fields)
        for name in islice(unknown, MOST + 1):
            bad.append(problem(f"$.rows[{index}]{_named(name)}", "unknown_field", fields=listed))
    return [] if bad else [[row.get(name) for row in rows] for name in fields]


def absent(contract: Contract, field: dict[str, Any]) -> bool:
    """Whether the sample's records had no such key where they had no value."""
    return contract["input"] == "records" and field.get("missing") == "absent"


def _array(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    width = len(contract["inputs"])
    for index, row in enumerate(rows):
        if len(bad) > MOST:
            break
        if not isinstance(row, list):
            bad.append(problem(f"$.rows[{index}]", "row_type", got=kind_of(row), wanted="list"))
        elif len(row) != width:
            bad.append(problem(f"$.rows[{index}]", "row_width", got=len(row), wanted=width))
    return [] if bad else [[row[position] for row in rows] for position in range(width)]


def _single(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    return [list(rows)]


def _tensor(contract: Contract, rows: list[Any], bad: list[Problem]) -> list[list[Any]]:
    """Nested lists to one array a row: shape, kind and finiteness are checked array by array."""
    import numpy

    field = contract["inputs"][0]
    shape = tuple(field["shape"])
    limits = numpy.iinfo(field["dtype"]) if field["kind"] == "integer" else None
    found: list[Any] = []
    for index, row in enumerate(rows):
        if len(bad) > MOST:
            break
        path = f"$.rows[{index}]"
        try:
            array = numpy.array(row)
        except ValueError:  # lists of unequal length
            bad.append(problem(path, "row_shape", wanted=list(shape)))
            continue
        if array.dtype.kind == "O" and field["nullable"] and _numbers_and_gaps(array):
            array = array.astype(float)  # None becomes NaN
        if array.shape != shape:
            bad.append(problem(path, "row_shape", wanted=list(shape)))
        elif array.dtype.kind not in KINDS_TAKEN[field["kind"]]:
            bad.append(problem(path, "wrong_type", value="…", got="list", kind=field["kind"]))
        elif array.dtype.kind == "f" and not field["nullable"] and not numpy.isfinite(array).all():
            bad.append(problem(path, "not_finite", value="NaN"))
        elif limits is not None and (array.min() < limits.min or array.max() > limits.max):
            bad.append(problem(path, "out_of_dtype", value="…", dtype=field["dtype"]))
        else:
            found.append(array)
    return [found]


def _numbers_and_gaps(array: Any) -> bool:
    """Whether an array of objects holds nothing but None and numbers that a double can be."""
    return all(
        value is None or type(value) is float or (type(value) is int and abs(value) < 2**1023)
        for value in array.flat
    )


KINDS_TAKEN = {"number": "fiu", "integer": "iu", "boolean": "b"}
SHAPES = {
    "table": _table,
    "records": _table,
    "array": _array,
    "tensor": _tensor,
    "texts": _single,
    "images": _single,
}


def to_data(contract: Contract, columns: list[list[Any]]) -> Any:
    """The data that the model was shown at capture, n rows long: DataFrame, array or list."""
    form = contract["input"]
    if form == "texts":
        return columns[0]
    if form == "images":
        return _stacked(contract, columns[0])
    if form == "records":
        fields = contract["inputs"]
        names = [field["name"] for field in fields]
        # JSON writes 1.0 as 1 at times; the model's code was shown a float.
        read = [
            [value if value is None else float(value) for value in values]
            if field["kind"] == "number" and field["dtype"].startswith("float")
            else values
            for field, values in zip(fields, columns, strict=True)
        ]
        made = [dict(zip(names, values, strict=True)) for values in zip(*read, strict=True)]
        for field in fields:
            _as_left_out(made, field["name"], field.get("missing"))
        return made
    if form in ("array", "tensor"):
        import numpy

        if form == "tensor":
            rows = columns[0]
            if hasattr(rows, "dtype"):  # one array; a copy, for a model may write into its input
                return numpy.array(rows, dtype=contract["dtype"])
            return numpy.stack(rows).astype(contract["dtype"], copy=False)
        return numpy.array(columns, dtype=contract["dtype"]).T.copy()
    from .frames import frame

    return frame(contract["inputs"], columns)


def _as_left_out(records: list[dict[str, Any]], name: str, how: str | None) -> None:
    """Gaps as the sample's records had them: no such key, NaN, or None."""
    for record in records if how in ("absent", "nan") else ():
        if record[name] is None:
            if how == "absent":
                del record[name]
            else:
                record[name] = float("nan")


def _stacked(contract: Contract, images: list[Any]) -> Any:
    """A list of images, or one array (n × …) where the sample was one."""
    if not contract["dtype"]:
        return images
    import numpy

    return numpy.stack(images)


def row_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema of one row: the view of the contract that the OpenAPI page shows."""
    form = contract["input"]
    if form == "texts":
        return {"type": "string"}
    if form == "images":
        return _field_schema(contract["inputs"][0], contract["unseen"])
    if form in ("array", "tensor"):
        schema: dict[str, Any] = {"type": JSON_TYPES[contract["inputs"][0]["kind"]]}
        sizes = contract["inputs"][0]["shape"] if form == "tensor" else [len(contract["inputs"])]
        for size in reversed(sizes):
            schema = {"type": "array", "minItems": size, "maxItems": size, "items": schema}
        return schema
    shown = {field["name"]: _field_schema(field, contract["unseen"]) for field in contract["inputs"]}
    return {
        "type": "object",
        "properties": shown,
        "required": [field["name"] for field in contract["inputs"] if not absent(contract, field)],
        "additionalProperties": False,
    }


def _field_schema(field: dict[str, Any], unseen_rule: str) -> dict[str, Any]:
    if field["kind"] == "image":
        shown = image_schema(field)
        return {"anyOf": [shown, {"type": "null"}]} if field["nullable"] else shown
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
