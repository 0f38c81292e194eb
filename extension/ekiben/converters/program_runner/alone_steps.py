"""The steps of one row in plain Python (``alone.py``): from the row to its numbers, and from numbers to numbers."""

from __future__ import annotations

from array import array
from itertools import repeat
from math import exp
from operator import add, itemgetter, mul, sub, truediv
from typing import Any

import numpy

from .alone import Line, Unknown, finite, known


@known("numbers")
def _numbers(node: dict[str, Any]) -> Line:
    take, dtype, gaps = node["take"], node["dtype"], node["gaps"]
    if node["narrow"] is not None or dtype not in ("float32", "float64"):
        raise Unknown
    chosen = None if take is None else _taken(take)

    def run(row: Any) -> Any:
        if chosen is not None:
            row = chosen(row)
        if dtype == "float32":
            row = array("f", row)
        return row if gaps else finite(row)

    return run


def _taken(take: list[int]) -> Line:
    return itemgetter(*take) if len(take) > 1 else lambda row: [row[place] for place in take]


@known("select")
def _select(node: dict[str, Any]) -> Line:
    return _taken(node["take"])


@known("lookup")
def _lookup(node: dict[str, Any]) -> Line:
    """A category that is not in its table is left to the others where it may not come."""
    tables = [(column["at"], dict(column["table"]), column["unknown"]) for column in node["columns"]]
    empty = [0.0 if node["base"] is None else node["base"]] * node["width"]

    def run(row: Any) -> list[float]:
        made = empty.copy()
        for at, table, unknown in tables:
            for place, value in table.get(row[at], unknown):
                made[place] = value
        return made

    return run


@known("affine")
def _affine(node: dict[str, Any]) -> Line:
    if node.get("low") is not None:
        raise Unknown
    ways = (("minus", sub), ("divide", truediv), ("times", mul), ("plus", add))
    steps = [(way, _numbered(node[name])) for name, way in ways if node.get(name) is not None]

    def run(x: Any) -> Any:
        for way, by in steps:
            x = list(map(way, x, by))
        return x

    return run


def _numbered(by: Any) -> Any:
    """One number a column; the same for all where there is but one."""
    return repeat(float(by)) if numpy.ndim(by) == 0 else numpy.asarray(by, dtype=float).reshape(-1).tolist()


@known("impute")
def _impute(node: dict[str, Any]) -> Line:
    if node["keep"] is not None or node["marks"] is not None:
        raise Unknown
    values = _numbered(node["values"])
    return lambda x: [
        value if found is None or found != found else found for found, value in zip(x, values, strict=True)
    ]


@known("linear")
def _linear(node: dict[str, Any]) -> Line:
    weights = node["weights"].reshape(len(node["weights"]), -1).T.tolist()
    bias = numpy.broadcast_to(node["bias"], len(weights)).tolist()
    columns = list(zip(weights, bias, strict=True))
    return lambda x: [sum(map(mul, column, x), begin) for column, begin in columns]


def _softmax(x: list[float]) -> list[float]:
    greatest = max(x)
    made = [exp(value - greatest) for value in x]
    total = sum(made)
    return [value / total for value in made]


def _share(x: list[float]) -> list[float]:
    total = sum(x) or 1.0
    return [value / total for value in x]


FUNCTIONS: dict[str, Line] = {
    "exp": lambda x: exp(x) if type(x) is float else list(map(exp, x)),
    "flat": lambda x: x[0],
    "identity": lambda x: x,
    # Beyond the largest number it overflows, which is left to the steps for many rows.
    "logistic": lambda x: [1.0 / (1.0 + exp(-value)) for value in x],
    "share": _share,
    "softmax": _softmax,
    "two": lambda x: [1.0 - x[0], x[0]],
}


@known("apply")
def _apply(node: dict[str, Any]) -> Line:
    if node["function"] not in FUNCTIONS:
        raise Unknown
    return FUNCTIONS[node["function"]]
