"""Rows as TensorFlow Serving and MLflow write them in JSON: ``instances`` by row, ``inputs`` by column."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import islice
from typing import Any

from ..problems import MOST, InvalidRows, kind_of, problem
from .asking import Given, Place
from .call import refused

#: What follows a row in a place: the field, by name or by number, and what follows that.
_FIELD = re.compile(r"""(\.[^.\[]*|\["(?:[^"\\]|\\.)*"\]|\[\d+\]|)(.*)""", re.DOTALL)


def by_row(contract: dict[str, Any], instances: Any, key: str = "$.instances") -> Given:
    """Rows from a list of instances: objects by name, lists in the order of the fields, or bare values.

    Raises:
        InvalidRows: it is not a list, or holds base64 that cannot be read.
    """
    if not isinstance(instances, list):
        raise refused(400, key, "list_type", got=kind_of(instances))
    form = contract["input"]
    names = [field["name"] for field in contract["inputs"]]
    read = _table if form in ("table", "records") else _bare
    rows = [read(contract, names, entry, f"{key}[{index}]") for index, entry in enumerate(instances)]
    return Given(rows=rows, place=row_place(key))


def by_column(contract: dict[str, Any], inputs: Any, key: str = "$.inputs") -> Given:
    """Rows from columns: an object of lists by name, or, where the model has one input, its list.

    Raises:
        InvalidRows: the columns are not those of the contract or not of one length.
    """
    form = contract["input"]
    names = [field["name"] for field in contract["inputs"]]
    if not isinstance(inputs, dict):
        return by_row(contract, inputs, key)
    if form not in ("table", "records") and inputs.keys() != set(names):
        if len(inputs) == 1:
            name, values = next(iter(inputs.items()))
            return by_row(contract, values, f"{key}.{name}"[:80])
        raise refused(400, key, "column_names", fields=_listed(names))
    if form in ("tensor", "texts", "images"):
        return by_row(contract, inputs[names[0]], f"{key}.{names[0]}")
    unknown = (name for name in inputs if name not in names)
    bad = [
        problem(f"{key}.{name}"[:80], "unknown_field", fields=_listed(names))
        for name in islice(unknown, MOST + 1)
    ]
    for field in contract["inputs"]:
        if field["name"] not in inputs:
            bad.append(problem(f"{key}.{field['name']}", "missing_field", kind=field["kind"]))
        elif not isinstance(inputs[field["name"]], list):
            bad.append(problem(f"{key}.{field['name']}", "list_type", got=kind_of(inputs[field["name"]])))
    if bad:
        raise InvalidRows(bad)
    columns = [
        scalars(field, inputs[field["name"]], f"{key}.{field['name']}") for field in contract["inputs"]
    ]
    same_length(names, columns, key)
    return Given(columns=columns, place=column_place(names, key))


def same_length(names: list[str], columns: list[list[Any]], key: str) -> None:
    """Raises InvalidRows where a column is longer or shorter than the first."""
    first = len(columns[0]) if columns else 0
    for name, column in zip(names, columns, strict=True):
        if len(column) != first:
            raise refused(400, f"{key}.{name}", "unequal", got=len(column), first=names[0], wanted=first)


def row_place(key: str) -> Place:
    """Places like ``$.instances[3].age``."""
    return lambda row, rest: f"{key}[{row}]{rest}" if row else f"{key}{rest}"


def column_place(names: list[str], key: str) -> Place:
    """Places like ``$.inputs.age[3]``, and ``$.inputs.photo[3].b64``."""

    def place(row: str, rest: str) -> str:
        parts = _FIELD.fullmatch(rest)
        name, inner = parts.groups() if parts else (rest, "")
        if name[1:-1].isdigit() and name.startswith("[") and int(name[1:-1]) < len(names):
            name = f".{names[int(name[1:-1])]}"
        return f"{key}{name}[{row}]{inner}" if row else f"{key}{rest}"

    return place


def _table(contract: dict[str, Any], names: list[str], entry: Any, path: str) -> Any:
    if isinstance(entry, list) and len(entry) == len(names):
        entry = dict(zip(names, entry, strict=True))
    elif not isinstance(entry, dict):
        if len(names) != 1 or isinstance(entry, list):
            return entry  # the contract says what is wrong with it
        entry = {names[0]: entry}
    if any(type(value) in (dict, list) for value in entry.values()):
        files = {field["name"] for field in contract["inputs"] if field["kind"] == "image"}
        return {
            name: value if name in files else scalar(value, f"{path}.{name}") for name, value in entry.items()
        }
    return entry


def _bare(contract: dict[str, Any], names: list[str], entry: Any, path: str) -> Any:
    """A row without names: list of numbers, nested lists, text. It may come as the one input of an object."""
    form = contract["input"]
    if isinstance(entry, dict) and "b64" not in entry:
        if form == "array" and entry.keys() == set(names):
            return [scalar(entry[name], f"{path}.{name}") for name in names]
        if len(entry) != 1:
            return entry
        entry = next(iter(entry.values()))
    if form == "texts":
        return scalar(entry, path)
    if form == "tensor" and isinstance(entry, dict) and "b64" in entry:
        return _raw(contract, entry["b64"], path)
    return entry


def scalars(field: dict[str, Any], values: list[Any], path: str) -> list[Any]:
    """A column's values, each as ``scalar`` has it; images are left as they are."""
    if field["kind"] == "image" or not any(type(value) in (dict, list) for value in values):
        return values
    return [scalar(value, f"{path}[{index}]") for index, value in enumerate(values)]


def scalar(value: Any, path: str) -> Any:
    """One value: itself, the only one of a list, or the text of ``{"b64": …}``."""
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is dict and value.keys() == {"b64"}:
        try:
            return decoded(value["b64"], path).decode()
        except UnicodeDecodeError:
            raise refused(400, path, "bad_base64", kind="text") from None
    return value


def decoded(text: Any, path: str) -> bytes:
    """The bytes of base64.

    Raises:
        InvalidRows: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise refused(
            400, path, "bad_base64", kind="text" if isinstance(text, str) else kind_of(text)
        ) from None


def _raw(contract: dict[str, Any], text: Any, path: str) -> Any:
    """A tensor's own bytes, in C order and of the contract's dtype."""
    import numpy

    content = decoded(text, path)
    dtype = numpy.dtype(contract["dtype"]).newbyteorder("<")
    shape = tuple(contract["inputs"][0]["shape"])
    count = 1
    for size in shape:
        count *= size
    if len(content) != count * dtype.itemsize:
        raise refused(400, path, "tensor_bytes", got=len(content), wanted=count * dtype.itemsize)
    return numpy.frombuffer(content, dtype).reshape(shape)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + ("…" if len(names) > 12 else "")
