"""Frozen dataclasses to JSON and back, for the records and nothing more.

``FORMAT`` numbers every file that is kept. Upgrade manual:

* 1 – the first format. ``Tolerance.scales`` came later: where it is not there, no output has one, and
  every number counts by itself, as it did. ``Compiled.ways`` came later too: without it nothing is told.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

FORMAT = 1

T = TypeVar("T")

Self = TypeVar("Self", bound="Record")


def encode(value: Any) -> Any:
    """Plain JSON data of a record: dataclasses become objects, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], data: Any) -> T:
    """The record that ``data`` describes.

    Unknown keys are left out, so that a file of a newer minor version still opens.

    Raises:
        TypeError: a key without a default is missing.
    """
    return cast(T, _decode(kind, data))


def _decode(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        arguments = [a for a in typing.get_args(kind) if a is not type(None)]
        if data is None or len(arguments) != 1:
            return data
        return _decode(arguments[0], data)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decode(item, entry) for entry in data)
    if origin is dict and isinstance(data, Mapping):
        item = typing.get_args(kind)[1]
        return {key: _decode(item, entry) for key, entry in data.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        known = {f.name: hints[f.name] for f in dataclasses.fields(kind)}
        return kind(**{name: _decode(known[name], data[name]) for name in known if name in data})
    return data


class Record:
    """The JSON round trip that every noun has."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; ``from_json`` gives the record back."""
        data: dict[str, Any] = encode(self)
        return data

    @classmethod
    def from_json(cls: type[Self], data: dict[str, Any]) -> Self:
        """The record that ``data`` describes; unknown keys are left out."""
        return decode(cls, data)
