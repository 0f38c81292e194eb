"""Bayes, networks, clusters: models with a short formula of their own."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, answers, probabilities, values
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

SOFTMAX = {"op": "apply", "function": "softmax"}
FLAT = {"op": "apply", "function": "flat"}


@probabilities("sklearn.GaussianNB")
def gaussian(lower: Lower, part: Any, source: Source) -> Steps:
    """The classes' densities and priors, in logarithms."""
    import numpy

    bias = numpy.log(part.class_prior_) - 0.5 * numpy.log(2.0 * numpy.pi * part.var_).sum(axis=1)
    step = {
        "op": "gauss",
        "means": lower.keep(part.theta_),
        "spread": lower.keep(part.var_),
        "bias": lower.keep(bias),
    }
    return [*lower.numbers(source), step, SOFTMAX]


@probabilities("sklearn.MultinomialNB", "sklearn.ComplementNB", "sklearn.BernoulliNB")
def counting(lower: Lower, part: Any, source: Source) -> Steps:
    """Linear in the counts."""
    import numpy

    kind = type(part).__name__
    weights, bias = part.feature_log_prob_, part.class_log_prior_
    first: Steps = []
    if kind == "ComplementNB":
        bias = part.class_log_prior_ if len(part.classes_) == 1 else numpy.zeros(len(part.classes_))
    if kind == "BernoulliNB":
        if part.binarize is not None:
            first = [_binary(source, float(part.binarize))]
        no = numpy.log(1.0 - numpy.exp(weights))
        weights, bias = weights - no, bias + no.sum(axis=1)
    step = {"op": "linear", "weights": lower.keep(weights.T), "bias": lower.keep(bias)}
    return [*lower.loose(source), *first, step, SOFTMAX]


def _binary(source: Source, limit: float) -> dict[str, Any]:
    if source.sparse and limit < 0:
        raise NotConverted(_("{type} has no faster form yet.", type=f"BernoulliNB(binarize={limit:g})"))
    return {"op": "positive" if source.sparse else "above", "limit": limit}


@probabilities("sklearn.MLPClassifier")
def network_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """Layers, then what the output layer is trained for."""
    steps = layers(lower, part, source)
    if part.out_activation_ == "softmax":
        return [*steps, SOFTMAX]
    steps = [*steps, {"op": "apply", "function": "logistic"}]
    if part.n_outputs_ > 1:
        raise NotConverted(_("It has several outputs, each with classes of its own."))
    return [*steps, {"op": "apply", "function": "two"}]


@values("sklearn.MLPRegressor")
def network_values(lower: Lower, part: Any, source: Source) -> Steps:
    """Layers."""
    steps = layers(lower, part, source)
    return [*steps, FLAT] if part.n_outputs_ == 1 else steps


def layers(lower: Lower, part: Any, source: Source) -> Steps:
    """A network up to its last layer's sums."""
    steps = lower.numbers(source)
    for place, (weights, bias) in enumerate(zip(part.coefs_, part.intercepts_, strict=True)):
        if place and part.activation != "identity":
            steps = [*steps, {"op": "apply", "function": part.activation}]
        steps = [*steps, {"op": "linear", "weights": lower.keep(weights), "bias": lower.keep(bias)}]
    return steps


@answers("sklearn.KMeans", "sklearn.MiniBatchKMeans", "sklearn.MeanShift", "sklearn.AffinityPropagation")
def clusters(lower: Lower, part: Any, source: Source) -> Steps:
    """The nearest centre."""
    import numpy

    if getattr(part, "affinity", "euclidean") != "euclidean":
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    kind = numpy.int32 if "KMeans" in type(part).__name__ else numpy.int64
    return _centres(
        lower, source, part.cluster_centers_, numpy.arange(len(part.cluster_centers_), dtype=kind)
    )


@answers("sklearn.Birch")
def grouped_centres(lower: Lower, part: Any, source: Source) -> Steps:
    """The group of the nearest of many centres."""
    return _centres(lower, source, part.subcluster_centers_, part.subcluster_labels_)


def _towards(lower: Lower, centres: Any, plus: Any) -> dict[str, Any]:
    """A score for each centre: the nearest has the greatest x·c - c·c/2."""
    centres = centres.astype(float)
    bias = plus - 0.5 * (centres * centres).sum(axis=1)
    return {"op": "linear", "weights": lower.keep(centres.T), "bias": lower.keep(bias)}


def _centres(lower: Lower, source: Source, centres: Any, labels: Any) -> Steps:
    step = _towards(lower, centres, 0.0)
    # One centre alone would be taken for the score of two classes.
    lone = [] if len(centres) > 1 else [{"op": "affine", "times": 0.0}]
    return [*lower.loose(source), step, *lone, {"op": "decide", "classes": lower.keep(labels)}]


@answers("sklearn.NearestCentroid")
def centroids(lower: Lower, part: Any, source: Source) -> Steps:
    """The nearest centroid; of classes that are not alike in number, and for probabilities, by their spread."""
    import numpy

    if part.metric != "euclidean":
        raise NotConverted(_("{type} has no faster form yet.", type=f"NearestCentroid ({part.metric})"))
    decide = {"op": "decide", "classes": lower.program.classes(part.classes_)}
    plain = [_towards(lower, part.centroids_, 0.0), decide]
    if not hasattr(part, "predict_proba"):
        return [*lower.numbers(source), *plain]
    spread = numpy.where(part.within_class_std_dev_ == 0.0, 1.0, part.within_class_std_dev_)
    priors = numpy.log(part.class_prior_)
    scored = [
        {"op": "affine", "divide": lower.keep(spread)},
        _towards(lower, part.centroids_ / spread, priors),
        {"op": "affine", "times": 2.0},
    ]
    alike = numpy.isclose(part.class_prior_, 1.0 / len(part.classes_)).all()
    if not alike:
        return [*lower.numbers(source), *scored, {**decide, "op": "both", "steps": [SOFTMAX]}]
    shares = {"op": "chain", "steps": [*scored, SOFTMAX]}
    return [*lower.numbers(source), {"op": "also", "steps": plain, "probabilities": shares}]


@answers("sklearn.SGDOneClassSVM")
def beyond_a_line(lower: Lower, part: Any, source: Source) -> Steps:
    """1 inside, -1 outside."""
    import numpy

    line = {"op": "linear", "weights": lower.keep(part.coef_.T), "bias": lower.keep(-part.offset_)}
    return [*lower.loose(source), line, {"op": "decide", "classes": lower.keep(numpy.array([-1, 1]))}]


@probabilities("sklearn.CategoricalNB")
def tallied(lower: Lower, part: Any, source: Source) -> Steps:
    """The logarithms that stand for each column's category, summed."""
    tables = [lower.keep(table.T) for table in part.feature_log_prob_]
    step = {"op": "tallied", "tables": tables, "bias": lower.keep(part.class_log_prior_)}
    return [*lower.numbers(source), step, SOFTMAX]


@answers("sklearn.DummyClassifier")
def always(lower: Lower, part: Any, source: Source) -> Steps:
    """The same for every row."""
    import numpy

    if part.n_outputs_ > 1 or part._strategy not in ("most_frequent", "prior", "constant"):
        kind = f"DummyClassifier({part._strategy})"
        raise NotConverted(_("{type} has no faster form yet.", type=kind))
    shares = part.predict_proba(numpy.zeros((1, 1))).astype(float)
    classes = lower.program.classes(part.classes_)
    return [{"op": "constant", "values": lower.keep(shares)}, {"op": "classify", "classes": classes}]


@values("sklearn.DummyRegressor")
def always_number(lower: Lower, part: Any, source: Source) -> Steps:
    """The same for every row."""
    steps: Steps = [{"op": "constant", "values": lower.keep(part.constant_)}]
    return [*steps, FLAT] if part.n_outputs_ == 1 else steps
