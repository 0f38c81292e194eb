"""Steps that are a whole model, or what makes one of several."""

from __future__ import annotations

from typing import Any

import numpy

from .steps import Step, make, step


@step("mean")
def _mean(node: dict[str, Any]) -> Step:
    """The members' mean, by ``weights`` where there are some."""
    first, *others = [make(entry) for entry in node["parts"]]
    weights = node["weights"] or [1.0] * (1 + len(others))
    share = sum(weights)

    def run(x: Any) -> Any:
        total = first(x) * weights[0]
        for part, weight in zip(others, weights[1:], strict=True):
            total = total + part(x) * weight
        return total / share

    return run


@step("above")
def _above(node: dict[str, Any]) -> Step:
    limit = node["limit"]
    return lambda x: (x > limit).astype(float)


@step("gauss")
def _gauss(node: dict[str, Any]) -> Step:
    means, spread, bias = node["means"], node["spread"], node["bias"]
    return lambda x: bias - 0.5 * ((x[:, None, :] - means) ** 2 / spread).sum(axis=2)


@step("lonely")
def _lonely(node: dict[str, Any]) -> Step:
    """How much less dense it is around a row than around its nearest known rows, negative (n).

    Breunig and others, "LOF: Identifying Density-Based Local Outliers" (2000).
    """
    known, reaches, dense, count = node["known"], node["reaches"], node["dense"], node["count"]

    def one(row: Any) -> float:
        apart = numpy.sqrt(((known - row) ** 2).sum(axis=1))
        near = numpy.argsort(apart, kind="stable")[:count]
        around = 1.0 / (numpy.maximum(apart[near], reaches[near]).mean() + 1e-10)
        return -float((dense[near] / around).mean())

    return lambda x: numpy.array([one(row) for row in x])


@step("nearest")
def _nearest(node: dict[str, Any]) -> Step:
    """The mean of the ``count`` nearest known rows' targets; by distance, the nearer count more."""
    known, targets, count, by_distance = node["known"], node["targets"], node["count"], node["by_distance"]
    manhattan = node["metric"] == "manhattan"

    def one(row: Any) -> Any:
        apart = numpy.abs(known - row).sum(axis=1) if manhattan else ((known - row) ** 2).sum(axis=1)
        near = numpy.argsort(apart, kind="stable")[:count]
        if not by_distance:
            return targets[near].sum(axis=0) / count
        distance = apart[near] if manhattan else numpy.sqrt(apart[near])
        weights = (distance == 0.0).astype(float) if (distance == 0.0).any() else 1.0 / distance
        return weights @ targets[near] / weights.sum()

    return lambda x: numpy.array([one(row) for row in x])
