"""Large requests of the Open Inference Protocol in JSON: the numbers of a tensor go from the bytes to an array.

msgspec finds where a tensor's ``data`` are without reading them, and ``grids.py`` reads them where they are
numbers, flat or nested as the shape. All else in the request is read as in ``call.read_json``; where anything
is odd, all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..grids import LEAST, reader
from .call import read_json
from .tensors import MOST_AXES

#: Whole numbers below it are the same as real ones.
EXACT = 2.0**53


def request(body: bytes) -> Any:
    """The request's JSON data; ``data`` of large tensors of numbers are arrays (n,) of float64 or int64.

    Raises:
        InvalidRows: it is not JSON.
    """
    # Many tensors that are short each are read as quickly without.
    if len(body) >= LEAST * max(1, body.count(b'"datatype"')) and (read := _reader()):
        found = read(body)
        if found is not None:
            return found
    return read_json(body)


@lru_cache(maxsize=1)
def _reader() -> Callable[[bytes], Any] | None:
    numbers = reader()
    try:
        import msgspec
    except ImportError:
        return None
    if numbers is None:
        return None
    raw: Any = msgspec.Raw
    read_parts = msgspec.json.Decoder(dict[str, raw]).decode
    read_tensors = msgspec.json.Decoder(list[dict[str, raw]]).decode
    trouble = (msgspec.MsgspecError, ValueError, RecursionError)

    def read(body: bytes) -> Any:
        try:
            parts = read_parts(body)
            sent = read_tensors(parts["inputs"])
            found = {
                name: None if name == "inputs" else json.loads(bytes(part)) for name, part in parts.items()
            }
            found["inputs"] = [tensor(entry) for entry in sent]
        except (*trouble, KeyError):
            return None
        return found

    def tensor(entry: dict[str, Any]) -> dict[str, Any]:
        data = entry.pop("data", None)
        made = {name: json.loads(bytes(part)) for name, part in entry.items()}
        if data is not None:
            data = bytes(data)
            array = _array(data, made.get("datatype"), made.get("shape"))
            made["data"] = json.loads(data) if array is None else array
        return made

    def _array(data: bytes, datatype: Any, shape: Any) -> Any:
        if len(data) < LEAST or not isinstance(datatype, str) or not isinstance(shape, list):
            return None
        if len(shape) > MOST_AXES or not all(type(size) is int and size > 0 for size in shape):
            return None
        if "INT" in datatype:
            return numbers(data, shape, "integer")
        if not datatype.startswith("FP"):
            return None
        array = numbers(data, shape, "number")
        # A whole number may be larger than what a real one tells apart.
        return None if array is None or not abs(array).max() < EXACT else array

    return read
