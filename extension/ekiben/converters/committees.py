"""Models that ask several others: boosting by weights, votes, stacks, bags, one against the rest."""

from __future__ import annotations

from typing import Any

from ekiben.converters import lowering
from ekiben.converters.ensemble import Ensemble
from ekiben.converters.forests import FLAT, SOFTMAX, TWO, grow, shares
from ekiben.converters.lowering import Lower, class_of
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

COLUMN = {"op": "apply", "function": "column"}
#: Of two classes' probabilities the second.
SECOND = {"op": "take", "columns": [1]}
_TREES = ("sklearn.DecisionTree", "sklearn.ExtraTree")


def chained(steps: Steps) -> dict[str, Any]:
    """Steps as one."""
    return {"op": "chain", "steps": steps}


def _grown(part: Any, kind: str) -> bool:
    """Whether all its members are trees, which are asked at once then."""
    return all(class_of(entry) in [f"{head}{kind}" for head in _TREES] for entry in part.estimators_)


# -- boosting by weights ---------------------------------------------------------------------------


@lowering.scores("sklearn.AdaBoostClassifier")
def weighed_votes(lower: Lower, part: Any, source: Source) -> Steps:
    """Each member's weight for its choice, and a share of it against the others."""
    import numpy

    count = len(part.classes_)
    weights = part.estimator_weights_[: len(part.estimators_)]
    if count == 1:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    against = [-float(weight) / (count - 1) for weight in weights]
    if _grown(part, "Classifier"):
        ensemble = Ensemble(source.width, "float32")
        places = {label: place for place, label in enumerate(part.classes_.tolist())}
        for entry, weight, other in zip(part.estimators_, weights, against, strict=True):
            chosen = entry.tree_.value[:, 0, :].argmax(axis=1)
            known = numpy.array([places[label] for label in entry.classes_.tolist()])
            votes = numpy.full((len(chosen), count), other)
            votes[numpy.arange(len(chosen)), known[chosen]] = weight
            grow(ensemble, entry.tree_, votes)
        steps = [*lower.numbers(source, gaps=True), *lower.program.forest(ensemble)]
    else:
        parts = [chained(lower.choice(entry, source, part.classes_)) for entry in part.estimators_]
        ballot = {"op": "ballot", "parts": parts, "weights": [float(weight) for weight in weights]}
        steps = [{**ballot, "against": against, "count": count}]
    steps.append({"op": "affine", "divide": float(weights.sum())})
    return [*steps, {"op": "against"}] if count == 2 else steps


@lowering.links("sklearn.AdaBoostClassifier")
def weighed_shares(part: Any) -> Steps:
    """Softmax of a share of the votes."""
    count = len(part.classes_)
    if count == 2:
        return [{"op": "opposed"}, {"op": "affine", "divide": 2.0}, SOFTMAX]
    return [{"op": "affine", "divide": float(count - 1)}, SOFTMAX]


@lowering.values("sklearn.AdaBoostRegressor")
def weighed_median(lower: Lower, part: Any, source: Source) -> Steps:
    """The median of the members by their weights."""
    weights = part.estimator_weights_[: len(part.estimators_)]
    median = {"op": "median", "weights": lower.keep(weights)}
    if not _grown(part, "Regressor"):
        parts = [chained([*lower.values(entry, source), COLUMN]) for entry in part.estimators_]
        return [{"op": "concat", "parts": parts}, median]
    ensemble = Ensemble(source.width, "float32")
    for entry in part.estimators_:
        grow(ensemble, entry.tree_, entry.tree_.value[:, 0, 0])
    steps = lower.program.forest(ensemble, groups=len(part.estimators_))
    return [*lower.numbers(source, gaps=True), *steps, median]


# -- votes and bags --------------------------------------------------------------------------------


def _weights(part: Any) -> list[float]:
    given = part._weights_not_none
    return [1.0] * len(part.estimators_) if given is None else [float(weight) for weight in given]


@lowering.probabilities("sklearn.VotingClassifier")
def soft_votes(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the members' probabilities."""
    parts = [chained(lower.probabilities(entry, source)) for entry in part.estimators_]
    return [{"op": "mean", "parts": parts, "weights": _weights(part)}]


@lowering.answers("sklearn.VotingClassifier")
def votes(lower: Lower, part: Any, source: Source) -> Steps:
    """The likeliest class, or the one that most of the members choose."""
    import numpy

    classes = lower.program.classes(part.classes_)
    if part.voting == "soft":
        return [*soft_votes(lower, part, source), {"op": "classify", "classes": classes}]
    numbered = numpy.arange(len(part.classes_))
    parts = [chained(lower.choice(entry, source, numbered)) for entry in part.estimators_]
    ballot = {"op": "ballot", "parts": parts, "weights": _weights(part), "against": [0.0] * len(parts)}
    return [{**ballot, "count": len(part.classes_)}, {"op": "decide", "classes": classes}]


def _bag(lower: Lower, part: Any, source: Source) -> list[tuple[Any, Steps, Source]]:
    """The members with the steps to the columns that each one gets."""
    made: list[tuple[Any, Steps, Source]] = []
    whole = list(range(source.width))
    for entry, chosen in zip(part.estimators_, part.estimators_features_, strict=True):
        places = [int(place) for place in chosen]
        if places == whole:
            made.append((entry, [], source))
        else:
            steps = lower.numbers(source, gaps=True)
            made.append((entry, [*steps, {"op": "take", "columns": lower.keep(places)}], Source(len(places))))
    return made


@lowering.probabilities("sklearn.BaggingClassifier")
def bagged(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the members' probabilities."""
    import numpy

    if any(len(entry.classes_) != len(part.classes_) for entry in part.estimators_):
        raise NotConverted(_("{type} has no faster form yet.", type="BaggingClassifier"))
    if _grown(part, "Classifier"):
        ensemble = Ensemble(source.width, "float32")
        for entry, chosen in zip(part.estimators_, part.estimators_features_, strict=True):
            grow(ensemble, entry.tree_, shares(entry.tree_), numpy.asarray(chosen))
        made = lower.program.forest(ensemble, scale=float(len(part.estimators_)))
        return [*lower.numbers(source, gaps=True), *made]
    parts = [
        chained([*steps, *lower.probabilities(entry, found)])
        for entry, steps, found in _bag(lower, part, source)
    ]
    return [{"op": "mean", "parts": parts, "weights": None}]


@lowering.values("sklearn.BaggingRegressor")
def bagged_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the members."""
    import numpy

    if _grown(part, "Regressor") and part.estimators_[0].n_outputs_ == 1:
        ensemble = Ensemble(source.width, "float32")
        for entry, chosen in zip(part.estimators_, part.estimators_features_, strict=True):
            grow(ensemble, entry.tree_, entry.tree_.value[:, :, 0], numpy.asarray(chosen))
        made = lower.program.forest(ensemble, scale=float(len(part.estimators_)))
        return [*lower.numbers(source, gaps=True), *made, FLAT]
    parts = [
        chained([*steps, *lower.values(entry, found)]) for entry, steps, found in _bag(lower, part, source)
    ]
    return [{"op": "mean", "parts": parts, "weights": None}]


# -- stacks ----------------------------------------------------------------------------------------


def _stack(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """What the members say of a row, side by side; the row itself too where it is passed on."""
    parts = []
    width = 0
    for entry, method in zip(part.estimators_, part.stack_method_, strict=True):
        if method == "predict_proba":
            steps = lower.probabilities(entry, source)
            columns = len(entry.classes_)
            if columns == 2:
                steps, columns = [*steps, SECOND], 1
        elif method == "decision_function":
            columns = len(entry.classes_)
            steps = lower.scores(entry, source)
            if columns == 2:
                steps, columns = [*steps, COLUMN], 1
        elif hasattr(entry, "classes_"):
            raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} ({method})"))
        else:
            steps, columns = [*lower.values(entry, source), COLUMN], 1
        parts.append(chained(steps))
        width += columns
    if part.passthrough:
        parts.append(chained(lower.numbers(source, gaps=True)))
        width += source.width
    return [{"op": "concat", "parts": parts}], Source(width)


@lowering.answers("sklearn.StackingClassifier")
def stacked(lower: Lower, part: Any, source: Source) -> Steps:
    """The last model on what the members say."""
    steps, source = _stack(lower, part, source)
    last = part.final_estimator_
    return [*steps, *lower.renamed(last, source, part.classes_[last.classes_])]


@lowering.values("sklearn.StackingRegressor")
def stacked_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to a number."""
    steps, source = _stack(lower, part, source)
    return [*steps, *lower.values(part.final_estimator_, source)]


# -- several of two classes ------------------------------------------------------------------------


@lowering.answers("sklearn.OneVsRestClassifier")
def one_against_the_rest(lower: Lower, part: Any, source: Source) -> Steps:
    """The class whose model is surest."""
    if part.multilabel_:
        raise NotConverted(_("It has several outputs, each with classes of its own."))
    members = part.estimators_
    classes = lower.program.classes(part.classes_)
    if any(class_of(entry) == "sklearn._ConstantPredictor" for entry in members):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    scored = all(hasattr(entry, "decision_function") for entry in members)
    parts = [
        chained([*(lower.scores(entry, source)), COLUMN])
        if scored
        else chained([*lower.probabilities(entry, source), SECOND])
        for entry in members
    ]
    decide: dict[str, Any] = {"op": "decide", "classes": classes}
    lone = len(members) == 1
    first = parts[0] if lone else {"op": "concat", "parts": parts}
    shift: Steps = [{"op": "affine", "plus": -0.5}] if lone and not scored else []
    steps: Steps = [first, *shift, decide]
    if not all(hasattr(entry, "predict_proba") for entry in members):
        return steps
    sure = [chained([*lower.probabilities(entry, source), SECOND]) for entry in members]
    many: Steps = [{"op": "concat", "parts": sure}, {"op": "apply", "function": "share"}]
    last: Steps = [sure[0], TWO] if lone else many
    return [{"op": "also", "steps": steps, "probabilities": chained(last)}]


@lowering.scores("sklearn.OneVsOneClassifier")
def pairs(lower: Lower, part: Any, source: Source) -> Steps:
    """Each pair of classes votes; of votes alike the surest wins."""
    count = len(part.classes_)
    members = part.estimators_
    if count == 2 or part.pairwise_indices_ is not None:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    if not all(hasattr(entry, "decision_function") for entry in members):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    parts = [chained([*lower.scores(entry, source), COLUMN]) for entry in members]
    both = [(a, b) for a in range(count) for b in range(a + 1, count)]
    return [{"op": "concat", "parts": parts}, {"op": "paired", "pairs": both, "count": count}]
