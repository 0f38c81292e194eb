"""Steps that bend each column by a curve of its own."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy

from .steps import Step, step


@step("bins")
def _bins(node: dict[str, Any]) -> Step:
    """Each number to the place of its bin among ``edges``; ``widths`` asks for a column a bin instead."""
    edges, widths = node["edges"], node["widths"]
    begins = None if widths is None else numpy.cumsum([0, *widths])

    def run(x: Any) -> Any:
        found = [numpy.searchsorted(ends, x[:, at], side="right") for at, ends in enumerate(edges)]
        if begins is None:
            return numpy.stack(found, axis=1).astype(float)
        made = numpy.zeros((len(x), int(begins[-1])))
        rows = numpy.arange(len(x))
        for begin, places in zip(begins, found, strict=False):
            made[rows, begin + places] = 1.0
        return made

    return run


@step("splines")
def _splines(node: dict[str, Any]) -> Step:
    """Each number to its splines, polynomials between ``knots``; ``beyond`` says how they go on outside.

    ``knots`` (columns × most) end in infinities where a column has fewer intervals than ``counts`` of them;
    ``powers`` (degrees × columns × intervals × splines) begin with the highest.
    """
    knots, counts, powers, low, high = (node[name] for name in ("knots", "counts", "powers", "low", "high"))
    beyond, gaps, first, last = node["beyond"], node["gaps"], node["first"], node["last"]
    columns = numpy.arange(len(counts))

    def run(x: Any) -> Any:
        empty = numpy.isnan(x) if gaps else None
        if empty is not None:
            x = numpy.where(empty, low, x)
        if beyond == "error" and ((x < low) | (x > high)).any():
            raise ValueError("A number is beyond the limits of the knots.")
        inside = x if beyond == "continue" else numpy.clip(x, low, high)
        if beyond == "periodic":
            inside = low + (x - low) % (high - low)
        place = numpy.clip((inside[:, :, None] >= knots).sum(axis=2) - 1, 0, counts - 1)
        along = (inside - knots[columns, place])[:, :, None]
        found = powers[0][columns, place]
        for power in powers[1:]:
            found = found * along + power[columns, place]
        if beyond == "linear":
            out = (x - inside)[:, :, None]
            found = found + out * numpy.where(out < 0.0, first, last)
        if empty is not None:
            found[empty] = 0.0
        return found.reshape(len(x), -1)

    return run


@step("quantiles")
def _quantiles(node: dict[str, Any]) -> Step:
    """Each number to its share of the known ones below it, or to where a normal distribution has that share."""
    references, columns, normal, limit = node["references"], node["columns"], node["normal"], node["limit"]
    back = NormalDist().inv_cdf

    def one(x: Any, known: Any) -> Any:
        # From both ends, as of known ones alike the middle counts.
        found = 0.5 * (numpy.interp(x, known, references) - numpy.interp(-x, -known[::-1], -references[::-1]))
        if normal:
            above, below = x + limit > known[-1], x - limit < known[0]
        else:
            above, below = x == known[-1], x == known[0]
        found[above], found[below] = 1.0, 0.0
        if normal:
            least = limit - numpy.spacing(1)
            shares = numpy.clip(found, least, 1.0 - least).tolist()
            found = numpy.array([share if share != share else back(share) for share in shares])
        return found

    return lambda x: numpy.stack([one(x[:, at], known) for at, known in enumerate(columns)], axis=1)


@step("boxcox")
def _boxcox(node: dict[str, Any]) -> Step:
    """Powers of positive numbers (Box and Cox, 1964)."""
    powers = node["powers"]

    def run(x: Any) -> Any:
        if (x <= 0.0).any():
            raise ValueError("A number is not positive.")
        return numpy.stack([_power(numpy.log(x[:, at]), power) for at, power in enumerate(powers)], axis=1)

    return run


@step("yeojohnson")
def _yeojohnson(node: dict[str, Any]) -> Step:
    """Powers of any numbers (Yeo and Johnson, 2000)."""
    powers = node["powers"]

    def one(x: Any, power: float) -> Any:
        up = _power(numpy.log1p(numpy.maximum(x, 0.0)), power)
        down = -_power(numpy.log1p(-numpy.minimum(x, 0.0)), 2.0 - power)
        return numpy.where(x >= 0.0, up, numpy.where(x < 0.0, down, numpy.nan))

    return lambda x: numpy.stack([one(x[:, at], power) for at, power in enumerate(powers)], axis=1)


def _power(logarithm: Any, power: float) -> Any:
    return logarithm if abs(power) < numpy.spacing(1.0) else numpy.expm1(power * logarithm) / power


@step("waves")
def _waves(node: dict[str, Any]) -> Step:
    """Cosines of a linear map."""
    weights, shift, scale = node["weights"], node["shift"], node["scale"]
    return lambda x: numpy.cos(x @ weights + shift) * scale
