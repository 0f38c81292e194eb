"""The nearest known rows, and of several as near the ones that scikit-learn takes.

Whatever is nearer than the last that counts is taken; of those exactly as far as the last, the ones that were
met first and never fell off a heap of fixed size. Which these are depends on the order in which a k-d tree
(Bentley, "Multidimensional Binary Search Trees Used for Associative Searching", 1975) or a ball tree
(Omohundro, "Five Balltree Construction Algorithms", 1989) comes to them, or else on their own order. So the
fitted tree comes along, and is walked for the rows where it matters; all others are looked up at once.
Distances are summed column by column, as there, so that what is as far is so to the last bit.

Two things are as there but for the last bit only: without a tree, Euclid's distances come out of a product of
matrices, whose rounding is the linear algebra library's (and the order of threads counts); and by distance,
more than 15 neighbours that are as near are listed in no order that is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

#: Distances that are held at a time.
HELD = 4_000_000
#: Known rows that are looked through at a time where there is no tree.
BLOCK = 256
#: Products round by this share of the rows' own sizes, at most: what is closer may be in either order.
ROUNDED = 1e-9

Measure = Callable[[Any], Any]
#: The reduced distances (n × known) of some rows, and the nearest (n × count), in no order.
Found = tuple[Any, Any, Any]


class Search:
    """The ``count`` nearest of the ``known`` rows.

    ``alike`` (known × k) is what an answer takes from a row: of rows as far that have the same, any will do.
    """

    def __init__(self, node: dict[str, Any], alike: Any) -> None:
        known = node["known"]
        self.count, self.metric, self.tree = node["count"], node["metric"], node["tree"]
        self.alike = alike
        self.far = distances(known, self.metric)
        self.held = max(1, HELD // len(known))
        self.known = known
        self.products = self.tree is None and self.metric == "euclidean"
        self.sizes: Any = numpy.array([row @ row for row in known]) if self.products else 0.0
        self.walk = None if self.tree is None else Walk(self.tree, self.metric)

    def parts(self, x: Any) -> Iterator[Found]:
        """Some rows at a time: they, their distances (reduced) to all, and the places of the nearest."""
        for begin in range(0, len(x), self.held):
            part = x[begin : begin + self.held]
            with numpy.errstate(over="ignore"):
                far = self.far(part)
                yield part, far, self._nearest(part, far)

    def true(self, far: Any) -> Any:
        """Distances from the reduced ones."""
        return numpy.sqrt(far) if self.metric == "euclidean" else far

    def in_order(self, row: Any, far: Any) -> Any:
        """The nearest of one row, the nearest first, as the library lists them."""
        heap = self._walked(row, far)
        order = numpy.argsort(heap.values, kind="stable")
        return numpy.array(heap.places, dtype=numpy.intp)[order]

    def _nearest(self, x: Any, far: Any) -> Any:
        count = self.count
        if count >= far.shape[1]:
            near = numpy.tile(numpy.arange(count), (len(x), 1))
            last = far.max(axis=1)
            open_ = numpy.isinf(last)
        else:
            near = numpy.argpartition(far, (count - 1, count), axis=1)[:, : count + 1]
            last, beyond = numpy.take_along_axis(far, near[:, count - 1 :], axis=1).T
            near = near[:, :count]
            # With products, what is nearly as far may come first there; with infinities, nothing is taken.
            wide = ROUNDED * ((x * x).sum(axis=1) + self.sizes.max()) if self.products else 0.0
            open_ = ~(beyond > last + wide)
        for place in open_.nonzero()[0]:
            row = far[place]
            if self.products or math.isinf(last[place]) or self._matters(row, last[place]):
                near[place] = self._walked(x[place], row).places
        return near

    def _matters(self, row: Any, last: float) -> bool:
        same = self.alike[row == last]
        return bool((same != same[0]).any())

    def _walked(self, row: Any, far: Any) -> Heap:
        heap = Heap(self.count)
        if self.walk is not None:
            self.walk.fill(heap, row, far)
            return heap
        for begin in range(0, len(far), BLOCK):
            part = slice(begin, begin + BLOCK)
            values = self._rounded(row, part) if self.products else far[part]
            heap.push(values, range(begin, begin + len(values)))
        return heap

    def _rounded(self, row: Any, part: slice) -> Any:
        """As the library has them: of products, which tells apart some that are as far, and joins others."""
        pair = numpy.stack((row, row))
        return numpy.maximum(row @ row + (-2.0 * (pair @ self.known[part].T))[0] + self.sizes[part], 0.0)


class Heap:
    """The ``count`` least so far, the greatest on top: it goes when a lesser one comes."""

    def __init__(self, count: int) -> None:
        self.values = [math.inf] * count
        self.places = [0] * count

    def push(self, values: Any, places: Any) -> None:
        """Each that is less than the greatest takes its place and sinks."""
        for at in numpy.flatnonzero(values < self.values[0]).tolist():
            value = float(values[at])
            if value < self.values[0]:
                self._sink(value, int(places[at]))

    def _sink(self, value: float, place: int) -> None:
        values, places = self.values, self.places
        count, at = len(values), 0
        while (child := 2 * at + 1) < count:
            if child + 1 < count and values[child + 1] > values[child]:
                child += 1
            if value >= values[child]:
                break
            values[at], places[at] = values[child], places[child]
            at = child
        values[at], places[at] = value, place


class Walk:
    """A fitted tree, gone through the nearer side first."""

    def __init__(self, tree: dict[str, Any], metric: str) -> None:
        self.starts, self.ends = tree["starts"].tolist(), tree["ends"].tolist()
        self.leaf, self.order = tree["leaf"].tolist(), tree["order"]
        self.balls = tree["kind"] == "ball_tree"
        self.radius: list[float] = tree["radius"].tolist()
        self.bounds = tree["bounds"].tolist()
        self.metric = metric

    def fill(self, heap: Heap, row: Any, far: Any) -> None:
        """The nearest of a row, by its distances to all."""
        told = row.tolist()
        self._visit(0, told, far, heap, self._least(0, told))

    def _visit(self, node: int, row: list[float], far: Any, heap: Heap, least: float) -> None:
        if least > heap.values[0]:
            return
        if self.leaf[node]:
            places = self.order[self.starts[node] : self.ends[node]]
            heap.push(far[places], places)
            return
        first, second = 2 * node + 1, 2 * node + 2
        sides = [(self._least(first, row), first), (self._least(second, row), second)]
        if not sides[0][0] <= sides[1][0]:
            sides.reverse()
        for side, child in sides:
            self._visit(child, row, far, heap, side)

    def _least(self, node: int, row: list[float]) -> float:
        """How near a row of the node can be, reduced."""
        squared = self.metric == "euclidean"
        if self.balls:
            sides = [abs(a - b) for a, b in zip(row, self.bounds[0][node], strict=True)]
            total = self._summed([one * one for one in sides] if squared else sides)
            apart = max(0.0, (math.sqrt(total) if squared else total) - self.radius[node])
            return apart * apart if squared else apart
        corners = zip(row, self.bounds[0][node], self.bounds[1][node], strict=True)
        sides = [max(low - one, 0.0) + max(one - high, 0.0) for one, low, high in corners]
        return self._summed([_square(one) for one in sides] if squared else sides)

    def _summed(self, sides: list[float]) -> float:
        if self.metric == "chebyshev":
            return max(sides)
        total = 0.0
        for one in sides:  # in turn: sum() is exact from Python 3.12 on, and the library is not
            total += one
        return total


def _square(value: float) -> float:
    """By the C library's power, as there; it may round otherwise than a product."""
    try:
        return math.pow(value, 2.0)
    except OverflowError:
        return math.inf


def distances(known: Any, metric: str) -> Measure:
    """Distances of rows to all known ones (n × known), reduced: of Euclid's the squares."""
    across = numpy.ascontiguousarray(known.T)

    def run(x: Any) -> Any:
        found = numpy.zeros((len(x), len(known)))
        for place, column in enumerate(across):
            apart = x[:, place, None] - column
            if metric == "euclidean":
                apart *= apart
                found += apart
            elif metric == "manhattan":
                found += numpy.abs(apart, out=apart)
            else:
                numpy.maximum(found, numpy.abs(apart, out=apart), out=found)
        return found

    return run
