"""Calibrated classifiers."""

from __future__ import annotations

from typing import Any

from ekiben.converters import lowering
from ekiben.converters.committees import COLUMN, SECOND, chained
from ekiben.converters.forests import SOFTMAX, TWO
from ekiben.converters.lowering import Lower, class_of
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _


@lowering.probabilities("sklearn.CalibratedClassifierCV")
def calibrated(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the calibrated members' probabilities."""
    members = [chained(_calibrated(lower, entry, source)) for entry in part.calibrated_classifiers_]
    return [{"op": "mean", "parts": members, "weights": None}]


def _calibrated(lower: Lower, entry: Any, source: Source) -> Steps:
    estimator = entry.estimator
    if class_of(estimator) == "sklearn.FrozenEstimator":
        estimator = estimator.estimator
    count = len(entry.classes)
    if len(estimator.classes_) != count:
        raise NotConverted(_("{type} has no faster form yet.", type="CalibratedClassifierCV"))
    scored = hasattr(estimator, "decision_function")
    steps = lower.scores(estimator, source) if scored else lower.probabilities(estimator, source)
    if entry.method == "temperature":
        if not scored:
            steps = [*steps, {"op": "affine", "plus": 1e-12}, {"op": "apply", "function": "log"}]
        elif count == 2:
            steps = [*steps, {"op": "opposed"}]
        return [*steps, {"op": "affine", "times": float(entry.calibrators[0].beta_)}, SOFTMAX]
    if count == 2:
        steps = [*steps, COLUMN if scored else SECOND]
    if entry.method == "isotonic":
        curves = [
            [lower.keep(found.X_thresholds_), lower.keep(found.y_thresholds_)] for found in entry.calibrators
        ]
        if any(len(found.X_thresholds_) < 2 for found in entry.calibrators):
            raise NotConverted(_("{type} has no faster form yet.", type="CalibratedClassifierCV"))
        steps = [*steps, {"op": "interpolate", "curves": curves, "beyond": "flat"}]
    else:
        # The library's sigmoid is 1 / (1 + exp(a * score + b)).
        line = {
            "op": "affine",
            "times": lower.keep([-float(found.a_) for found in entry.calibrators]),
            "plus": lower.keep([-float(found.b_) for found in entry.calibrators]),
        }
        steps = [*steps, line, {"op": "apply", "function": "logistic"}]
    return [*steps, TWO if count == 2 else {"op": "shared"}]


@lowering.values("sklearn.IsotonicRegression")
def isotonic(lower: Lower, part: Any, source: Source) -> Steps:
    """A line between the points of the curve."""
    beyond = {"clip": "flat", "nan": "gap", "raise": "refused"}[part.out_of_bounds]
    if source.width != 1 or (len(part.X_thresholds_) < 2 and beyond != "flat"):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    curve = [lower.keep(part.X_thresholds_), lower.keep(part.y_thresholds_)]
    step = {"op": "interpolate", "curves": [curve], "beyond": beyond}
    return [*lower.numbers(source), step, {"op": "apply", "function": "flat"}]
