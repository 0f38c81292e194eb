"""The golden rows of a model as tensors, for whichever client sends them."""

from __future__ import annotations

import base64
from typing import Any

import numpy

from rig.station import Station

KINDS = {
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BOOL": "bool",
    "BYTES": "object",
}


def tensors(station: Station, binary: bool) -> list[tuple[str, str, numpy.ndarray]]:
    """``(name, datatype, values)`` as the model's own metadata names them.

    In binary a gap in a text is empty, and an image is its file; in JSON that is base64.
    """
    status, told = station.call(f"/v2/models/{station.box.model.name}")
    assert status == 200
    rows: Any = station.rows
    found = []
    for entry in told["inputs"]:
        values = [row[entry["name"]] for row in rows] if station.table else rows
        if entry["datatype"] == "BYTES":
            values = [_sent(value, binary) for value in values]
        if entry["datatype"].startswith("FP"):
            values = numpy.array(values, dtype=float)  # None becomes NaN
        made = numpy.array(values, dtype=KINDS[entry["datatype"]])
        assert [-1, *made.shape[1:]] == entry["shape"]
        found.append((entry["name"], entry["datatype"], made))
    return found


def _sent(value: Any, binary: bool) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"]) if binary else value["b64"]
    return "" if value is None and binary else value


def plain(made: numpy.ndarray) -> list[Any]:
    """Values as JSON; NaN is null."""
    return [None if value != value else value for value in made.ravel().tolist()]


def as_text(values: numpy.ndarray) -> list[Any]:
    """What a client got: bytes become text."""
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
