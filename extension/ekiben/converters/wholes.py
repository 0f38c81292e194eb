"""Models around other models: pipelines, searches, the mean of several, several targets."""

from __future__ import annotations

from typing import Any

from ekiben.converters import lowering
from ekiben.converters.committees import SECOND, chained
from ekiben.converters.lowering import Lower, class_of
from ekiben.converters.preparing import FUNCTIONS
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

_SEARCHES = tuple(
    f"sklearn.{name}"
    for name in ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
)


@lowering.answers("sklearn.Pipeline")
def pipeline(lower: Lower, part: Any, source: Source) -> Steps:
    """Its transformers, then its last step."""
    steps, source, last = _until_last(lower, part, source)
    return [*steps, *lower.answers(last, source)]


@lowering.probabilities("sklearn.Pipeline")
def pipeline_probabilities(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to probabilities."""
    steps, source, last = _until_last(lower, part, source)
    return [*steps, *lower.probabilities(last, source)]


@lowering.scores("sklearn.Pipeline")
def pipeline_scores(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to scores."""
    steps, source, last = _until_last(lower, part, source)
    return [*steps, *lower.scores(last, source)]


@lowering.values("sklearn.Pipeline")
def pipeline_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to a regressor's values."""
    steps, source, last = _until_last(lower, part, source)
    return [*steps, *lower.values(last, source)]


def _until_last(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source, Any]:
    steps: Steps = []
    for _name, step in part.steps[:-1]:
        made, source = lower.transform(step, source)
        steps.extend(made)
    return steps, source, part.steps[-1][1]


#: Models that hand everything to another one, under the name that each keeps it by.
_BEHIND = {
    **dict.fromkeys(_SEARCHES, "best_estimator_"),
    "sklearn.FrozenEstimator": "estimator",
    "sklearn.SelfTrainingClassifier": "estimator_",
}


def _behind(part: Any) -> Any:
    return getattr(part, _BEHIND[class_of(part)])


@lowering.answers(*_BEHIND)
def search(lower: Lower, part: Any, source: Source) -> Steps:
    """The best that was found, or what stands behind it."""
    return lower.answers(_behind(part), source)


@lowering.probabilities(*_BEHIND)
def search_probabilities(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to probabilities."""
    return lower.probabilities(_behind(part), source)


@lowering.scores(*_BEHIND)
def search_scores(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to scores."""
    return lower.scores(_behind(part), source)


@lowering.values(*_BEHIND)
def search_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The same, to a regressor's values."""
    return lower.values(_behind(part), source)


@lowering.transform(*_BEHIND)
def search_transform(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """The same, as a transformer."""
    return lower.transform(_behind(part), source)


@lowering.answers("sklearn.RFE", "sklearn.RFECV")
def chosen_columns(lower: Lower, part: Any, source: Source) -> Steps:
    """The model on the columns that were chosen."""
    steps, source = lower.transform(part, source)
    return [*steps, *lower.answers(part.estimator_, source)]


@lowering.values("sklearn.VotingRegressor")
def mean_of(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the members."""
    parts = [{"op": "chain", "steps": lower.values(entry, source)} for entry in part.estimators_]
    weights = part._weights_not_none
    return [
        {"op": "mean", "parts": parts, "weights": None if weights is None else [float(w) for w in weights]}
    ]


@lowering.values("sklearn.MultiOutputRegressor")
def several(lower: Lower, part: Any, source: Source) -> Steps:
    """One regressor a target, side by side."""
    column = {"op": "apply", "function": "column"}
    parts = [{"op": "chain", "steps": [*lower.values(entry, source), column]} for entry in part.estimators_]
    return [{"op": "concat", "parts": parts}]


@lowering.answers("sklearn.MultiOutputClassifier")
def several_classes(lower: Lower, part: Any, source: Source) -> Steps:
    """One classifier a target, side by side."""
    return [{"op": "several", "parts": [chained(lower.answers(entry, source)) for entry in part.estimators_]}]


@lowering.values("sklearn.TransformedTargetRegressor")
def transformed(lower: Lower, part: Any, source: Source) -> Steps:
    """A regressor, and its numbers back to the target's own scale."""
    steps = lower.values(part.regressor_, source)
    back = part.transformer_
    kind = class_of(back)
    if part._training_dim != 1:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    if kind == "sklearn.FunctionTransformer":
        name = getattr(back.inverse_func, "__name__", "")
        if back.inverse_func is None:
            return steps
        if type(back.inverse_func).__name__ != "ufunc" or name not in FUNCTIONS or back.inv_kw_args:
            raise NotConverted(_("It calls the function {name}.", name=name or repr(back.inverse_func)))
        return [*steps, {"op": "apply", "function": name}]
    affine: dict[str, Any] = {"op": "affine"}
    if kind == "sklearn.StandardScaler":
        if back.with_std and back.scale_ is not None:
            affine["times"] = float(back.scale_[0])
        if back.with_mean:
            affine["plus"] = float(back.mean_[0])
    elif kind == "sklearn.MinMaxScaler":
        affine["minus"], affine["divide"] = float(back.min_[0]), float(back.scale_[0])
    else:
        raise NotConverted(_("{type} has no faster form yet.", type=type(back).__name__))
    return [*steps, affine]


@lowering.answers("sklearn.TunedThresholdClassifierCV", "sklearn.FixedThresholdClassifier")
def thresholded(lower: Lower, part: Any, source: Source) -> Steps:
    """The second class from another probability on."""
    limit = getattr(part, "best_threshold_", getattr(part, "threshold", "auto"))
    method = part.response_method
    estimator = part.estimator_
    asked = "predict_proba" if method == "auto" and hasattr(estimator, "predict_proba") else method
    label = getattr(part, "pos_label", None)
    if asked != "predict_proba" or limit == "auto" or label not in (None, part.classes_[1]):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    probabilities = lower.probabilities(estimator, source)
    last = {"op": "threshold", "classes": lower.program.classes(part.classes_), "limit": float(limit)}
    return [{"op": "also", "steps": [*probabilities, SECOND, last], "probabilities": chained(probabilities)}]
