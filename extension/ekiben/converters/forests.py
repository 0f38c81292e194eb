"""scikit-learn's trees and what is made of them."""

from __future__ import annotations

from typing import Any

from ekiben.converters.encoding import encoder
from ekiben.converters.ensemble import LEQ, MEMBER, Ensemble
from ekiben.converters.lowering import Lower, answers, probabilities, values
from ekiben.converters.preparing import selected, side_by_side
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

_TREES = ("DecisionTree", "ExtraTree")
_FORESTS = ("RandomForest", "ExtraTrees")
LOGISTIC = {"op": "apply", "function": "logistic"}
TWO = {"op": "apply", "function": "two"}
SOFTMAX = {"op": "apply", "function": "softmax"}
FLAT = {"op": "apply", "function": "flat"}


def _named(heads: tuple[str, ...], tail: str) -> tuple[str, ...]:
    return tuple(f"sklearn.{head}{tail}" for head in heads)


def grow(ensemble: Ensemble, tree: Any, found: Any, features: Any = None) -> None:
    """One of scikit-learn's ``tree_`` with ``found`` for the values of its nodes."""
    leaf = tree.children_left == -1
    feature = tree.feature.clip(0) if features is None else features[tree.feature.clip(0)]
    missing = getattr(tree, "missing_go_to_left", None)
    # A tree that is given some columns looks at no others.
    ensemble.bounded |= set(range(ensemble.width) if features is None else map(int, features))
    ensemble.add(
        feature, tree.threshold, tree.children_left, tree.children_right, leaf, found, missing=missing
    )


def shares(tree: Any) -> Any:
    """Nodes × classes, each row summing to 1."""
    found = tree.value[:, 0, :]
    return found / found.sum(axis=1, keepdims=True)


def _single(part: Any) -> None:
    if part.n_outputs_ > 1:
        raise NotConverted(_("It has several outputs, each with classes of its own."))


@probabilities(*_named(_TREES, "Classifier"))
def tree_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """The classes' shares in the leaf."""
    _single(part)
    ensemble = Ensemble(source.width, "float32")
    grow(ensemble, part.tree_, shares(part.tree_))
    return [*lower.numbers(source, gaps=True), *lower.program.forest(ensemble)]


@values(*_named(_TREES, "Regressor"))
def tree_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The leaf's mean; n × outputs of several."""
    ensemble = Ensemble(source.width, "float32")
    grow(ensemble, part.tree_, part.tree_.value[:, :, 0])
    steps = [*lower.numbers(source, gaps=True), *lower.program.forest(ensemble)]
    return steps if part.n_outputs_ > 1 else [*steps, FLAT]


@probabilities(*_named(_FORESTS, "Classifier"))
def forest_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the trees' shares."""
    _single(part)
    ensemble = Ensemble(source.width, "float32")
    for entry in part.estimators_:
        grow(ensemble, entry.tree_, shares(entry.tree_))
    steps = lower.program.forest(ensemble, scale=float(len(part.estimators_)))
    return [*lower.numbers(source, gaps=True), *steps]


@values(*_named(_FORESTS, "Regressor"))
def forest_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the trees' means; n × outputs of several."""
    ensemble = Ensemble(source.width, "float32")
    for entry in part.estimators_:
        grow(ensemble, entry.tree_, entry.tree_.value[:, :, 0])
    made = lower.program.forest(ensemble, scale=float(len(part.estimators_)))
    steps = [*lower.numbers(source, gaps=True), *made]
    return steps if part.n_outputs_ > 1 else [*steps, FLAT]


def _boosted(lower: Lower, part: Any, source: Source) -> Steps:
    """Gradient boosting's raw answers: n × (1 or classes)."""
    import numpy

    rounds = part.estimators_
    ensemble = Ensemble(source.width, "float32")
    for one in rounds:
        for entry in one:
            grow(ensemble, entry.tree_, part.learning_rate * entry.tree_.value[:, 0, 0])
    init = type(part.init_).__name__
    if init not in ("DummyClassifier", "DummyRegressor", "str"):
        raise NotConverted(_("It begins with a {type}.", type=init))
    base = part._raw_predict_init(numpy.zeros((1, source.width), dtype=numpy.float32))
    made = lower.program.forest(ensemble, base=numpy.asarray(base)[0], groups=rounds.shape[1])
    return [*lower.numbers(source), *made]


@values("sklearn.GradientBoostingRegressor")
def boosted_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The sum of the trees."""
    return [*_boosted(lower, part, source), FLAT]


@probabilities("sklearn.GradientBoostingClassifier")
def boosted_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """Logistic or softmax of the sums."""
    steps = _boosted(lower, part, source)
    if len(part.classes_) > 2:
        return [*steps, SOFTMAX]
    twice = [{"op": "affine", "times": 2.0}] if part.loss == "exponential" else []
    return [*steps, *twice, LOGISTIC, TWO]


def _histogram(lower: Lower, part: Any, source: Source) -> Steps:
    """Histogram gradient boosting's raw answers: n × (1 or classes)."""
    import numpy

    steps, source = _prepared(lower, part, source)
    ensemble = Ensemble(source.width, "float64")
    for round_ in part._predictors:
        for predictor in round_:
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            missing = nodes["missing_go_to_left"].astype(bool)
            left, right = nodes["left"].astype(int), nodes["right"].astype(int)
            modes = numpy.full(len(nodes), LEQ)
            members: dict[int, list[float]] = {}
            for node in numpy.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
                bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
                inside = {place for place in range(256) if bits[place // 32] >> (place % 32) & 1}
                if missing[node]:  # an unknown category goes where a gap goes: name the other side's
                    inside = set(range(256)) - inside
                    left[node], right[node], missing[node] = right[node], left[node], False
                modes[node] = MEMBER
                members[int(node)] = sorted(map(float, inside))
            ensemble.add(
                nodes["feature_idx"].astype(int),
                numpy.where(leaf, 0.0, nodes["num_threshold"]),
                left, right, leaf, nodes["value"],
                missing=missing, modes=modes, members=members,
            )  # fmt: skip
    base = numpy.asarray(part._baseline_prediction, dtype=float).reshape(-1)
    made = lower.program.forest(ensemble, base=base, groups=part.n_trees_per_iteration_)
    return [*steps, *made]


def _prepared(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """Its own categories are numbered, and their columns put first."""
    if getattr(part, "_preprocessor", None) is None:
        return lower.program.numbers(source, gaps=True)
    if source.fields is None:
        raise NotConverted(_("{type} has no faster form here: it gets numbers.", type=type(part).__name__))
    made = []
    for name, entry, _chosen in part._preprocessor.transformers_:
        places = [int(place) for place in part._preprocessor._transformer_to_input_indices[name]]
        if not places:
            continue
        steps, chosen = selected(source, places)
        # What is no category is only looked at.
        more = (
            encoder(lower, entry, chosen) if name == "encoder" else lower.program.numbers(chosen, gaps=True)
        )
        made.append(([*steps, *more[0]], more[1]))
    return side_by_side(made)


@values("sklearn.HistGradientBoostingRegressor")
def histogram_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The sum of the trees, through the inverse of the link."""
    steps = [*_histogram(lower, part, source), FLAT]
    link = type(part._loss.link).__name__
    if link == "LogLink":
        return [*steps, {"op": "apply", "function": "exp"}]
    if link != "IdentityLink":
        raise NotConverted(
            _("{type} has no faster form yet.", type=f"{type(part).__name__}(loss={part.loss!r})")
        )
    return steps


@probabilities("sklearn.HistGradientBoostingClassifier")
def histogram_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """Logistic or softmax of the sums."""
    steps = _histogram(lower, part, source)
    return [*steps, LOGISTIC, TWO] if len(part.classes_) == 2 else [*steps, SOFTMAX]


@answers("sklearn.IsolationForest")
def isolation(lower: Lower, part: Any, source: Source) -> Steps:
    """Depths to the anomaly score, and -1 where it is below the threshold."""
    import numpy

    ensemble = Ensemble(source.width, "float32")
    lengths = zip(
        part.estimators_, part._decision_path_lengths, part._average_path_length_per_tree, strict=True
    )
    features = part.estimators_features_
    for (entry, path, mean), chosen in zip(lengths, features, strict=True):
        grow(ensemble, entry.tree_, path + mean - 1.0, numpy.asarray(chosen))
    ensemble.bounded.clear()  # it has the trees look at infinite numbers as at any others
    from sklearn.ensemble._iforest import _average_path_length

    scale = len(part.estimators_) * _average_path_length(numpy.array([part._max_samples]))[0]
    steps = [*lower.numbers(source, gaps=True), *lower.program.forest(ensemble, scale=float(scale))]
    # 2 ** -mean depth, from the threshold down
    return [
        *steps,
        {"op": "affine", "times": float(-numpy.log(2.0))},
        {"op": "apply", "function": "exp"},
        {"op": "affine", "times": -1.0, "plus": float(-part.offset_)},
        {"op": "decide", "classes": lower.keep(numpy.array([-1, 1]))},
    ]
