"""What a step is, and the ones that are made of others.

A step is written ``{"op": NAME, …}``. The function that makes it registers itself by its name with ``step``;
it gets the node with arrays and files in the places of their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

Step = Callable[[Any], Any]
Make = Callable[[dict[str, Any]], Step]

STEPS: dict[str, Make] = {}


def step(name: str) -> Callable[[Make], Make]:
    """Registers what makes the step called ``name``."""

    def keep(function: Make) -> Make:
        STEPS[name] = function
        return function

    return keep


def make(node: dict[str, Any]) -> Step:
    """The step that the node describes."""
    return STEPS[node["op"]](node)


@step("chain")
def chain(node: dict[str, Any]) -> Step:
    """One step after the other."""
    steps = [make(entry) for entry in node["steps"]]
    if len(steps) == 1:
        return steps[0]

    def run(x: Any) -> Any:
        for call in steps:
            x = call(x)
        return x

    return run


@step("concat")
def concat(node: dict[str, Any]) -> Step:
    """What several steps make of the same, side by side."""
    parts = [make(entry) for entry in node["parts"]]
    return lambda x: numpy.concatenate([part(x) for part in parts], axis=1)


def classes_of(values: Any) -> Any:
    """Classes as an array; of Python's objects where they are no numbers or texts of NumPy's."""
    if not isinstance(values, list):
        return values
    made = numpy.empty(len(values), dtype=object)
    made[:] = values
    return made
