"""Linear models and those that end in one, as steps."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, links, scores, values
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

_CLASSIFIERS = tuple(
    f"sklearn.{name}"
    for name in (
        "LogisticRegression",
        "LogisticRegressionCV",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
        "Perceptron",
        "LinearSVC",
        "PassiveAggressiveClassifier",
        "LinearDiscriminantAnalysis",
    )
)
_REGRESSORS = tuple(
    f"sklearn.{name}"
    for name in (
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "ElasticNet",
        "ElasticNetCV",
        "Lars",
        "LarsCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "BayesianRidge",
        "ARDRegression",
        "HuberRegressor",
        "SGDRegressor",
        "LinearSVR",
        "TheilSenRegressor",
        "QuantileRegressor",
        "PassiveAggressiveRegressor",
        "MultiTaskLasso",
        "MultiTaskElasticNet",
        "MultiTaskLassoCV",
        "MultiTaskElasticNetCV",
    )
)


def line(lower: Lower, part: Any, source: Source) -> Steps:
    """``x @ coef + intercept``: n for one row of coefficients, else n × rows."""
    import numpy

    weights = numpy.asarray(part.coef_, dtype=float)
    bias = numpy.asarray(part.intercept_, dtype=float)
    if weights.ndim == 2:
        weights = weights.T
    step = {"op": "linear", "weights": lower.keep(weights), "bias": lower.keep(bias.reshape(-1))}
    return [*lower.loose(source), step]


@scores(*_CLASSIFIERS)
def decision(lower: Lower, part: Any, source: Source) -> Steps:
    """One score, or one for each class."""
    return line(lower, part, source)


@values(*_REGRESSORS)
def regression(lower: Lower, part: Any, source: Source) -> Steps:
    """n, or n × targets where ``fit`` was given a table of them."""
    import numpy

    steps = line(lower, part, source)
    return steps if numpy.ndim(part.coef_) == 2 else [*steps, {"op": "apply", "function": "flat"}]


@values("sklearn.PoissonRegressor", "sklearn.GammaRegressor", "sklearn.TweedieRegressor")
def generalised(lower: Lower, part: Any, source: Source) -> Steps:
    """A line through the inverse of the link, which is a logarithm or nothing."""
    link = type(part._base_loss.link).__name__
    if link not in ("LogLink", "IdentityLink"):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    steps = [*line(lower, part, source), {"op": "apply", "function": "flat"}]
    return [*steps, {"op": "apply", "function": "exp"}] if link == "LogLink" else steps


@links("sklearn.LogisticRegression", "sklearn.LogisticRegressionCV", "sklearn.LinearDiscriminantAnalysis")
def logistic(part: Any) -> Steps:
    """Logistic of one score, softmax of several; one against the rest where it was trained so."""
    if len(part.classes_) == 2:
        return [{"op": "apply", "function": "logistic"}, {"op": "apply", "function": "two"}]
    if getattr(part, "solver", "") == "liblinear" or getattr(part, "multi_class", "") == "ovr":
        return [{"op": "apply", "function": "logistic"}, {"op": "apply", "function": "share"}]
    return [{"op": "apply", "function": "softmax"}]


@links("sklearn.SGDClassifier")
def stochastic(part: Any) -> Steps:
    """Logistic scores that sum to 1, or scores between -1 and 1 as shares; other losses have no simple form."""
    if part.loss == "modified_huber":
        line = {"op": "affine", "times": 0.5, "plus": 0.5, "low": 0.0, "high": 1.0}
        return [line, {"op": "apply", "function": "two"} if len(part.classes_) == 2 else {"op": "shared"}]
    if part.loss != "log_loss":
        raise NotConverted(_("{type} has no faster form yet.", type=f"SGDClassifier(loss={part.loss!r})"))
    last = "two" if len(part.classes_) == 2 else "share"
    return [{"op": "apply", "function": "logistic"}, {"op": "apply", "function": last}]


@values("sklearn.RANSACRegressor")
def agreed(lower: Lower, part: Any, source: Source) -> Steps:
    """The regressor that most rows agree with."""
    return lower.values(part.estimator_, source)


@values("sklearn.PLSRegression", "sklearn.PLSCanonical", "sklearn.CCA")
def latent(lower: Lower, part: Any, source: Source) -> Steps:
    """A line: the library is asked at zero, and for each column alone."""
    import numpy

    made = part.predict(numpy.vstack((numpy.zeros(source.width), numpy.eye(source.width))))
    weights, bias = made[1:] - made[0], made[0].reshape(-1)
    return [
        *lower.numbers(source),
        {"op": "linear", "weights": lower.keep(weights), "bias": lower.keep(bias)},
        *([{"op": "apply", "function": "flat"}] if made.ndim == 1 else []),
    ]
