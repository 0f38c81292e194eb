"""Steps that compare a row with known ones: kernels, support vectors, Gaussian processes, ellipses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from .sparse import Sparse
from .steps import Step, classes_of, step

Kernel = Callable[[Any], Any]
#: Columns up to which distances are summed column by column, which is quicker then.
FEW = 32


@step("kernel")
def _kernel(node: dict[str, Any]) -> Step:
    """Each row's kernel with every known row (n × known)."""
    known, kind, gamma = node["known"], node["kernel"], node["gamma"]
    degree, shift = node["degree"], node["shift"]
    across = numpy.ascontiguousarray(known.T)
    if kind == "rbf":
        # Around their middle, the squares of the differences come out of products without loss.
        middle = known.mean(axis=0)
        beside = numpy.ascontiguousarray((known - middle).T)
        lengths, plain = (beside * beside).sum(axis=0), (known * known).sum(axis=1)

        def run(x: Any) -> Any:
            if isinstance(x, Sparse):
                apart = x.sums(x.values * x.values)[:, None] - 2.0 * (x @ across) + plain
            else:
                x = x - middle
                apart = (x * x).sum(axis=1)[:, None] - 2.0 * (x @ beside) + lengths
            return numpy.exp(-gamma * numpy.maximum(apart, 0.0))

        return run
    if kind == "linear":
        return lambda x: x @ across
    if kind == "poly":
        return lambda x: _raised(gamma * (x @ across) + shift, degree)
    return lambda x: numpy.tanh(gamma * (x @ across) + shift)


def _raised(x: Any, power: float) -> Any:
    """A small whole power by products, which is many times quicker."""
    if power not in (1, 2, 3, 4):
        return x**power
    made = x
    for _turn in range(int(power) - 1):
        made = made * x
    return made


@step("vote")
def _vote(node: dict[str, Any]) -> Step:
    """The scores of pairs of classes to the class with most votes, the first of those alike."""
    classes, count = classes_of(node["classes"]), node["count"]
    first = numpy.zeros((len(node["pairs"]), count))
    second = numpy.zeros_like(first)
    for place, (a, b) in enumerate(node["pairs"]):
        first[place, a] = second[place, b] = 1.0

    def run(x: Any) -> Any:
        won = (x > 0).astype(float)
        return {"predictions": classes.take((won @ first + (1.0 - won) @ second).argmax(axis=1))}

    return run


@step("paired")
def _paired(node: dict[str, Any]) -> Step:
    """How sure the second of each pair of classes is (n × pairs) to a score for each class: votes, then sums."""
    pairs, count = node["pairs"], node["count"]

    def run(x: Any) -> Any:
        votes = numpy.zeros((len(x), count))
        sums = numpy.zeros((len(x), count))
        for place, (a, b) in enumerate(pairs):
            sums[:, a] -= x[:, place]
            sums[:, b] += x[:, place]
            won = x[:, place] > 0
            votes[:, b] += won
            votes[:, a] += ~won
        return votes + sums / (3.0 * (numpy.abs(sums) + 1.0))

    return run


@step("coupled")
def _coupled(node: dict[str, Any]) -> Step:
    """Scores of pairs of classes to probabilities (n × classes), by the sigmoid of each pair.

    The second method of Wu, Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise
    Coupling" (2004), to the tolerance that libsvm stops at, as its answers are no closer than that.
    """
    slopes, shifts, count, pairs = node["slopes"], node["shifts"], node["count"], node["pairs"]
    enough, most = 0.005 / count, max(100, count)

    def run(x: Any) -> Any:
        line = x * slopes + shifts
        shared = 1.0 / (1.0 + numpy.exp(numpy.minimum(line, 700.0)))
        shared = numpy.clip(shared, 1e-7, 1.0 - 1e-7)
        against = numpy.zeros((len(x), count, count))
        for place, (a, b) in enumerate(pairs):
            against[:, a, b] = shared[:, place]
            against[:, b, a] = 1.0 - shared[:, place]
        both = -against.transpose(0, 2, 1) * against
        places = numpy.arange(count)
        both[:, places, places] = (against**2).sum(axis=1)
        found = numpy.full((len(x), count), 1.0 / count)
        left = numpy.arange(len(x))
        for _turn in range(most):
            q, p = both[left], found[left]
            qp = (q @ p[:, :, None])[:, :, 0]
            total = (p * qp).sum(axis=1)
            go = numpy.abs(qp - total[:, None]).max(axis=1) >= enough
            if not go.any():
                break
            left, q, p, qp, total = left[go], q[go], p[go], qp[go], total[go]
            for t in range(count):
                step_ = (total - qp[:, t]) / q[:, t, t]
                p[:, t] += step_
                total = (total + step_ * (step_ * q[:, t, t] + 2.0 * qp[:, t])) / (1.0 + step_) ** 2
                qp = (qp + step_[:, None] * q[:, t]) / (1.0 + step_)[:, None]
                p /= (1.0 + step_)[:, None]
            found[left] = p
        return found

    return run


@step("ellipses")
def _ellipses(node: dict[str, Any]) -> Step:
    """Squared distances to several middles, each by a measure of its own (n × middles)."""
    parts = node["parts"]

    def run(x: Any) -> Any:
        made = [(((x - middle) @ weights) ** 2).sum(axis=1) for middle, weights in parts]
        return numpy.stack(made, axis=1)

    return run


@step("process")
def _process(node: dict[str, Any]) -> Step:
    """A Gaussian process's kernel with every known row (n × known)."""
    return covariance(node["kernel"], node["known"])


@step("distances")
def _distances(node: dict[str, Any]) -> Step:
    """How far each known row is away (n × known)."""
    squares = _squares(node["known"])
    return lambda x: numpy.sqrt(squares(x))


def covariance(node: dict[str, Any], known: Any) -> Kernel:
    """A Gaussian process's kernel (n × known)."""
    kind = node["kind"]
    if kind in ("sum", "product"):
        first, second = (covariance(part, known) for part in node["parts"])
        return (lambda x: first(x) + second(x)) if kind == "sum" else (lambda x: first(x) * second(x))
    if kind == "power":
        (base,), power = [covariance(part, known) for part in node["parts"]], node["power"]
        return lambda x: base(x) ** power
    if kind == "constant":
        value = node["value"]
        return lambda x: numpy.full((len(x), len(known)), value)
    if kind == "dot":
        across, shift = numpy.ascontiguousarray(known.T), node["value"]
        return lambda x: x @ across + shift
    scale = node["scale"]
    apart, shape = _squares(known / scale), _SHAPES[kind](node)
    return lambda x: shape(apart(x / scale))


def _squares(known: Any) -> Kernel:
    """Squared distances to every known row, by the differences themselves: close rows matter most."""
    if known.shape[1] > FEW:
        return lambda x: numpy.stack([((known - row) ** 2).sum(axis=1) for row in x])
    across = numpy.ascontiguousarray(known.T)

    def run(x: Any) -> Any:
        found = numpy.zeros((len(x), len(known)))
        for place, column in enumerate(across):
            apart = x[:, place, None] - column
            apart *= apart
            found += apart
        return found

    return run


def _rough(node: dict[str, Any]) -> Kernel:
    """Matern's kernels of half-whole smoothness, from squared distances."""
    smooth = node["smooth"]

    def run(squares: Any) -> Any:
        apart = numpy.sqrt(squares) * math.sqrt(2.0 * smooth)
        fade = numpy.exp(-apart)
        if smooth == 0.5:
            return fade
        return (1.0 + apart) * fade if smooth == 1.5 else (1.0 + apart + apart * apart / 3.0) * fade

    return run


def _quadratic(node: dict[str, Any]) -> Kernel:
    mix = node["mix"]
    return lambda squares: (1.0 + squares / (2.0 * mix)) ** -mix


def _periodic(node: dict[str, Any]) -> Kernel:
    period, length = node["period"], node["length"]
    return lambda squares: numpy.exp(-2.0 * (numpy.sin(math.pi / period * numpy.sqrt(squares)) / length) ** 2)


_SHAPES: dict[str, Callable[[dict[str, Any]], Kernel]] = {
    "rbf": lambda node: lambda squares: numpy.exp(-0.5 * squares),
    "rough": _rough,
    "quadratic": _quadratic,
    "periodic": _periodic,
}
