"""Tensors as they travel: the Open Inference Protocol's datatypes to Python's and numpy's values and back."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy

from ..predictor import plain
from .call import refused
from .described import DATATYPES, Described

NUMPY = {name: kind for kind, name in DATATYPES.items()}
#: Every datatype of the protocol.
KNOWN = (*NUMPY, "BF16", "BYTES")
FLOATS = ("FP16", "BF16", "FP32", "FP64")
MOST_AXES = 32

_FLOAT = frozenset({int, float, type(None)})
_WHOLE = frozenset({int, type(None)})
_TAKEN = {"BOOL": frozenset({bool, type(None)}), "BYTES": frozenset({str, type(None)})}


@dataclass
class Tensor:
    """``flat`` holds its values in C order, a list or an array; ``path`` is where it stands in the request.

    ``empty_is_gap``: its texts had no other way to be missing.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    flat: Any
    path: str
    empty_is_gap: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)

    def listed(self) -> list[Any]:
        """The values as Python's own; bytes as the text that they are.

        Raises:
            InvalidRows: they are not UTF-8.
        """
        values: list[Any] = self.flat if isinstance(self.flat, list) else self.flat.tolist()
        if self.datatype != "BYTES" or not any(isinstance(value, (bytes, memoryview)) for value in values):
            return values
        try:
            return [value if isinstance(value, str) else bytes(value).decode() for value in values]
        except UnicodeDecodeError:
            raise refused(400, self.path, "tensor_text") from None

    def filed(self) -> list[Any]:
        """Files: bytes as base64, text as the base64 that it is."""
        listed = [
            value if isinstance(value, (str, type(None))) else base64.b64encode(value).decode()
            for value in self.flat
        ]
        return [value if value is None else {"b64": value} for value in listed]

    def array(self) -> Any:
        """The values as an array of the tensor's shape; a gap is NaN.

        Raises:
            InvalidRows: they are too large for any number.
        """
        made = self.flat
        if isinstance(made, list):
            made = numpy.array(made, dtype=float if None in made else None)
            if made.dtype.kind == "O":
                raise refused(400, f"{self.path}.data", "tensor_values", datatype=self.datatype)
        return made.reshape(self.shape)


def sized(shape: tuple[int, ...]) -> int:
    """How many values a shape has."""
    count = 1
    for size in shape:
        count *= size
    return count


def check_head(name: Any, datatype: Any, shape: Any, path: str) -> tuple[int, ...]:
    """The shape of a tensor whose name, datatype and shape are sound.

    Raises:
        InvalidRows: one of them is not.
    """
    if not isinstance(name, str) or not name:
        raise refused(400, path, "tensor_type", part="name")
    if datatype not in KNOWN:
        raise refused(
            400, f"{path}.datatype", "unknown_datatype", got=repr(datatype)[:40], wanted=", ".join(KNOWN)
        )
    if not isinstance(shape, list) or len(shape) > MOST_AXES:
        raise refused(400, path, "tensor_type", part="shape")
    if any(type(size) is not int or not 0 <= size < 2**40 for size in shape):
        raise refused(400, path, "tensor_type", part="shape")
    return tuple(shape)


def from_json(data: Any, datatype: str, shape: tuple[int, ...], path: str) -> Any:
    """The values of a tensor's ``data``: lists, nested or flat, or an array of the datatype's kind of numbers.

    Raises:
        InvalidRows: they are not of the datatype or not as many as the shape says.
    """
    if isinstance(data, numpy.ndarray):
        return _of(data, datatype, shape, path)
    if not isinstance(data, list):
        raise refused(400, path, "tensor_type", part="data")
    flat = data
    depth = 1
    while flat and type(flat[0]) is list and depth < max(1, len(shape)):
        if any(type(part) is not list for part in flat):
            raise refused(400, f"{path}.data", "tensor_values", datatype=datatype)
        flat = list(chain.from_iterable(flat))
        depth += 1
    if datatype == "BF16":
        raise refused(400, f"{path}.datatype", "tensor_values", datatype=datatype)
    taken = _FLOAT if datatype in FLOATS else _TAKEN.get(datatype, _WHOLE)
    kinds = set(map(type, flat))
    if not kinds <= taken or not _within(flat, kinds, datatype):
        raise refused(400, f"{path}.data", "tensor_values", datatype=datatype)
    if len(flat) != sized(shape):
        raise refused(400, path, "tensor_size", got=len(flat), wanted=sized(shape))
    return flat


def _of(values: Any, datatype: str, shape: tuple[int, ...], path: str) -> Any:
    """An array (n,), held against datatype and shape."""
    kinds = "iu" if "INT" in datatype else "b" if datatype == "BOOL" else "fiu" if datatype in FLOATS else ""
    limits = numpy.iinfo(NUMPY[datatype]) if "INT" in datatype else None
    fits = values.dtype.kind in kinds
    if fits and limits is not None and len(values):
        fits = limits.min <= values.min().item() and values.max().item() <= limits.max
    if not fits:
        raise refused(400, f"{path}.data", "tensor_values", datatype=datatype)
    if len(values) != sized(shape):
        raise refused(400, path, "tensor_size", got=len(values), wanted=sized(shape))
    return values


def _within(flat: list[Any], kinds: set[type], datatype: str) -> bool:
    if "INT" not in datatype or not flat:
        return True
    limits = numpy.iinfo(NUMPY[datatype])
    whole = [value for value in flat if value is not None] if type(None) in kinds else flat
    return not whole or (limits.min <= min(whole) and max(whole) <= limits.max)


def from_bytes(content: Any, datatype: str, shape: tuple[int, ...], path: str) -> Any:
    """The values of a tensor in binary: little-endian numbers, or bytes that follow their length.

    Raises:
        InvalidRows: there are more or fewer bytes than the shape says.
    """
    count = sized(shape)
    if datatype == "BYTES":
        texts = _texts(bytes(content), path)
        if len(texts) != count:
            raise refused(400, path, "tensor_size", got=len(texts), wanted=count)
        return texts
    width = 2 if datatype == "BF16" else numpy.dtype(NUMPY[datatype]).itemsize
    if len(content) != count * width:
        raise refused(400, path, "tensor_bytes", got=len(content), wanted=count * width)
    if datatype == "BF16":  # the upper half of a float32
        return (numpy.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
    if datatype == "BOOL":
        return numpy.frombuffer(content, "u1") != 0
    return numpy.frombuffer(content, numpy.dtype(NUMPY[datatype]).newbyteorder("<"))


def _texts(content: bytes, path: str) -> list[bytes]:
    found: list[bytes] = []
    at, end = 0, len(content)
    try:
        while at < end:
            start = at + 4
            at = start + int.from_bytes(content[at:start], "little")
            if start > end or at > end:
                raise ValueError
            found.append(content[start:at])
    except ValueError:
        raise refused(400, path, "tensor_text") from None
    return found


# -- answers -----------------------------------------------------------------------------------------


@dataclass
class Output:
    """One tensor of an answer; ``values`` is an array of its shape, of objects where they are texts."""

    name: str
    datatype: str
    values: Any

    @property
    def shape(self) -> list[int]:
        """Its shape."""
        return list(self.values.shape)

    def listed(self) -> list[Any]:
        """The values in C order, as JSON can say them; NaN is null."""
        values: list[Any] = self.values.ravel().tolist()
        if self.datatype in FLOATS and not numpy.isfinite(self.values).all():
            return [None if value != value else value for value in values]
        return values

    def packed(self) -> bytes:
        """The values in binary."""
        if self.datatype != "BYTES":
            dtype = numpy.dtype(NUMPY[self.datatype]).newbyteorder("<")
            return bytes(numpy.ascontiguousarray(self.values, dtype).tobytes())
        texts = [value.encode("utf-8", "replace") for value in self.values.ravel().tolist()]
        return b"".join([part for text in texts for part in (struct.pack("<I", len(text)), text)])


def output(name: str, values: Any, told: Described | None) -> Output:
    """An answer as a tensor of the datatype that clients were told of, else of the one that it has."""
    if told is not None and told.datatype != "BYTES":
        try:
            return Output(name, told.datatype, _numbers(values, NUMPY[told.datatype]))
        except (TypeError, ValueError, OverflowError):
            pass  # an edited service may answer otherwise
    made = values if isinstance(values, numpy.ndarray) else numpy.array(values, dtype=object)
    if made.dtype.kind in "fiub" and (told is None or told.datatype != "BYTES"):
        return Output(name, DATATYPES.get(made.dtype.name, "FP64"), made)
    return Output(name, "BYTES", _objects(made, None if told is None else len(told.shape)))


def _numbers(values: Any, dtype: str) -> Any:
    if hasattr(values, "dtype") and values.dtype.kind in "fiub":
        return numpy.asarray(values, dtype)
    made = numpy.array(plain(values), dtype=object)
    made[made == None] = float("nan")  # noqa: E711 - elementwise
    if made.size and any(isinstance(value, str) for value in made.ravel().tolist()):
        raise TypeError
    return made.astype(dtype)


def _objects(made: Any, axes: int | None) -> Any:
    """Texts as they are; what is no text as JSON."""
    values = plain(made)
    shape = made.shape if axes is None else made.shape[:axes]
    flat = values
    for _axis in shape[1:]:
        flat = list(chain.from_iterable(flat))
    texts = numpy.empty(len(flat), dtype=object)
    texts[:] = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in flat]
    return texts.reshape(shape)
