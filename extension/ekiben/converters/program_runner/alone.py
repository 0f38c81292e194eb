"""One row through a small program, in plain Python: NumPy's price is by the call, and here the numbers are few.

Each step that is known here has a second function, from one row, or a list of its numbers, to such a list. A
program of nothing else, with at most ``MOST`` numbers in its arrays, answers a row on its own so. It computes in
the same doubles, and may add in another order. What it cannot say (a gap, an infinite number, an unknown category)
is left to the steps for many rows, which know what the model answers to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .steps import Step, classes_of

#: Numbers in a program's arrays up to which this is quicker: each takes some 40 ns.
MOST = 128

#: From a row, or its numbers, to numbers; the last step's to the answers.
Line = Callable[[Any], Any]
ALONE: dict[str, Callable[[dict[str, Any]], Line]] = {}


class Unknown(Exception):
    """A step that has no such function."""


def alone(node: dict[str, Any], many: Step) -> Step:
    """``many``, but for one row that the program can answer so."""
    if _size(node) > MOST:
        return many
    try:
        one = _line(node)
    except Unknown:
        return many

    def run(rows: Any) -> Any:
        if len(rows) == 1:
            try:
                return one(rows[0])
            except (ArithmeticError, LookupError, TypeError, ValueError):
                pass
        return many(rows)

    return run


def _size(node: Any) -> int:
    if isinstance(node, dict):
        return sum(_size(value) for name, value in node.items() if name != "classes")
    if isinstance(node, list):
        return sum(map(_size, node))
    return node.size if isinstance(node, numpy.ndarray) else 0


def _line(node: dict[str, Any]) -> Line:
    made = ALONE.get(node["op"])
    if made is None:
        raise Unknown
    return made(node)


def known(name: str) -> Callable[[Any], Any]:
    """Registers what makes the function for one row of the step called ``name``."""

    def keep(function: Any) -> Any:
        ALONE[name] = function
        return function

    return keep


def finite(line: Any) -> Any:
    """The same numbers.

    Raises:
        ValueError: one of them is infinite or none.
    """
    total = sum(line)
    if total - total != 0.0:  # infinite, or no number
        raise ValueError
    return line


@known("chain")
def _chain(node: dict[str, Any]) -> Line:
    lines = [_line(entry) for entry in node["steps"]]

    def run(x: Any) -> Any:
        for line in lines:
            x = line(x)
        return x

    return run


@known("concat")
def _concat(node: dict[str, Any]) -> Line:
    parts = [_line(entry) for entry in node["parts"]]
    return lambda x: [value for part in parts for value in part(x)]


def _labels(node: dict[str, Any]) -> list[Any]:
    classes = classes_of(node["classes"])
    return [classes[place : place + 1] for place in range(len(classes))]


@known("decide")
def _decide(node: dict[str, Any]) -> Line:
    labels = _labels(node)

    def run(x: list[float]) -> Any:
        finite(x)
        place = x.index(max(x)) if len(x) > 1 else x[0] > 0
        return {"predictions": labels[place]}

    return run


@known("both")
def _both(node: dict[str, Any]) -> Line:
    decide, share = _decide(node), _chain(node)

    def run(x: list[float]) -> Any:
        answers = decide(x)
        answers["probabilities"] = numpy.array([share(x)])
        return answers

    return run


@known("classify")
def _classify(node: dict[str, Any]) -> Line:
    labels = _labels(node)
    return lambda x: {"predictions": labels[finite(x).index(max(x))], "probabilities": numpy.array([x])}


@known("answer")
def _answer(node: dict[str, Any]) -> Line:
    """Of one number that was made flat, or of a row of them."""
    dtype = node["dtype"]

    def run(x: Any) -> Any:
        finite([x] if type(x) is float else x)
        return {"predictions": numpy.array([x], dtype=dtype)}

    return run
