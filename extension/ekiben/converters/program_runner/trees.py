"""Steps that ask trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .lanes import by_lanes
from .planes import by_planes
from .steps import Step, step
from .tables import by_tables

#: From rows to the numbers of their leaves, trees × n (or of each row), in parts.
Ask = Callable[[Any], list[Any]]
#: From here on a number of 64 bits is infinite in 32.
INFINITE = 2.0**128 - 2.0**103


@step("trees")
def _trees(node: dict[str, Any]) -> Step:
    """Numbers to ``values`` (leaves × outputs) of the leaves that each row falls into, summed over trees.

    ``groups`` trees in turn belong to one round of as many outputs; 0 where every leaf has all outputs.
    Up to ``few`` rows are answered by a ``table`` if it says so, more by ``planes`` or ``lanes``, and what is
    left by the ``model``, or by planes or lanes where there is none.
    """
    values, groups, scale, base = node["values"], node["groups"], node["scale"], node["base"]
    total = _total(values, groups, node["trees"])
    outputs = (-1,) if values.ndim == 1 and not groups else (-1, groups or values.shape[1])
    most = node["few"]
    walk = _walk(node) if "model" in node else None
    lined = _many(node)
    few: Any = _by_lines(node, by_tables(node)) if node["table"] else walk or lined
    many: Any = lined or walk

    bounded = node.get("bounded", False)  # all columns, or which of them

    def answer(x: Any) -> Any:
        if bounded and (numpy.abs(x if bounded is True else x[:, bounded]) >= INFINITE).any():
            raise ValueError("Input contains infinity or a value too large for dtype('float32').")
        parts = [total(places) for places in (few if len(x) <= most else many)(x)]
        made = parts[0] if len(parts) == 1 else numpy.concatenate(parts)
        made = made.reshape(outputs)
        if scale is not None:
            made = made / scale
        return made if base is None else made + base

    return answer


def _total(values: Any, groups: int, trees: int) -> Callable[[Any], Any]:
    """A function from the numbers of leaves (trees × n, or of one row) to the sums (n × outputs).

    They are added tree by tree, as the libraries do; NumPy's own sum of one row would go another way.
    """
    single, turns = values.ndim == 1 or values.shape[1] == 1, groups or 1
    flat = values.reshape(-1)
    outputs = numpy.arange(trees) % turns

    def total(places: Any) -> Any:
        if places.ndim == 1 or places.shape[1] == 1:
            places = places.reshape(-1)
            if single:
                return numpy.bincount(outputs, flat.take(places), turns)[None]
            return numpy.add.reduce(values.take(places, axis=0), axis=0)[None]
        if single:
            made = flat.take(places).reshape(-1, turns * places.shape[1])
            return numpy.add.reduce(made, axis=0).reshape(turns, -1).T
        return numpy.add.reduce(values.take(places, axis=0), axis=0)

    return total


def _many(node: dict[str, Any]) -> Ask | None:
    """The way that many rows are asked without ONNX Runtime; None where they are not."""
    if node["lanes"] is not None:
        return by_lanes(node["lanes"], node["width"])
    return _by_lines(node, by_planes(node)) if node["planes"] else None


def _by_lines(node: dict[str, Any], ask: Ask) -> Ask:
    """``ask`` on the columns that it knows, in doubles that were made of what the trees compare."""
    columns, narrow = node["columns"], node["dtype"] != "float64"
    every = columns.tolist() == list(range(node["width"]))

    def asked(x: Any) -> Any:
        x = x if every else x.take(columns, axis=1)
        return ask(x.astype(node["dtype"]).astype("float64") if narrow else x)

    return asked


def _walk(node: dict[str, Any]) -> Ask:
    """A function from rows to the numbers of their leaves (trees × n), by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    run = onnxruntime.InferenceSession(node["model"], options, providers=["CPUExecutionProvider"]).run
    dtype, outputs = node["dtype"], ["y"]
    return lambda x: [run(outputs, {"x": x.astype(dtype, copy=False)})[0].T.astype("int64", order="C")]
