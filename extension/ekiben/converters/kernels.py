"""Models that compare a row with known ones by a kernel, or with middles by a measure of their own."""

from __future__ import annotations

import math
from typing import Any

from ekiben.converters.lowering import Lower, answers, class_of, probabilities, scores, values
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

FLAT = {"op": "apply", "function": "flat"}
SOFTMAX = {"op": "apply", "function": "softmax"}
#: Known rows times columns that are kept at most.
MOST_KNOWN = 5_000_000


def kernel(lower: Lower, part: Any, source: Source, known: Any, **settings: Any) -> Steps:
    """Each row's kernel with every known row."""
    if part.kernel not in ("linear", "rbf", "poly", "sigmoid"):
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} ({part.kernel})"))
    count, width = known.shape
    if count * width > MOST_KNOWN:
        raise NotConverted(_("It compares with {n} rows, more than are tried.", n=count))
    dense = known.toarray() if hasattr(known, "toarray") else known
    step = {"op": "kernel", "kernel": part.kernel, "known": lower.keep(dense.astype(float)), **settings}
    return [*lower.loose(source), step]


def _supported(lower: Lower, part: Any, source: Source) -> Steps:
    settings = {"gamma": float(part._gamma), "degree": int(part.degree), "shift": float(part.coef0)}
    return kernel(lower, part, source, part.support_vectors_, **settings)


def _line(lower: Lower, weights: Any, bias: Any) -> dict[str, Any]:
    dense = weights.toarray() if hasattr(weights, "toarray") else weights
    return {"op": "linear", "weights": lower.keep(dense), "bias": lower.keep(bias)}


@values("sklearn.SVR", "sklearn.NuSVR")
def support_values(lower: Lower, part: Any, source: Source) -> Steps:
    """Linear in the kernels."""
    if part.kernel == "linear":
        return [*lower.loose(source), _line(lower, part.coef_.T, part.intercept_), FLAT]
    return [*_supported(lower, part, source), _line(lower, part.dual_coef_.T, part.intercept_), FLAT]


def _pairs(part: Any) -> list[tuple[int, int]]:
    count = len(part.classes_)
    return [(a, b) for a in range(count) for b in range(a + 1, count)]


def _sure(lower: Lower, part: Any, source: Source) -> Steps:
    """How sure the first of each pair of classes is (n × pairs), as libsvm says it."""
    import numpy

    sign = -1.0 if len(part.classes_) == 2 else 1.0  # the library turns it for two classes
    if part.kernel == "linear":
        weights = part.coef_.toarray() if hasattr(part.coef_, "toarray") else part.coef_
        return [*lower.loose(source), _line(lower, sign * weights.T, sign * part.intercept_)]
    dual = part.dual_coef_.toarray() if hasattr(part.dual_coef_, "toarray") else part.dual_coef_
    if len(part.classes_) == 2:
        return [*_supported(lower, part, source), _line(lower, -dual.T, -part.intercept_)]
    ends = numpy.cumsum([0, *part.n_support_])
    pairs = _pairs(part)
    weights = numpy.zeros((dual.shape[1], len(pairs)))
    for column, (a, b) in enumerate(pairs):
        weights[ends[a] : ends[a + 1], column] = dual[b - 1, ends[a] : ends[a + 1]]
        weights[ends[b] : ends[b + 1], column] = dual[a, ends[b] : ends[b + 1]]
    return [*_supported(lower, part, source), _line(lower, weights, part._intercept_)]


@scores("sklearn.SVC", "sklearn.NuSVC")
def support_scores(lower: Lower, part: Any, source: Source) -> Steps:
    """How sure the second class is, or votes and sums for each of several."""
    count = len(part.classes_)
    steps = [*_sure(lower, part, source), {"op": "affine", "times": -1.0}]
    if count == 2:
        return [*steps, FLAT]
    if part.decision_function_shape != "ovr":
        kind = f"{type(part).__name__}(decision_function_shape='ovo')"
        raise NotConverted(_("{type} has no faster form yet.", type=kind))
    return [*steps, {"op": "paired", "pairs": _pairs(part), "count": count}]


@probabilities("sklearn.SVC", "sklearn.NuSVC")
def support_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """Each pair's sigmoid, coupled."""
    return [*_sure(lower, part, source), _coupled(lower, part)]


def _coupled(lower: Lower, part: Any) -> dict[str, Any]:
    return {
        "op": "coupled",
        "slopes": lower.keep(part._probA),
        "shifts": lower.keep(part._probB),
        "pairs": _pairs(part),
        "count": len(part.classes_),
    }


@answers("sklearn.SVC", "sklearn.NuSVC")
def support_votes(lower: Lower, part: Any, source: Source) -> Steps:
    """Each pair of classes votes; of votes alike the first class wins, as in libsvm."""
    if part.break_ties:
        raise NotConverted(
            _("{type} has no faster form yet.", type=f"{type(part).__name__}(break_ties=True)")
        )
    count = len(part.classes_)
    classes = lower.program.classes(part.classes_)
    vote = {"op": "vote", "pairs": _pairs(part), "classes": classes, "count": count}
    sure = _sure(lower, part, source)
    if not hasattr(part, "predict_proba"):
        return [*sure, vote]
    return [*sure, {"op": "also", "steps": [vote], "probabilities": _coupled(lower, part)}]


@answers("sklearn.OneClassSVM")
def inside(lower: Lower, part: Any, source: Source) -> Steps:
    """1 inside, -1 outside."""
    import numpy

    last = {"op": "decide", "classes": lower.keep(numpy.array([-1, 1]))}
    return [*_supported(lower, part, source), _line(lower, part.dual_coef_.T, part.intercept_), last]


@values("sklearn.KernelRidge")
def ridge(lower: Lower, part: Any, source: Source) -> Steps:
    """Linear in the kernels."""
    import numpy

    if not isinstance(part.kernel, str) or part.kernel_params:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    gamma = 1.0 / source.width if part.gamma is None else float(part.gamma)
    settings = {"gamma": gamma, "degree": float(part.degree), "shift": float(part.coef0)}
    steps = kernel(lower, part, source, part.X_fit_, **settings)
    targets = part.dual_coef_
    line = _line(lower, targets, numpy.zeros(1 if targets.ndim == 1 else targets.shape[1]))
    return [*steps, line]


@probabilities("sklearn.LabelPropagation", "sklearn.LabelSpreading")
def spread_labels(lower: Lower, part: Any, source: Source) -> Steps:
    """The known rows' shares of each class, by the kernel."""
    import numpy

    settings = {"gamma": float(part.gamma), "degree": 1.0, "shift": 0.0}
    steps = kernel(lower, part, source, part.X_, **settings)
    line = _line(lower, part.label_distributions_, numpy.zeros(1))
    return [*steps, line, {"op": "apply", "function": "portion"}]


@values("sklearn.GaussianProcessRegressor")
def process(lower: Lower, part: Any, source: Source) -> Steps:
    """The process's mean."""
    import numpy

    known = part.X_train_
    if known.size > MOST_KNOWN:
        raise NotConverted(_("It compares with {n} rows, more than are tried.", n=len(known)))
    spread, middle = numpy.reshape(part._y_train_std, -1), numpy.reshape(part._y_train_mean, -1)
    step = {
        "op": "process",
        "known": lower.keep(known.astype(float)),
        "kernel": covariance(lower, part.kernel_),
    }
    back = {"op": "affine", "times": lower.keep(spread), "plus": lower.keep(middle)}
    line = _line(lower, part.alpha_, numpy.zeros(1))
    return [*lower.numbers(source), step, line, back]


def covariance(lower: Lower, part: Any) -> dict[str, Any]:
    """A kernel of a process, of known values for its parameters."""
    kind = class_of(part).partition(".")[2]
    if kind in ("Sum", "Product"):
        return {"kind": kind.lower(), "parts": [covariance(lower, part.k1), covariance(lower, part.k2)]}
    if kind == "Exponentiation":
        return {"kind": "power", "parts": [covariance(lower, part.kernel)], "power": float(part.exponent)}
    if kind == "ConstantKernel":
        return {"kind": "constant", "value": float(part.constant_value)}
    if kind == "WhiteKernel":  # noise is nobody else's
        return {"kind": "constant", "value": 0.0, "own": float(part.noise_level)}
    if kind == "DotProduct":
        return {"kind": "dot", "value": float(part.sigma_0) ** 2}
    if kind == "RationalQuadratic":
        return {"kind": "quadratic", "scale": float(part.length_scale), "mix": float(part.alpha)}
    if kind == "ExpSineSquared":
        told = {"period": float(part.periodicity), "length": float(part.length_scale)}
        return {"kind": "periodic", "scale": 1.0, **told}
    if kind in ("RBF", "Matern") and getattr(part, "nu", math.inf) in (0.5, 1.5, 2.5, math.inf):
        import numpy

        scale = lower.keep(numpy.atleast_1d(part.length_scale))
        if getattr(part, "nu", math.inf) == math.inf:
            return {"kind": "rbf", "scale": scale}
        return {"kind": "rough", "scale": scale, "smooth": float(part.nu)}
    raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))


# -- middles with a measure of their own -----------------------------------------------------------


def _ellipses(lower: Lower, middles: Any, weights: Any, plus: Any) -> Steps:
    """Half the squared distances, negative, and ``plus``."""
    parts = [[lower.keep(middle), lower.keep(by)] for middle, by in zip(middles, weights, strict=True)]
    return [{"op": "ellipses", "parts": parts}, {"op": "affine", "times": -0.5, "plus": lower.keep(plus)}]


def _quadratic(lower: Lower, part: Any, source: Source) -> Steps:
    import numpy

    pairs = zip(part.rotations_, part.scalings_, strict=True)
    weights = [rotation * spread**-0.5 for rotation, spread in pairs]
    plus = [-0.5 * numpy.log(spread).sum() for spread in part.scalings_] + numpy.log(part.priors_)
    return [*lower.numbers(source), *_ellipses(lower, part.means_, weights, plus)]


@probabilities("sklearn.QuadraticDiscriminantAnalysis")
def quadratic_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """Softmax of the logarithms of the classes' densities."""
    return [*_quadratic(lower, part, source), SOFTMAX]


@answers("sklearn.QuadraticDiscriminantAnalysis")
def quadratic(lower: Lower, part: Any, source: Source) -> Steps:
    """The densest class."""
    both = {"op": "both", "classes": lower.program.classes(part.classes_), "steps": [SOFTMAX]}
    return [*_quadratic(lower, part, source), both]


@answers("sklearn.GaussianMixture", "sklearn.BayesianGaussianMixture")
def mixture(lower: Lower, part: Any, source: Source) -> Steps:
    """The likeliest part, and each one's share."""
    import numpy

    found, (count, width) = part.precisions_cholesky_, part.means_.shape
    if part.covariance_type == "tied":
        roots = [found] * count
    elif part.covariance_type == "full":
        roots = list(found)
    else:
        roots = [numpy.eye(width) * root for root in found]
    # In its middle each part is as likely as the library says.
    plus = numpy.diag(part._estimate_weighted_log_prob(part.means_))
    both = {"op": "both", "classes": lower.keep(numpy.arange(count)), "steps": [SOFTMAX]}
    return [*lower.numbers(source), *_ellipses(lower, part.means_, roots, plus), both]


@answers("sklearn.EllipticEnvelope")
def envelope(lower: Lower, part: Any, source: Source) -> Steps:
    """1 inside, -1 outside."""
    import numpy

    root = numpy.linalg.cholesky(part.precision_)
    last = {"op": "decide", "classes": lower.keep(numpy.array([-1, 1]))}
    steps = _ellipses(lower, [part.location_], [numpy.sqrt(2.0) * root], numpy.array([-part.offset_]))
    return [*lower.numbers(source), *steps, last]
