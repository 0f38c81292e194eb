"""Runs a network that was exported to ONNX. Travels with the service as ``runtime/form.py``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnxruntime

#: ``numpy.array`` is all that is asked of rows.
COLUMNS = True
TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(bool)": "bool",
}


def load(folder: Path, contract: dict[str, Any]) -> Callable[[list[Any]], dict[str, Any]]:
    """A function from checked rows to the answers by name, n entries each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(folder / "graph.onnx", options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    name, dtype, shown, run = entry.name, TYPES[entry.type], contract["dtype"], session.run
    names = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    outputs = [
        output.name for output in session.get_outputs()
    ]  # told once, or the session lists them each call

    def answer(rows: list[Any]) -> dict[str, Any]:
        data = numpy.asarray(rows, dtype=shown).astype(dtype, copy=False)
        return dict(zip(names, run(outputs, {name: data}), strict=True))

    return answer
