"""Loads and calls an ONNX model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """A session on the model that ``folder`` keeps."""
    import onnxruntime

    return onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def call(model: Any, data: Any) -> dict[str, Any]:
    """The first output is ``predictions``; the others have the names of the graph, n entries each.

    The probabilities of a classifier are ``probabilities``, n × classes.
    """
    session = model if hasattr(model, "get_inputs") else _session(model)
    feeds = _feeds(session.get_inputs(), data)
    if all(entry.shape and entry.shape[0] == 1 for entry in session.get_inputs()) and len(data) != 1:
        # The graph takes one row at a time.
        singles = [session.run(None, {name: values[i : i + 1] for name, values in feeds.items()})
                   for i in range(len(data))]  # fmt: skip
        found = [_joined([single[place] for single in singles]) for place in range(len(singles[0]))]
    else:
        found = session.run(None, feeds)
    answers: dict[str, Any] = {}
    for output, values in zip(session.get_outputs(), found, strict=True):
        if "prob" in output.name.lower() and answers:
            answers["probabilities"] = _matrix(values)
        else:
            answers["predictions" if not answers else output.name] = values
    return answers


def _session(proto: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def _feeds(inputs: list[Any], data: Any) -> dict[str, Any]:
    import numpy

    if len(inputs) == 1:
        dtype = TYPES[inputs[0].type]
        values = numpy.asarray(data, dtype=dtype)
        flat = len(inputs[0].shape) == 1
        return {inputs[0].name: values if flat or values.ndim > 1 else values[:, None]}
    # One input a column, as converters make them of a DataFrame.
    if isinstance(data, list):
        columns = {entry.name: [row[entry.name] for row in data] for entry in inputs}
    else:
        columns = {entry.name: data[entry.name] for entry in inputs}
    feeds = {}
    for entry in inputs:
        values = numpy.asarray(columns[entry.name], dtype=TYPES[entry.type])
        feeds[entry.name] = values[:, None] if len(entry.shape) == 2 else values
    return feeds


def _matrix(values: Any) -> Any:
    """A list of one dictionary a row, as ZipMap makes, to rows of numbers."""
    if isinstance(values, list) and values and isinstance(values[0], dict):
        import numpy

        return numpy.array([list(row.values()) for row in values], dtype="float32")
    return values


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], list):
        return [entry for part in parts for entry in part]
    import numpy

    return numpy.concatenate(parts)
