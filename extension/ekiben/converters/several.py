"""Several outputs at once: trees, neighbours and networks that have them, chains, a label's codes."""

from __future__ import annotations

from typing import Any

from ekiben.converters import lowering
from ekiben.converters.committees import COLUMN, SECOND, chained
from ekiben.converters.ensemble import Ensemble
from ekiben.converters.forests import grow
from ekiben.converters.lowering import Lower, class_of
from ekiben.converters.neighbours import nearest
from ekiben.converters.others import layers
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

LOGISTIC = {"op": "apply", "function": "logistic"}


def _outputs(lower: Lower, part: Any) -> dict[str, Any]:
    """The classes of each output, of whose shares there is a column each."""
    return {"op": "outputs", "classes": [lower.program.classes(classes) for classes in part.classes_]}


@lowering.several(
    "sklearn.DecisionTreeClassifier", "sklearn.ExtraTreeClassifier",
    "sklearn.RandomForestClassifier", "sklearn.ExtraTreesClassifier",
)  # fmt: skip
def trees(lower: Lower, part: Any, source: Source) -> Steps:
    """The likeliest class of each output in the trees' mean."""
    import numpy

    members = getattr(part, "estimators_", [part])
    ensemble = Ensemble(source.width, "float32")
    for entry in members:
        found = entry.tree_.value / entry.tree_.value.sum(axis=2, keepdims=True)
        shares = [found[:, place, :count] for place, count in enumerate(part.n_classes_)]
        grow(ensemble, entry.tree_, numpy.concatenate(shares, axis=1))
    steps = lower.program.forest(ensemble, scale=float(len(members)))
    return [*lower.numbers(source, gaps=True), *steps, _outputs(lower, part)]


@lowering.several("sklearn.KNeighborsClassifier")
def neighbours(lower: Lower, part: Any, source: Source) -> Steps:
    """The class that most of the nearest have, output by output."""
    import numpy

    shares = [numpy.eye(len(classes))[part._y[:, place]] for place, classes in enumerate(part.classes_)]
    return [*nearest(lower, part, source, numpy.concatenate(shares, axis=1)), _outputs(lower, part)]


@lowering.several("sklearn.MLPClassifier")
def network(lower: Lower, part: Any, source: Source) -> Steps:
    """The labels whose logistic is above a half."""
    labels = {"op": "labels", "limit": 0.5, "steps": []}
    return [*layers(lower, part, source), LOGISTIC, labels]


@lowering.several("sklearn.OneVsRestClassifier")
def one_a_label(lower: Lower, part: Any, source: Source) -> Steps:
    """The labels of whose presence their own models are sure."""
    members = part.estimators_
    if any(class_of(entry) == "sklearn._ConstantPredictor" for entry in members):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    parts, limit = _sure(lower, part, source)
    if not all(hasattr(entry, "predict_proba") for entry in members):
        return [{"op": "concat", "parts": parts}, {"op": "labels", "limit": limit, "steps": None}]
    shares = [chained([*lower.probabilities(entry, source), SECOND]) for entry in members]
    if limit:
        return [{"op": "concat", "parts": shares}, {"op": "labels", "limit": limit, "steps": []}]
    labels = [{"op": "concat", "parts": parts}, {"op": "labels", "limit": limit, "steps": None}]
    return [{"op": "also", "steps": labels, "probabilities": {"op": "concat", "parts": shares}}]


@lowering.scores("sklearn._ConstantPredictor")
def same_for_all(lower: Lower, part: Any, source: Source) -> Steps:
    """What a member answers that saw one class only."""
    import numpy

    return [{"op": "constant", "values": lower.keep(numpy.asarray(part.y_, dtype=float).reshape(-1)[:1])}]


@lowering.answers("sklearn.OutputCodeClassifier")
def coded(lower: Lower, part: Any, source: Source) -> Steps:
    """The class whose code is nearest to what the members say."""
    parts, _limit = _sure(lower, part, source)
    codes = part.code_book_.astype(float)
    # The nearest has the greatest x·c - c·c/2.
    bias = lower.keep(-0.5 * (codes * codes).sum(axis=1))
    line = {"op": "linear", "weights": lower.keep(codes.T), "bias": bias}
    decide = {"op": "decide", "classes": lower.program.classes(part.classes_)}
    return [{"op": "concat", "parts": parts}, line, decide]


def _sure(lower: Lower, part: Any, source: Source) -> tuple[list[Any], float]:
    """How sure each member is (n × 1), and from where on it says yes.

    Raises:
        NotConverted: some tell it by a score and some by a probability only.
    """
    scored = all(hasattr(entry, "decision_function") for entry in part.estimators_)
    if not scored and not all(hasattr(entry, "predict_proba") for entry in part.estimators_):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    parts = [
        chained(
            [*lower.scores(entry, source), COLUMN]
            if scored
            else [*lower.probabilities(entry, source), SECOND]
        )
        for entry in part.estimators_
    ]
    return parts, 0.0 if scored else 0.5


@lowering.answers("sklearn.ClassifierChain", "sklearn.RegressorChain")
def following(lower: Lower, part: Any, source: Source) -> Steps:
    """One model a target, each of which gets the answers of those before it too."""
    import numpy

    if getattr(part, "chain_method_", "predict") != "predict":
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} (chain_method)"))
    shared = hasattr(part, "predict_proba")
    if shared and any(len(entry.classes_) != 2 for entry in part.estimators_):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    steps, source = lower.program.numbers(source)
    parts = [
        chained(lower.answers(entry, Source(source.width + place)))
        for place, entry in enumerate(part.estimators_)
    ]
    back = lower.keep(numpy.argsort(part.order_))
    return [*steps, {"op": "following", "parts": parts, "back": back, "shared": shared}]
