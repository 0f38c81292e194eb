"""Steps that come near their answer turn by turn, and stop where the library does."""

from __future__ import annotations

from typing import Any

import numpy

from .sparse import Sparse
from .steps import Step, step


@step("parts")
def _parts(node: dict[str, Any]) -> Step:
    """Rows to how much of each part they are (n × parts), none less than nothing.

    Coordinate descent: Cichocki and Phan, "Fast Local Algorithms for Large Scale Nonnegative Matrix and
    Tensor Factorizations" (2009). All rows of a call stop together, as there.
    """
    across, both, flat, enough = node["across"], node["both"], node["flat"], node["enough"]
    most, count = node["most"], len(node["both"])

    def run(x: Any) -> Any:
        _no_less(x)
        aim = x @ across - flat
        found = numpy.zeros((len(aim), count))
        first = None
        for _turn in range(most):
            off = 0.0
            for place in range(count):
                slope = found @ both[place] - aim[:, place]
                off += float(
                    numpy.abs(numpy.where(found[:, place] == 0.0, numpy.minimum(slope, 0.0), slope)).sum()
                )
                if both[place, place] != 0.0:
                    found[:, place] = numpy.maximum(found[:, place] - slope / both[place, place], 0.0)
            first = off if first is None else first
            if first == 0.0 or off / first <= enough:
                break
        return found

    return run


@step("topics")
def _topics(node: dict[str, Any]) -> Step:
    """Counts of words to the shares of topics (n × topics), each row until it no longer changes.

    Hoffman, Blei and Bach, "Online Learning for Latent Dirichlet Allocation" (2010).
    """
    words, prior, enough, most = node["words"], node["prior"], node["enough"], node["most"]
    least = numpy.finfo(float).eps

    def run(x: Any) -> Any:
        _no_less(x)
        made = numpy.ones((len(x), len(words)))
        told = _expected(made)
        left = numpy.arange(len(x))
        for _turn in range(most):
            some, before = told[left], made[left]
            counts = x[left]
            found = some * ((counts / (some @ words + least)) @ words.T) + prior
            made[left], told[left] = found, _expected(found)
            left = left[numpy.abs(before - found).mean(axis=1) >= enough]
            if not len(left):
                break
        return made / made.sum(axis=1, keepdims=True)

    return run


def _no_less(x: Any) -> None:
    if ((x.values if isinstance(x, Sparse) else x) < 0.0).any():
        raise ValueError("A number is negative.")


def _expected(x: Any) -> Any:
    """The exponential of a Dirichlet distribution's expected logarithms."""
    return numpy.exp(_digamma(x) - _digamma(x.sum(axis=1, keepdims=True)))


def _digamma(x: Any) -> Any:
    """The logarithm of gamma's slope: Bernardo, "Algorithm AS 103: Psi (Digamma) Function" (1976)."""
    tiny = x <= 1e-6
    at = numpy.where(tiny, 1.0, x)
    found = numpy.zeros_like(at)
    while (small := at < 6.0).any():
        found -= numpy.where(small, 1.0 / at, 0.0)
        at = numpy.where(small, at + 1.0, at)
    by = 1.0 / at
    square = by * by
    found += numpy.log(at) - 0.5 * by - square * (1 / 12 - square * (1 / 120 - square / 252))
    return numpy.where(tiny, -0.5772156649015329 - 1.0 / numpy.where(tiny, x, 1.0), found)
