"""Steps that join several models' answers."""

from __future__ import annotations

from typing import Any

import numpy

from .steps import Step, chain, make, step


@step("choice")
def _choice(node: dict[str, Any]) -> Step:
    """The class that a model chooses, by its number (n)."""
    run = chain(node)
    return lambda x: run(x)["predictions"]


@step("ballot")
def _ballot(node: dict[str, Any]) -> Step:
    """Votes (n × classes): each part gives its choice one of ``weights``, and the others one of ``against``."""
    parts = [make(entry) for entry in node["parts"]]
    weights, against, count = node["weights"], node["against"], node["count"]

    def run(x: Any) -> Any:
        votes = numpy.zeros((len(x), count))
        rows = numpy.arange(len(x))
        for part, weight, other in zip(parts, weights, against, strict=True):
            one = numpy.full(votes.shape, other)
            one[rows, part(x)] = weight
            votes += one
        return votes

    return run


@step("against")
def _against(node: dict[str, Any]) -> Step:
    """The second of two columns less the first (n)."""
    return lambda x: x[:, 1] - x[:, 0]


@step("opposed")
def _opposed(node: dict[str, Any]) -> Step:
    """A score (n) as one against and one for (n × 2)."""
    return lambda x: numpy.stack((-x.reshape(-1), x.reshape(-1)), axis=1)


@step("median")
def _median(node: dict[str, Any]) -> Step:
    """Of each row's numbers (n × parts) the one at which half of ``weights`` is reached (n)."""
    weights = node["weights"]

    def run(x: Any) -> Any:
        order = numpy.argsort(x, axis=1)
        reached = numpy.cumsum(weights[order], axis=1)
        middle = (reached >= 0.5 * reached[:, -1:]).argmax(axis=1)
        rows = numpy.arange(len(x))
        return x[rows, order[rows, middle]]

    return run


@step("also")
def _also(node: dict[str, Any]) -> Step:
    """What the steps answer, and probabilities by steps of their own."""
    run, share = chain(node), make(node["probabilities"])
    return lambda x: {**run(x), "probabilities": share(x)}


@step("several")
def _several(node: dict[str, Any]) -> Step:
    """Several models' predictions, a column each."""
    parts = [make(entry) for entry in node["parts"]]
    return lambda x: {"predictions": numpy.stack([part(x)["predictions"] for part in parts], axis=1)}


@step("threshold")
def _threshold(node: dict[str, Any]) -> Step:
    """Scores (n) to the second class from ``limit`` on."""
    classes, limit = node["classes"], node["limit"]
    found = numpy.empty(2, dtype=object) if isinstance(classes, list) else classes
    if isinstance(classes, list):
        found[:] = classes
    return lambda x: {"predictions": found.take((x.reshape(-1) >= limit).astype("int64"))}


@step("shared")
def _shared(node: dict[str, Any]) -> Step:
    """Rows that sum to 1; each class alike where there is nothing to share."""

    def run(x: Any) -> Any:
        total = x.sum(axis=1, keepdims=True)
        return numpy.divide(x, total, out=numpy.full_like(x, 1.0 / x.shape[1]), where=total != 0.0)

    return run


@step("interpolate")
def _interpolate(node: dict[str, Any]) -> Step:
    """Each column between the points of its own curve; ``beyond`` its ends flat, a gap, or refused."""
    curves, beyond = node["curves"], node["beyond"]
    low, high = (numpy.array([xs[end] for xs, _ys in curves]) for end in (0, -1))

    def run(x: Any) -> Any:
        if beyond != "flat":
            out = (x < low) | (x > high)
            if beyond == "refused" and out.any():
                raise ValueError("A value is beyond the interpolation range.")
            x = numpy.where(out, numpy.nan, x)
        made = [numpy.interp(x[:, place], xs, ys) for place, (xs, ys) in enumerate(curves)]
        return numpy.stack(made, axis=1)

    return run
