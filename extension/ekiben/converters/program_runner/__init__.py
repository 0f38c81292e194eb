"""Runs a model that was written down as arrays and steps. Travels with the service as ``runtime/form``.

``program.json`` holds a tree of steps, ``program.npz`` their arrays, ``trees….onnx`` the trees,
``words….json`` the vocabularies. A step takes the rows, or the numbers (n × k) that the step before made
of them. NumPy is all that it needs, and ONNX Runtime where there are large trees.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy

from . import (  # noqa: F401 - their steps register themselves
    alone_steps,
    answers,
    categories,
    committees,
    formulas,
    imputing,
    kernels,
    neighbours,
    numbers,
    oblivious,
    processes,
    rows,
    several,
    shapes,
    sparse,
    texts,
    topics,
    trees,
)
from .alone import alone
from .steps import Step, make

#: Many rows may come by column (``runtime/columns.py``): the steps of ``rows.py`` know how to take them.
COLUMNS = True


def load(folder: Path, contract: dict[str, Any]) -> Step:
    """A function from checked rows to the answers by name, n entries each."""
    tree = json.loads((folder / "program.json").read_text(encoding="utf-8"))
    with numpy.load(folder / "program.npz", allow_pickle=False) as arrays:
        gaps = any(field["nullable"] for field in contract["inputs"])
        node = _resolved(tree, dict(arrays), folder, gaps)
        return alone(node, make(node))


def _resolved(node: Any, arrays: dict[str, Any], folder: Path, gaps: bool) -> Any:
    """The tree with arrays in the places of their names and paths in those of files.

    Where the contract lets no gap in (``gaps``), nothing looks for one.
    """
    if isinstance(node, list):
        return [_resolved(entry, arrays, folder, gaps) for entry in node]
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "file" in node:
        return folder / node["file"]
    found = {key: _resolved(value, arrays, folder, gaps) for key, value in node.items()}
    if node.get("op") == "numbers" and not gaps:
        found["gaps"] = True
    return found
