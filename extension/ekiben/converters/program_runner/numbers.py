"""Steps from numbers (n × k) to numbers."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy

from .steps import Step, step


@step("affine")
def _affine(node: dict[str, Any]) -> Step:
    """``(x - minus) / divide * times + plus``, each where it is given, within ``low`` and ``high``."""
    steps: list[Step] = []
    for name in ("minus", "divide", "times", "plus"):
        if node.get(name) is not None:
            steps.append(_by(name, node[name]))
    if node.get("low") is not None:
        low, high = node["low"], node["high"]
        steps.append(lambda x: numpy.clip(x, low, high))

    def run(x: Any) -> Any:
        for call in steps:
            x = call(x)
        return x

    return run


def _by(name: str, by: Any) -> Step:
    if name == "minus":
        return lambda x: x - by
    if name == "divide":
        return lambda x: x / by
    return (lambda x: x * by) if name == "times" else (lambda x: x + by)


@step("impute")
def _impute(node: dict[str, Any]) -> Step:
    """Gaps to ``values``; ``keep`` are the columns that stay, ``marks`` those whose gaps are told too."""
    values, keep, marks = node["values"], node["keep"], node["marks"]

    def run(x: Any) -> Any:
        gaps = numpy.isnan(x)
        made = numpy.where(gaps, values, x)
        if keep is not None:
            made = made[:, keep]
        return made if marks is None else numpy.concatenate((made, gaps[:, marks]), axis=1)

    return run


@step("take")
def _take(node: dict[str, Any]) -> Step:
    columns = node["columns"]
    return lambda x: x.take(columns, axis=1)


@step("normalise")
def _normalise(node: dict[str, Any]) -> Step:
    norm = node["norm"]

    def run(x: Any) -> Any:
        if norm == "l1":
            size = numpy.abs(x).sum(axis=1)
        elif norm == "max":
            size = numpy.abs(x).max(axis=1)
        else:
            size = numpy.sqrt((x * x).sum(axis=1))
        return x / numpy.where(size == 0.0, 1.0, size)[:, None]

    return run


@step("powers")
def _powers(node: dict[str, Any]) -> Step:
    """Polynomials: each column made is a product of columns, named by their places."""
    products = node["products"]
    degree = max(map(len, products), default=1)
    # One more column of ones fills what has fewer factors than the greatest.
    places = numpy.array([[*factors, *[-1] * (degree - len(factors))] for factors in products]).T

    def run(x: Any) -> Any:
        wide = numpy.concatenate((x, numpy.ones((len(x), 1))), axis=1)
        made = wide[:, places[0]]
        for more in places[1:]:
            made = made * wide[:, more]
        return made

    return run


@step("linear")
def _linear(node: dict[str, Any]) -> Step:
    weights, bias = node["weights"], node["bias"]
    return lambda x: x @ weights + bias


@step("apply")
def _apply(node: dict[str, Any]) -> Step:
    return FUNCTIONS[node["function"]]


@step("finite")
def _finite(node: dict[str, Any]) -> Step:
    def run(x: Any) -> Any:
        if not numpy.isfinite(x).all():
            raise ValueError("Input contains NaN or infinity.")
        return x

    return run


def _logistic(x: Any) -> Any:
    # 0 where it is too small for a number, and not nearly so: shares of such ones would be something.
    with numpy.errstate(over="ignore"):
        return 1.0 / (1.0 + numpy.exp(-x))


#: Rows from which on a pass over each of fewer columns than ``NARROW`` beats NumPy's own way along short rows,
#: which adds so few in the same order.
LONG, NARROW = 32, 8


def _softmax(x: Any) -> Any:
    if len(x) < LONG or not 1 < x.shape[1] < NARROW:
        made = numpy.exp(x - x.max(axis=1, keepdims=True))
        made /= made.sum(axis=1, keepdims=True)
        return made
    made = numpy.exp(x - reduce(numpy.maximum, x.T)[:, None])
    made /= reduce(numpy.add, made.T)[:, None]
    return made


def _two(x: Any) -> Any:
    """The second of two classes' probability (n, or n × 1) to both (n × 2)."""
    x = x.reshape(-1)
    made = numpy.empty((len(x), 2))
    made[:, 1] = x
    numpy.subtract(1.0, x, out=made[:, 0])
    return made


def _share(x: Any) -> Any:
    """Rows that sum to 1."""
    total = x.sum(axis=1, keepdims=True)
    return x / numpy.where(total == 0.0, 1.0, total)


def _portion(x: Any) -> Any:
    """The same, and no number where all are 0, as a library has it that does not look."""
    with numpy.errstate(invalid="ignore"):
        return x / x.sum(axis=1, keepdims=True)


FUNCTIONS: dict[str, Step] = {
    "abs": numpy.abs,
    "exp": numpy.exp,
    "expm1": numpy.expm1,
    "column": lambda x: x.reshape(-1, 1),
    "float32": lambda x: x.astype("float32"),
    "identity": lambda x: x,
    "flat": lambda x: x.reshape(-1),
    "log": numpy.log,
    "log1p": numpy.log1p,
    "log2": numpy.log2,
    "log10": numpy.log10,
    "logistic": _logistic,
    "portion": _portion,
    "relu": lambda x: numpy.maximum(x, 0.0),
    "share": _share,
    "sign": numpy.sign,
    "softmax": _softmax,
    "sqrt": numpy.sqrt,
    "square": numpy.square,
    "tanh": numpy.tanh,
    "two": _two,
}
