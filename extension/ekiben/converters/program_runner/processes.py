"""Steps of Gaussian processes that classify."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from .kernels import covariance
from .steps import Step, step

#: Five error functions whose sum is near to the logistic one: Williams and Barber, "Bayesian Classification
#: with Gaussian Processes" (1998), appendix A.
_WIDTHS = numpy.array([0.41, 0.4, 0.37, 0.44, 0.39])
_HEIGHTS = numpy.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])
_erf = numpy.frompyfunc(math.erf, 1, 1)


@step("hidden")
def _hidden(node: dict[str, Any]) -> Step:
    """The mean and the variance of the hidden function (n × 2)."""
    kernel, own = covariance(node["kernel"], node["known"]), _own(node["kernel"])
    slopes, root = node["slopes"], node["root"]

    def run(x: Any) -> Any:
        with_known = kernel(x)
        spread = with_known @ root
        return numpy.stack((with_known @ slopes, own(x) - (spread * spread).sum(axis=1)), axis=1)

    return run


@step("squashed")
def _squashed(node: dict[str, Any]) -> Step:
    """A hidden function (mean and variance, n × 2) to the share of the second class (n × 1)."""

    def run(x: Any) -> Any:
        mean, spread = x[:, :1], x[:, 1:]
        alpha = 1.0 / (2.0 * spread)
        raised = _erf(_WIDTHS * mean * numpy.sqrt(alpha / (alpha + _WIDTHS**2))).astype(float)
        parts = numpy.sqrt(math.pi / alpha) * raised / (2.0 * numpy.sqrt(spread * 2.0 * math.pi))
        return (_HEIGHTS * parts).sum(axis=1, keepdims=True) + 0.5 * _HEIGHTS.sum()

    return run


def _own(node: dict[str, Any]) -> Callable[[Any], Any]:
    """A row's kernel with itself (n)."""
    kind = node["kind"]
    if kind in ("sum", "product"):
        first, second = (_own(part) for part in node["parts"])
        return (lambda x: first(x) + second(x)) if kind == "sum" else (lambda x: first(x) * second(x))
    if kind == "power":
        (base,), power = [_own(part) for part in node["parts"]], node["power"]
        return lambda x: base(x) ** power
    if kind == "dot":
        shift = node["value"]
        return lambda x: (x * x).sum(axis=1) + shift
    value = node.get("own", node["value"]) if kind == "constant" else 1.0
    return lambda x: numpy.full(len(x), value)
