"""Gaussian processes that classify, as steps."""

from __future__ import annotations

from typing import Any

from ekiben.converters.committees import chained
from ekiben.converters.forests import TWO
from ekiben.converters.kernels import MOST_KNOWN, covariance
from ekiben.converters.lowering import Lower, answers, class_of, probabilities
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _


def _members(part: Any) -> list[Any]:
    """The processes of two classes each.

    Raises:
        NotConverted: they are for pairs of classes.
    """
    behind = part.base_estimator_
    if part.n_classes_ == 2:
        return [behind]
    if class_of(behind) != "sklearn.OneVsRestClassifier":
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} (one_vs_one)"))
    return list(behind.estimators_)


def _latent(lower: Lower, member: Any) -> dict[str, Any]:
    """The hidden function's mean and variance (n × 2): Rasmussen and Williams (2006), algorithm 3.2."""
    import numpy

    known = numpy.asarray(member.X_train_, dtype=float)
    if known.size > MOST_KNOWN or len(known) ** 2 > MOST_KNOWN:
        raise NotConverted(_("It compares with {n} rows, more than are tried.", n=len(known)))
    root = numpy.linalg.solve(member.L_, numpy.diag(member.W_sr_))
    return {
        "op": "hidden",
        "known": lower.keep(known),
        "kernel": covariance(lower, member.kernel_),
        "slopes": lower.keep(member.y_train_ - member.pi_),
        "root": lower.keep(root.T),
    }


@probabilities("sklearn.GaussianProcessClassifier")
def process_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """The share of each class, against all others where there are several."""
    members = _members(part)
    steps = lower.numbers(source)
    parts = [chained([_latent(lower, member), {"op": "squashed"}]) for member in members]
    if len(members) == 1:
        return [*steps, parts[0], TWO]
    return [*steps, {"op": "concat", "parts": parts}, {"op": "apply", "function": "share"}]


@answers("sklearn.GaussianProcessClassifier")
def process_class(lower: Lower, part: Any, source: Source) -> Steps:
    """Of two classes the one on whose side the hidden function's mean is, of several the likeliest."""
    members = _members(part)
    classes = lower.program.classes(part.classes_)
    if len(members) > 1:
        parts = [chained([_latent(lower, member), {"op": "squashed"}]) for member in members]
        both = {"op": "both", "classes": classes, "steps": [{"op": "apply", "function": "share"}]}
        return [*lower.numbers(source), {"op": "concat", "parts": parts}, both]
    mean = {"op": "take", "columns": lower.keep([0])}
    last = {"op": "decide", "classes": classes}
    shares = chained([{"op": "squashed"}, TWO])
    also = {"op": "also", "steps": [mean, last], "probabilities": shares}
    return [*lower.numbers(source), _latent(lower, members[0]), also]
