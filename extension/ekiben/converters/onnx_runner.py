"""Runs a network that was exported to ONNX. Travels with the service as ``runtime/form.py``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock
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

Answer = Callable[[Any], dict[str, Any]]


def load(folder: Path, contract: dict[str, Any]) -> Answer:
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

    def answer(rows: Any) -> dict[str, Any]:
        data = numpy.asarray(rows, dtype=shown).astype(dtype, copy=False)
        return dict(zip(names, run(outputs, {name: data}), strict=True))

    return _bound(session, names, answer) if dtype == shown else answer


def _bound(session: Any, names: list[str], answer: Answer) -> Answer:
    """``answer``, but one row goes through arrays that the session knows by their places in memory.

    That spares it looking at what it is given and making what it gives, a third of what a small network
    takes. Only where the graph itself tells all shapes but the first axis, and means it.
    """
    binding = session.io_binding()
    kept = []
    for entries, bind in (
        (session.get_inputs(), binding.bind_input),
        (session.get_outputs(), binding.bind_output),
    ):
        for entry in entries:
            shape = [1, *entry.shape[1:]]
            if not entry.shape or not all(type(size) is int for size in shape[1:]) or entry.type not in TYPES:
                return answer
            array = numpy.zeros(shape, TYPES[entry.type])
            bind(entry.name, "cpu", 0, array.dtype.type, shape, array.ctypes.data)
            kept.append(array)
    given, *made = kept
    run, busy = session.run_with_iobinding, Lock()
    try:
        run(binding)
    except Exception:  # noqa: BLE001 - the graph's shapes are not what it makes, or it refuses zeros
        return answer

    def bound(rows: Any) -> dict[str, Any]:
        if len(rows) != 1 or not busy.acquire(blocking=False):
            return answer(rows)
        try:
            given[0] = rows[0]
            run(binding)
            return {name: array.copy() for name, array in zip(names, made, strict=True)}
        finally:
            busy.release()

    return bound
