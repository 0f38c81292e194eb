"""Transformers that bend columns or project them: bins, splines, quantiles, powers, linear maps, kernels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ekiben.converters.kernels import kernel
from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

Made = tuple[Steps, Source]


@transform("sklearn.KBinsDiscretizer")
def bins(lower: Lower, part: Any, source: Source) -> Made:
    """Each number's bin, by its place or as a column a bin."""
    steps, source = lower.program.numbers(source)
    wide = part.encode != "ordinal"
    widths = [int(count) for count in part.n_bins_]
    edges = [lower.keep(ends[1:-1]) for ends in part.bin_edges_]
    step = {"op": "bins", "edges": edges, "widths": widths if wide else None}
    return [*steps, step], Source(sum(widths) if wide else source.width)


@transform("sklearn.Binarizer")
def binary(lower: Lower, part: Any, source: Source) -> Made:
    """1 above the threshold."""
    limit = float(part.threshold)
    if source.sparse:
        return [{"op": "positive", "limit": limit}], source  # the library refuses one below 0 here
    steps, source = lower.program.numbers(source)
    return [*steps, {"op": "above", "limit": limit}], source


@transform("sklearn.SplineTransformer")
def splines(lower: Lower, part: Any, source: Source) -> Made:
    """Polynomials between knots, read off the library's splines and their derivatives."""
    import numpy

    gaps = getattr(part, "handle_missing", "error") == "zeros"
    steps, source = lower.program.numbers(source, gaps=gaps)
    degree = int(part.degree)
    ends = [numpy.unique(spline.t[degree : len(spline.t) - degree]) for spline in part.bsplines_]
    if min(map(len, ends)) < 2:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    counts = [len(knots) - 1 for knots in ends]
    splines = part.bsplines_[0].c.shape[1]
    kept = splines - (0 if part.include_bias else 1)
    knots = numpy.full((len(ends), max(counts) + 1), numpy.inf)
    powers = numpy.zeros((degree + 1, len(ends), max(counts), kept))
    slopes = numpy.zeros((2, len(ends), splines))
    for column, (spline, own) in enumerate(zip(part.bsplines_, ends, strict=True)):
        knots[column, : len(own)] = own
        for place, power in enumerate(range(degree, -1, -1)):
            found = spline(own[:-1], nu=power) / math.factorial(power)
            powers[place, column, : len(own) - 1] = found[:, :kept]
        # Beyond the ends only the outermost go on.
        most = max(2, degree)
        slopes[0, column, :most] = spline(own[0], nu=1)[:most]
        slopes[1, column, splines - most :] = spline(own[-1], nu=1)[splines - most :]
    step = {
        "op": "splines",
        "knots": lower.keep(knots),
        "counts": lower.keep(counts),
        "powers": lower.keep(powers),
        "low": lower.keep([own[0] for own in ends]),
        "high": lower.keep([own[-1] for own in ends]),
        "first": lower.keep(slopes[0, :, :kept]),
        "last": lower.keep(slopes[1, :, :kept]),
        "beyond": part.extrapolation,
        "gaps": gaps,
    }
    return [*steps, step], Source(int(part.n_features_out_))


@transform("sklearn.QuantileTransformer")
def quantiles(lower: Lower, part: Any, source: Source) -> Made:
    """Each number's share of the known ones."""
    steps, source = lower.program.numbers(source, gaps=True)
    step = {
        "op": "quantiles",
        "references": lower.keep(part.references_),
        "columns": lower.keep(part.quantiles_.T),
        "normal": part.output_distribution == "normal",
        "limit": 1e-7,
    }
    return [*steps, step], source


@transform("sklearn.PowerTransformer")
def powers(lower: Lower, part: Any, source: Source) -> Made:
    """Powers, and the scaling after them."""
    steps, source = lower.program.numbers(source, gaps=True)
    kind = "boxcox" if part.method == "box-cox" else "yeojohnson"
    steps = [*steps, {"op": kind, "powers": [float(power) for power in part.lambdas_]}]
    if not part.standardize:
        return steps, source
    more, source = lower.transform(part._scaler, source)
    return [*steps, *more], source


@transform(
    "sklearn.FactorAnalysis", "sklearn.FastICA", "sklearn.FeatureAgglomeration",
    "sklearn.GaussianRandomProjection", "sklearn.SparseRandomProjection",
    "sklearn.LinearDiscriminantAnalysis", "sklearn.NeighborhoodComponentsAnalysis",
    "sklearn.SparsePCA", "sklearn.MiniBatchSparsePCA",
)  # fmt: skip
def linear(lower: Lower, part: Any, source: Source) -> Made:
    """A linear map: the transformer is asked for each column alone."""
    import numpy

    if type(part).__name__ == "FeatureAgglomeration" and part.pooling_func is not numpy.mean:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    steps, source = lower.program.loose(source)
    rows = numpy.vstack((numpy.zeros(source.width), numpy.eye(source.width)))
    made = part.transform(rows)
    made = made.toarray() if hasattr(made, "toarray") else numpy.asarray(made, dtype=float)
    step = {"op": "linear", "weights": lower.keep(made[1:] - made[0]), "bias": lower.keep(made[0])}
    return [*steps, step], Source(made.shape[1])


@transform("sklearn.KMeans", "sklearn.MiniBatchKMeans", "sklearn.BisectingKMeans", "sklearn.Birch")
def distances(lower: Lower, part: Any, source: Source) -> Made:
    """The distance to each centre."""
    centres = getattr(part, "subcluster_centers_", None)
    centres = part.cluster_centers_ if centres is None else centres
    steps, source = lower.program.numbers(source)
    return [*steps, {"op": "distances", "known": lower.keep(centres.astype(float))}], Source(len(centres))


@transform("sklearn.BernoulliRBM")
def hidden(lower: Lower, part: Any, source: Source) -> Made:
    """How likely each hidden unit is on."""
    steps, source = lower.program.loose(source)
    weights, bias = part.components_.T, part.intercept_hidden_
    step = {"op": "linear", "weights": lower.keep(weights), "bias": lower.keep(bias)}
    return [*steps, step, {"op": "apply", "function": "logistic"}], Source(len(bias))


@transform("sklearn.RBFSampler")
def waves(lower: Lower, part: Any, source: Source) -> Made:
    """Cosines of a linear map."""
    steps, source = lower.program.loose(source)
    width = part.random_weights_.shape[1]
    step = {
        "op": "waves",
        "weights": lower.keep(part.random_weights_),
        "shift": lower.keep(part.random_offset_),
        "scale": math.sqrt(2.0 / width),
    }
    return [*steps, step], Source(width)


@transform("sklearn.Nystroem", "sklearn.KernelPCA")
def kernels(lower: Lower, part: Any, source: Source) -> Made:
    """Linear in the kernels with known rows."""
    import numpy

    if not isinstance(part.kernel, str) or part.kernel_params:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    known = part.components_ if type(part).__name__ == "Nystroem" else part.X_fit_
    gamma = part.gamma if part.gamma is not None else 1.0 / source.width
    degree, shift = part.degree, part.coef0
    settings = {
        "gamma": float(gamma),
        "degree": 3.0 if degree is None else float(degree),
        "shift": 1.0 if shift is None else float(shift),
    }
    steps = kernel(lower, part, source, known, **settings)
    if type(part).__name__ == "Nystroem":
        weights = part.normalization_.T
        bias = numpy.zeros(weights.shape[1])
    else:
        alive = part.eigenvalues_ > 0
        weights = numpy.zeros(part.eigenvectors_.shape)
        weights[:, alive] = part.eigenvectors_[:, alive] / numpy.sqrt(part.eigenvalues_[alive])
        # The kernel is centred by the known rows' means and by its own.
        centre = part._centerer
        bias = (centre.K_fit_all_ - centre.K_fit_rows_) @ weights
        weights = weights - weights.mean(axis=0)
    step = {"op": "linear", "weights": lower.keep(weights), "bias": lower.keep(bias)}
    return [*steps, step], replace(source, width=weights.shape[1], fields=None, sparse=False, texts=False)
