"""What a fitted estimator still knows of the data it was fitted on, held against a sample.

Trees keep thresholds that lie inside their features' ranges, neighbours and support vectors are rows
of the data, naive Bayes and scalers keep means and spreads. Linear models and networks keep nothing;
for them only the answers tell (``score``).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

#: Trees of a forest that are looked at.
_TREES = 40
#: Rows that tell how far a small sample may lie from the ends of the data it was taken from.
_PAD_ROWS = 10


def likeness(model: Any, data: Any) -> float | None:
    """How well ``data`` (a frame or array, n × features) fits what ``model`` recorded, from 0 to 1.

    None where it recorded nothing that can be compared.
    """
    try:
        scores = [score for score in _scores(model, data) if score == score]
    except Exception:  # noqa: BLE001 - what libraries keep for themselves changes its shape; no evidence then
        return None
    return sum(scores) / len(scores) if scores else None


def score(
    model: Any, data: Any, truths: list[Any], classes: tuple[Any, ...] | None, *, fair: bool = False
) -> float | None:
    """How well the model's answers for ``data`` fit one of ``truths``: the best of them.

    ``fair`` asks a regression for answers of the right size too: those of an underfitted model only get
    better when they grow, whatever makes them grow.

    Balanced accuracy for a classifier (chance is one over the number of classes, whatever their shares),
    R² from -1 to 1 for a regression. None where it cannot answer or no truth is known.
    """
    import numpy

    if not truths:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = numpy.asarray(model.predict(data))
    except Exception:  # noqa: BLE001 - a model may raise anything on data that does not fit it
        return None
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim != 1:
        return None
    if classes is None:
        found = [_r2(truth, answers) for truth in truths if not fair or _sized(truth, answers)]
        return max(found, default=None)
    return max(_balanced(numpy, truth, answers) for truth in truths)


def _balanced(numpy: Any, truth: Any, answers: Any) -> float:
    known = numpy.unique(truth)
    return float(numpy.mean([(answers[truth == label] == label).mean() for label in known]))


def _sized(truth: Any, answers: Any) -> bool:
    """Whether the answers are neither too small nor too large everywhere."""
    own = float(((answers - answers.mean()) ** 2).sum())
    both = float(((answers - answers.mean()) * (truth - truth.mean())).sum())
    return own > 0 and 0.6 < both / own < 1.7


def _r2(truth: Any, answers: Any) -> float:
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread == 0:
        return -1.0
    return max(-1.0, 1.0 - float(((truth - answers) ** 2).sum()) / spread)


def _scores(model: Any, data: Any) -> list[float]:
    """One score a feature that the model, or the first step that it is made of, recorded."""
    steps = getattr(model, "steps", None)
    if steps:
        real = [step for _name, step in steps if step is not None and step != "passthrough"]
        return _scores(real[0], data) if real else []
    if hasattr(model, "transformers_"):
        return [score for part, columns in _blocks(model, data) for score in _scores(part, columns)]
    if hasattr(model, "best_estimator_"):
        return _scores(model.best_estimator_, data)
    values = numbers(data)
    if values is None or getattr(model, "n_features_in_", values.shape[1]) != values.shape[1]:
        return []
    found = [list(judged(model, values)) for judged in (_thresholds, _points, _moments)]
    return next((scores for scores in found if scores), [])


def _blocks(model: Any, data: Any) -> Iterator[tuple[Any, Any]]:
    for _name, part, columns in model.transformers_:
        if isinstance(part, str) or callable(columns):
            continue
        try:
            yield part, data[columns] if hasattr(data, "columns") else data[:, columns]
        except (KeyError, IndexError, TypeError):
            continue  # a slice or a mask in a form that only the transformer reads


def numbers(data: Any) -> Any:
    """``data`` as an array of floats with NaN where a column is not made of numbers; None if it is none."""
    import numpy

    if hasattr(data, "columns"):
        kinds = [getattr(kind, "kind", "O") in "iufb" for kind in data.dtypes]
        columns = [
            data.iloc[:, k].to_numpy(dtype="float64", na_value=numpy.nan)
            if kinds[k]
            else numpy.full(len(data), numpy.nan)
            for k in range(len(kinds))
        ]
        return numpy.array(columns).T if columns else None
    if hasattr(data, "toarray"):
        data = data.toarray()
    if getattr(data, "ndim", 0) != 2 or data.dtype.kind not in "iufb":
        return None
    return numpy.asarray(data, dtype="float64")


def _ends(column: Any) -> tuple[float, float, float] | None:
    """Lowest, highest and the pad that a sample of this size may need; None for an empty column."""
    import numpy

    present = column[numpy.isfinite(column)]
    if not len(present):
        return None
    low, high = float(present.min()), float(present.max())
    return low, high, (high - low) * _PAD_ROWS / len(present) + 1e-9


def _thresholds(model: Any, values: Any) -> Iterator[float]:
    import numpy

    for feature, cuts in sorted(_cuts(model).items()):
        ends = _ends(values[:, feature]) if feature < values.shape[1] else None
        if ends is not None and len(cuts):
            low, high, pad = ends
            known = numpy.asarray(cuts, dtype="float64")
            yield float(((known >= low - pad) & (known <= high + pad)).mean())


def _cuts(model: Any) -> dict[int, list[float]]:
    """Thresholds by the position of their feature, of whatever trees there are."""
    cuts: dict[int, list[float]] = {}
    bins = getattr(getattr(model, "_bin_mapper", None), "bin_thresholds_", None)
    if bins is not None:
        return {feature: list(edges) for feature, edges in enumerate(bins)}
    if hasattr(model, "get_borders"):
        return {int(feature): list(edges) for feature, edges in model.get_borders().items()}
    if hasattr(model, "booster_"):
        infos = model.booster_.dump_model(num_iteration=1)["feature_infos"]
        names = list(model.booster_.feature_name())
        return {names.index(name): [told["min_value"], told["max_value"]] for name, told in infos.items()}
    if hasattr(model, "get_booster"):
        names = list(getattr(model, "feature_names_in_", ()))
        for text in model.get_booster().get_dump()[:_TREES]:
            for name, cut in re.findall(r"\[(.+?)<([-+.\deE]+)\]", text):
                position = names.index(name) if name in names else int(name[1:]) if name[1:].isdigit() else -1
                if position >= 0:
                    cuts.setdefault(position, []).append(float(cut))
        return cuts
    trees = [model] if hasattr(model, "tree_") else _flat(getattr(model, "estimators_", ()))
    subsets = getattr(model, "estimators_features_", None)
    for index, tree in enumerate(trees[:_TREES]):
        inner = getattr(tree, "tree_", None)
        if inner is None:
            continue
        for feature, cut in zip(inner.feature.tolist(), inner.threshold.tolist(), strict=True):
            if feature >= 0:
                cuts.setdefault(int(subsets[index][feature]) if subsets else feature, []).append(cut)
    return cuts


def _flat(trees: Any) -> list[Any]:
    return list(trees.ravel()) if hasattr(trees, "ravel") else list(trees)


def _points(model: Any, values: Any) -> Iterator[float]:
    """Rows that the model kept: all of a feature's lie inside the sample's ends, and the other way round."""
    for name, rows in (
        ("_fit_X", True),
        ("support_vectors_", True),
        ("X_train_", True),
        ("quantiles_", True),
        ("cluster_centers_", False),
        ("centroids_", False),
    ):
        kept = numbers(getattr(model, name, None)) if hasattr(model, name) else None
        if kept is None or kept.shape[1] != values.shape[1]:
            continue
        for feature in range(values.shape[1]):
            here, there = _ends(values[:, feature]), _ends(kept[:, feature])
            if here is None or there is None:
                continue
            inside = _inside(kept[:, feature], here)
            # Centres lie inside the data, which goes beyond them.
            yield min(inside, _inside(values[:, feature], there)) if rows else inside
        return


def _inside(column: Any, ends: tuple[float, float, float]) -> float:
    low, high, pad = ends
    # A quarter of the span more: the data may go on beyond what was kept of it.
    pad += (high - low) / 4
    return float(((column >= low - pad) & (column <= high + pad)).mean())


def _moments(model: Any, values: Any) -> Iterator[float]:
    import numpy

    centre, spread = _centre(numpy, model)
    if centre is None or len(centre) != values.shape[1]:
        return
    for feature in range(values.shape[1]):
        column = values[:, feature][numpy.isfinite(values[:, feature])]
        if not len(column) or spread[feature] <= 0:
            continue
        inside = float((numpy.abs(column - centre[feature]) <= 4 * spread[feature]).mean())
        # A part of the rows, sorted even, keeps its mean within some 1.5 spreads of the whole's.
        apart = abs(float(column.mean()) - centre[feature]) / spread[feature]
        near = min(1.0, max(0.0, (3 - apart) / 1.5))
        ratio = float(column.std()) / spread[feature]
        # Many rows that all but coincide beside the recorded spread are no sample of it.
        narrow = len(column) >= 20 and 0 < ratio < 0.2
        yield inside * near * (0.2 if narrow else 1.0)


def _centre(numpy: Any, model: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of each feature."""
    if hasattr(model, "theta_") and hasattr(model, "var_"):
        shares = numpy.asarray(model.class_prior_)[:, None]
        mean = (shares * model.theta_).sum(axis=0)
        return mean, numpy.sqrt((shares * (model.var_ + (model.theta_ - mean) ** 2)).sum(axis=0))
    if hasattr(model, "data_min_") and hasattr(model, "data_max_"):
        return (model.data_min_ + model.data_max_) / 2, (model.data_max_ - model.data_min_) / 2
    if getattr(model, "center_", None) is not None and getattr(model, "scale_", None) is not None:
        return model.center_, model.scale_
    if getattr(model, "mean_", None) is not None and getattr(model, "var_", None) is not None:
        return numpy.asarray(model.mean_), numpy.sqrt(model.var_)
    return None, None
