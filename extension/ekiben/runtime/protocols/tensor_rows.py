"""Tensors to rows of the contract: one a column by name, or one for all where the values are of one kind."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy

from ..columns import MANY
from ..problems import MOST, InvalidRows, problem
from .asking import Given, Place
from .call import refused
from .described import datatype, inputs
from .tensors import KNOWN, Tensor

_WHOLE = tuple(name for name in KNOWN if "INT" in name)
_NUMBERS = (*_WHOLE, *(name for name in KNOWN if "FP" in name or name == "BF16"))


def given(contract: dict[str, Any], tensors: list[Tensor], key: str = "$.inputs") -> Given:
    """The rows that the tensors hold.

    A single tensor needs no particular name where the model takes a single one.

    Raises:
        InvalidRows: names, datatypes or shapes are not those of the contract.
    """
    fields = contract["inputs"]
    names = [field["name"] for field in fields]
    listed = ", ".join(entry.name for entry in inputs(contract)[:20])
    if not tensors:
        raise refused(400, key, "no_tensors", wanted=listed)
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            raise refused(400, tensor.path, "tensor_twice", got=tensor.name[:80])
        seen.add(tensor.name)
    form = contract["input"]
    if len(tensors) == 1 and (
        form in ("tensor", "texts", "images") or not seen <= set(names) or len(names) == 1
    ):
        return _whole(contract, tensors[0])
    if form in ("tensor", "texts", "images"):
        other = next((tensor for tensor in tensors if tensor.name not in names), tensors[-1])
        raise refused(400, other.path, "tensor_names", got=other.name[:80], wanted=listed)
    return _columns(contract, tensors, names, key)


def _columns(contract: dict[str, Any], tensors: list[Tensor], names: list[str], key: str) -> Given:
    listed = ", ".join(names[:20])
    unknown = (tensor for tensor in tensors if tensor.name not in names)
    bad = [
        problem(tensor.path, "tensor_names", got=tensor.name[:80], wanted=listed)
        for tensor in islice(unknown, MOST + 1)
    ]
    by_name = {tensor.name: tensor for tensor in tensors}
    bad += [problem(key, "tensor_missing", got=name, wanted=listed) for name in names if name not in by_name]
    if bad:
        raise InvalidRows(bad)
    columns = []
    count = sized_rows(by_name[names[0]])
    for field in contract["inputs"]:
        tensor = by_name[field["name"]]
        _kind(field, tensor)
        _one_a_row(tensor)
        if tensor.shape[0] != count:
            path, first = tensor.path, names[0]
            raise refused(400, path, "unequal", got=tensor.shape[0], first=first, wanted=count)
        image = field["kind"] == "image"
        columns.append(tensor.filed() if image else _values(field, tensor))
    paths = {name: by_name[name].path for name in names}
    # Columns of one kind are held against their fields in one go, and are one array in most models anyway.
    alike = len({getattr(column, "dtype", None) for column in columns}) == 1
    matrix = numpy.stack(columns, axis=1) if alike and hasattr(columns[0], "dtype") else None
    return Given(columns=columns, matrix=matrix, place=_place(names, paths))


def _whole(contract: dict[str, Any], tensor: Tensor) -> Given:
    """One tensor that holds everything."""
    fields = contract["inputs"]
    form = contract["input"]
    path = f"{tensor.path}.data"

    def place(row: str, rest: str) -> str:
        return f"{path}[{row}]{rest.removesuffix('.b64')}" if row else f"{path}{rest}"

    if form == "images":
        return Given(rows=_images(tensor), place=place)
    for field in fields:
        _kind(field, tensor)
    if form == "tensor":
        wanted = (-1, *fields[0]["shape"])
        if len(tensor.shape) != len(wanted) or tensor.shape[1:] != wanted[1:]:
            raise refused(400, tensor.path, "tensor_shape", got=list(tensor.shape), wanted=list(wanted))
        return Given(rows=tensor.array(), place=place)
    width = len(fields)
    if width == 1:
        _one_a_row(tensor)
        return Given(columns=[_values(fields[0], tensor)], place=place)
    if len(tensor.shape) != 2 or tensor.shape[1] != width:
        raise refused(400, tensor.path, "tensor_shape", got=list(tensor.shape), wanted=[-1, width])
    if tensor.shape[0] >= MANY and hasattr(tensor.flat, "dtype"):
        values = tensor.flat.reshape(tensor.shape)
        return Given(columns=list(values.T), matrix=values, place=place)
    listed = tensor.listed()
    columns = [_filled(field, tensor, listed[at::width]) for at, field in enumerate(fields)]
    return Given(columns=columns, place=place)


def _images(tensor: Tensor) -> list[Any]:
    """Images as ``/predict`` takes them: files, or arrays of whole numbers."""
    if tensor.datatype == "BYTES":
        _one_a_row(tensor)
        return tensor.filed()
    if tensor.datatype != "UINT8":
        raise refused(
            400,
            f"{tensor.path}.datatype",
            "wrong_datatype",
            got=tensor.datatype,
            kind="image",
            wanted="BYTES, UINT8",
        )
    if 0 in tensor.shape:  # as many empty lists as it likes would come of it
        raise refused(400, tensor.path, "tensor_shape", got=list(tensor.shape), wanted=[-1, -1, -1])
    rows: list[Any] = tensor.array().tolist()
    return rows if isinstance(rows, list) else [rows]


def sized_rows(tensor: Tensor) -> int:
    """The number of rows in a column."""
    return tensor.shape[0] if tensor.shape else 1


def _one_a_row(tensor: Tensor) -> None:
    if len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.shape[1] == 1):
        return
    raise refused(400, tensor.path, "tensor_shape", got=list(tensor.shape), wanted=[-1])


def _kind(field: dict[str, Any], tensor: Tensor) -> None:
    """Whether the tensor's datatype can carry the field's values; which of them do, the contract says."""
    wanted = datatype(field)
    taken = (wanted,) if wanted in ("BYTES", "BOOL") else _NUMBERS
    if tensor.datatype not in taken:
        kind = field["kind"]
        raise refused(
            400, f"{tensor.path}.datatype", "wrong_datatype", got=tensor.datatype, kind=kind, wanted=wanted
        )


def _values(field: dict[str, Any], tensor: Tensor) -> Any:
    """A column's values: few as Python's own, many as they came."""
    if hasattr(tensor.flat, "dtype") and tensor.datatype != "BYTES" and sized_rows(tensor) >= MANY:
        return tensor.flat
    return _filled(field, tensor, tensor.listed())


def _filled(field: dict[str, Any], tensor: Tensor, values: list[Any]) -> list[Any]:
    # Arrays of text have no null. Where there are categories an empty text is none of them, so it is a gap;
    # free text may be empty, unless the form leaves no other way to say that it is missing.
    known = field["categories"]
    gap = field["nullable"] and ("" not in known if known is not None else tensor.empty_is_gap)
    if gap and tensor.datatype == "BYTES":
        return [value or None for value in values]
    return values


def _place(names: list[str], paths: dict[str, str]) -> Place:
    def place(row: str, rest: str) -> str:
        rest = rest.removesuffix(".b64")  # an image is its own text here
        bare = rest.removeprefix(".")
        if rest.startswith("["):
            inner = rest[1:-1]
            bare = names[int(inner)] if inner.isdigit() and int(inner) < len(names) else inner[1:-1]
        path = paths.get(bare, "$.inputs")
        return f"{path}.data[{row}]" if row else path

    return place
