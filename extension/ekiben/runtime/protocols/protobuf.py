"""The wire form of protocol buffers, for the few messages that the gRPC protocols need.

A schema says what a field number means: ``{number: (name, kind, many)}``, where ``kind`` is one of the
words in ``VARINTS`` and ``FIXED``, ``text``, ``bytes``, a schema, or ``Map(schema)``. The form is that of
https://protobuf.dev/programming-guides/encoding; packed numbers are read and written by numpy in one pass.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy

Schema = dict[int, tuple[str, Any, bool]]
#: Words for what travels as a varint, and numpy's dtype of a list of them.
VARINTS = {"int": "i8", "uint": "u8", "bool": "?"}
FIXED = {"float": "<f4", "double": "<f8"}
#: Schemas are dicts and no keys, so this is a list.
_NUMERIC = [*VARINTS, *FIXED]
_MASK = 2**64 - 1


@dataclass(frozen=True)
class Map:
    """A map from text to messages of ``value`` (a kind)."""

    value: Any


class Malformed(ValueError):
    """Bytes that are no message of the schema."""


def read(schema: Schema, data: bytes | memoryview) -> dict[str, Any]:
    """The fields that a message has, by name; a repeated number is an array, another repeated field a list.

    Unknown fields are passed over, as protocol buffers do.

    Raises:
        Malformed: the bytes are no message of the schema.
    """
    data = memoryview(data)
    found: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at, end)
        wire = key & 7
        value: Any
        if wire == 0:
            value, at = _varint(data, at, end)
        else:
            if wire == 2:
                size, at = _varint(data, at, end)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise Malformed(f"wire type {wire}")
            if size > end - at:
                raise Malformed("a field is cut off")
            value, at = data[at : at + size], at + size
        field = schema.get(key >> 3)
        if field is not None:
            _take(found, field, wire, value)
    for name, kind, many in schema.values():
        if many and kind in _NUMERIC and name in found:
            parts = found[name]
            found[name] = parts[0] if len(parts) == 1 else numpy.concatenate(parts)
    return found


def _take(found: dict[str, Any], field: tuple[str, Any, bool], wire: int, value: Any) -> None:
    name, kind, many = field
    if kind in _NUMERIC:
        if many:
            found.setdefault(name, []).append(_numbers(kind, wire, value))
        else:
            found[name] = _numbers(kind, wire, value)[-1].item() if wire != 2 else _wrong(name)
        return
    if wire != 2:
        _wrong(name)
    if isinstance(kind, Map):
        pair = read({1: ("key", "text", False), 2: ("value", kind.value, False)}, value)
        empty: Any = {} if isinstance(kind.value, dict) else ""
        found.setdefault(name, {})[pair.get("key", "")] = pair.get("value", empty)
        return
    if kind == "text":
        try:
            made: Any = bytes(value).decode()
        except UnicodeDecodeError:
            raise Malformed(f"{name} is not UTF-8") from None
    else:
        made = value if kind == "bytes" else read(kind, value)
    if many:
        found.setdefault(name, []).append(made)
    else:
        found[name] = made


def _wrong(name: str) -> Any:
    raise Malformed(f"{name} is of another type")


def _numbers(kind: str, wire: int, value: Any) -> Any:
    """The numbers of one occurrence of a field: one, or a packed list of them."""
    if kind in FIXED:
        dtype = numpy.dtype(FIXED[kind])
        if wire == 0 or len(value) % dtype.itemsize or (wire != 2 and len(value) != dtype.itemsize):
            raise Malformed("a number is cut off")
        return numpy.frombuffer(value, dtype)
    if wire == 0:
        made = numpy.array([value], "u8")
    elif wire == 2:
        made = _varints(value)
    else:
        raise Malformed("a whole number is of another type")
    return made != 0 if kind == "bool" else made.view("i8") if kind == "int" else made


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _MASK, at
        shift += 7
    raise Malformed("a number is cut off")


def _varints(data: memoryview) -> Any:
    """A packed list of varints, all at once: where the groups end, and what each of ten bytes adds."""
    raw = numpy.frombuffer(data, "u1")
    ends = numpy.flatnonzero(raw < 128)
    if not len(raw):
        return numpy.empty(0, "u8")
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise Malformed("a number is cut off")
    starts = numpy.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise Malformed("a number is too long")
    made = numpy.zeros(len(ends), "u8")
    for place in range(int(lengths.max())):
        has = lengths > place
        made[has] |= (raw[starts[has] + place].astype("u8") & 127) << numpy.uint64(7 * place)
    return made


def write(schema: Schema, message: dict[str, Any]) -> bytes:
    """The bytes of a message: the fields that it has."""
    parts: list[bytes] = []
    for number, (name, kind, many) in schema.items():
        value = message.get(name)
        if value is None:
            continue
        if isinstance(kind, Map):
            pair: Schema = {1: ("key", "text", False), 2: ("value", kind.value, False)}
            for key, entry in value.items():
                parts += _framed(number, write(pair, {"key": key, "value": entry}))
        elif many and kind in _NUMERIC:
            if len(value):
                parts += _framed(number, _packed(kind, value))
        else:
            for entry in value if many else (value,):
                parts += _one(number, kind, entry)
    return b"".join(parts)


def _one(number: int, kind: Any, value: Any) -> list[bytes]:
    if not isinstance(kind, str):
        return _framed(number, write(kind, value))
    if kind in VARINTS:
        return [_head(number, 0), _number(int(value))]
    if kind in FIXED:
        code, wire = ("<f", 5) if kind == "float" else ("<d", 1)
        return [_head(number, wire), struct.pack(code, value)]
    return _framed(number, value.encode("utf-8", "replace") if kind == "text" else value)


def _packed(kind: str, values: Any) -> bytes:
    if kind in FIXED:
        return bytes(numpy.ascontiguousarray(values, FIXED[kind]).tobytes())
    if kind == "bool":
        return bytes(numpy.ascontiguousarray(values, "?").tobytes())
    return b"".join(map(_number, numpy.asarray(values).tolist()))


def _framed(number: int, content: bytes) -> list[bytes]:
    return [_head(number, 2), _number(len(content)), content]


def _head(number: int, wire: int) -> bytes:
    return _number(number << 3 | wire)


def _number(value: int) -> bytes:
    value &= _MASK
    if value < 128:
        return bytes((value,))
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
