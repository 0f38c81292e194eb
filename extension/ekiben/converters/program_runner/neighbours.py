"""Steps that ask the known rows around a row."""

from __future__ import annotations

from typing import Any

import numpy

from .search import Search, distances
from .steps import Step, classes_of, step

#: Neighbours from which on a sum's rounding depends on their order, and shares that are too near to tell then.
ORDERED, CLOSE = 8, 1e-9


@step("nearest")
def _nearest(node: dict[str, Any]) -> Step:
    """The mean of the ``count`` nearest known rows' targets; by distance, the nearer count more."""
    targets, by_distance = node["targets"], node["by_distance"]
    search = Search(node, targets)

    def of(part: Any, far: Any, near: Any) -> Any:
        if not by_distance:
            return targets[near].sum(axis=1) / search.count
        weights = _weights(search.true(numpy.take_along_axis(far, near, axis=1)))
        return (weights[:, :, None] * targets[near]).sum(axis=1) / weights.sum(axis=1)[:, None]

    return lambda x: numpy.concatenate([of(*part) for part in search.parts(x)])


@step("voted")
def _voted(node: dict[str, Any]) -> Step:
    """The class that weighs most among the nearest, by distance, and each one's share."""
    classes, kinds = classes_of(node["classes"]), node["kinds"]
    search = Search(node, kinds[:, None])
    every = numpy.arange(len(classes))

    def one(weights: Any, labels: Any) -> tuple[Any, Any]:
        # Summed twice, as there: labels by the library's weighted mode, shares one neighbour after the other.
        votes = numpy.where(labels == every[:, None], weights, 0.0).sum(axis=1)
        shares = numpy.zeros(len(classes))
        numpy.add.at(shares, labels, weights)
        return votes, shares

    def of(part: Any, far: Any, near: Any) -> tuple[Any, Any]:
        true = search.true(numpy.take_along_axis(far, near, axis=1))
        order = numpy.argsort(true, axis=1, kind="stable")
        labels = kinds[numpy.take_along_axis(near, order, axis=1)]
        weights = _weights(numpy.take_along_axis(true, order, axis=1))
        found = numpy.empty((2, len(part), len(classes)))
        for place in range(len(part)):
            votes, shares = one(weights[place], labels[place])
            best = votes.max()
            if search.count >= ORDERED and (votes > best * (1.0 - CLOSE)).sum() > 1:
                listed = search.in_order(part[place], far[place])
                votes, shares = one(_weights(search.true(far[place][listed])[None])[0], kinds[listed])
            found[:, place] = votes, shares
        return found[0].argmax(axis=1), found[1] / found[1].sum(axis=1, keepdims=True)

    def run(x: Any) -> Any:
        made = [of(*part) for part in search.parts(x)]
        best, shares = (numpy.concatenate(parts) for parts in zip(*made, strict=True))
        return {"predictions": classes.take(best), "probabilities": shares}

    return run


def _weights(true: Any) -> Any:
    """What each of the nearest counts by its distance (n × count): only those at none, where there are some.

    Raises:
        ValueError: none counts, as all are infinitely far.
    """
    with numpy.errstate(divide="ignore"):
        weights = 1.0 / true
    here = numpy.isinf(weights)
    rows = here.any(axis=1)
    weights[rows] = here[rows]
    if not weights.any(axis=1).all():
        raise ValueError("All neighbors of some sample is getting zero weights.")
    return weights


@step("lonely")
def _lonely(node: dict[str, Any]) -> Step:
    """How much less dense it is around a row than around its nearest known rows, negative (n).

    Breunig and others, "LOF: Identifying Density-Based Local Outliers" (2000).
    """
    reaches, dense = node["reaches"], node["dense"]
    search = Search(node, numpy.stack((reaches, dense), axis=1))

    def of(_part: Any, far: Any, near: Any) -> Any:
        apart = search.true(numpy.take_along_axis(far, near, axis=1))
        around = 1.0 / (numpy.maximum(apart, reaches[near]).mean(axis=1) + 1e-10)
        return -(dense[near] / around[:, None]).mean(axis=1)

    return lambda x: numpy.concatenate([of(*part) for part in search.parts(x)])


@step("within")
def _within(node: dict[str, Any]) -> Step:
    """The mean of the targets of all known rows within ``radius``, ``alone`` where there is none.

    By distance, the nearer count more. ``alone`` None refuses such a row.
    """
    known, targets, radius, alone = node["known"], node["targets"], node["radius"], node["alone"]
    squared = node["metric"] == "euclidean"
    measure = distances(known, node["metric"])
    limit = radius * radius if squared else radius

    def one(row: Any) -> Any:
        with numpy.errstate(over="ignore"):
            far = measure(row[None])[0]
        near = numpy.flatnonzero(far <= limit)
        if not len(near):
            if alone is None:
                raise ValueError("No neighbors found for a sample.")
            return alone
        if not node["by_distance"]:
            return targets[near].sum(axis=0) / len(near)
        true = numpy.sqrt(far[near]) if squared else far[near]
        weights = (true == 0.0).astype(float) if not true.all() else 1.0 / true
        return weights @ targets[near] / weights.sum()

    return lambda x: numpy.stack([one(row) for row in x])
