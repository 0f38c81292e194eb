"""Models that ask the known rows around a row: the nearest, all within a radius, how dense it is there."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, answers, probabilities, values
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

FLAT = {"op": "apply", "function": "flat"}
#: Training rows times columns that a search by comparing with all of them is tried for.
MOST_COMPARED = 2_000_000
#: The metrics that are compared with, by the power that Minkowski's has then.
_POWERS = {1.0: "manhattan", 2.0: "euclidean", float("inf"): "chebyshev"}


def known(lower: Lower, part: Any) -> dict[str, Any]:
    """The fitted rows, how far is measured, and the tree that they are in.

    Raises:
        NotConverted: by another measure, or they are too many.
    """
    import numpy

    kind = part.effective_metric_
    told = part.effective_metric_params_ or {}
    if kind == "minkowski" and told.get("w") is None:
        kind = _POWERS.get(float(told.get("p", 2)), "minkowski")
    if kind not in _POWERS.values():
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} ({kind})"))
    rows = part._fit_X
    if hasattr(rows, "toarray") or rows.size > MOST_COMPARED:
        raise NotConverted(_("It compares with {n} rows, more than are tried.", n=rows.shape[0]))
    found: dict[str, Any] = {"known": lower.keep(rows.astype(float)), "metric": kind, "tree": None}
    if part._tree is not None:
        _rows, order, nodes, bounds = (numpy.asarray(entry) for entry in part._tree.get_arrays())
        found["tree"] = {
            "kind": part._fit_method,
            "order": lower.keep(order),
            "starts": lower.keep(nodes["idx_start"]),
            "ends": lower.keep(nodes["idx_end"]),
            "leaf": lower.keep(nodes["is_leaf"].astype(bool)),
            "radius": lower.keep(nodes["radius"]),
            "bounds": lower.keep(bounds),
        }
    return found


def _weighed(part: Any) -> bool:
    if part.weights not in ("uniform", "distance"):
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} (weights)"))
    return bool(part.weights == "distance")


def nearest(lower: Lower, part: Any, source: Source, targets: Any) -> Steps:
    """The mean of the nearest training rows' targets (rows × outputs)."""
    step = {
        "op": "nearest",
        **known(lower, part),
        "targets": lower.keep(targets),
        "count": int(part.n_neighbors),
        "by_distance": _weighed(part),
    }
    return [*lower.numbers(source), step]


@answers("sklearn.LocalOutlierFactor")
def lonely(lower: Lower, part: Any, source: Source) -> Steps:
    """-1 where it is much less dense than around the nearest rows."""
    import numpy

    step = {
        "op": "lonely",
        **known(lower, part),
        "reaches": lower.keep(part._distances_fit_X_[:, part.n_neighbors_ - 1].astype(float)),
        "dense": lower.keep(part._lrd.astype(float)),
        "count": int(part.n_neighbors_),
    }
    shift = {"op": "affine", "plus": float(-part.offset_)}
    found = {"op": "decide", "classes": lower.keep(numpy.array([-1, 1]))}
    return [*lower.numbers(source), step, shift, found]


@probabilities("sklearn.KNeighborsClassifier")
def nearest_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """The share of each class among the nearest."""
    import numpy

    if part.outputs_2d_:
        raise NotConverted(_("It has several outputs, each with classes of its own."))
    return nearest(lower, part, source, numpy.eye(len(part.classes_))[part._y])


@answers("sklearn.KNeighborsClassifier")
def nearest_votes(lower: Lower, part: Any, source: Source) -> Steps:
    """The class that most of the nearest have, or that weighs most."""
    classes = lower.program.classes(part.classes_)
    if part.outputs_2d_ or not _weighed(part):
        return [*nearest_shares(lower, part, source), {"op": "classify", "classes": classes}]
    step = {"op": "voted", **known(lower, part), "kinds": lower.keep(part._y), "classes": classes}
    return [*lower.numbers(source), {**step, "count": int(part.n_neighbors)}]


@values("sklearn.KNeighborsRegressor")
def nearest_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of the nearest."""
    targets = part._y.astype(float)
    steps = nearest(lower, part, source, targets.reshape(len(targets), -1))
    return [*steps, FLAT] if targets.ndim == 1 else steps


def _within(lower: Lower, part: Any, source: Source, targets: Any, alone: Any) -> Steps:
    step = {
        "op": "within",
        **known(lower, part),
        "targets": lower.keep(targets),
        "radius": float(part.radius),
        "by_distance": _weighed(part),
        "alone": None if alone is None else lower.keep(alone),
    }
    return [*lower.numbers(source), step]


@probabilities("sklearn.RadiusNeighborsClassifier")
def around_shares(lower: Lower, part: Any, source: Source) -> Steps:
    """The share of each class among all within the radius."""
    import numpy

    if part.outputs_2d_:
        raise NotConverted(_("It has several outputs, each with classes of its own."))
    classes = numpy.asarray(part.classes_)
    label = None if part.outlier_label_ is None else part.outlier_label_[0]
    alone = None if label is None else (classes == label).astype(float)
    if alone is not None and not alone.any():
        name = f"{type(part).__name__} (outlier_label)"
        raise NotConverted(_("{type} has no faster form yet.", type=name))
    return _within(lower, part, source, numpy.eye(len(classes))[part._y], alone)


@values("sklearn.RadiusNeighborsRegressor")
def around_values(lower: Lower, part: Any, source: Source) -> Steps:
    """The mean of all within the radius, NaN where there is none."""
    import numpy

    targets = part._y.reshape(len(part._y), -1)
    with numpy.errstate(invalid="ignore"):
        alone = numpy.full_like(targets[0], numpy.nan)  # of whole targets the least there is, as there
    steps = _within(lower, part, source, targets.astype(float), alone.astype(float))
    return [*steps, FLAT] if part._y.ndim == 1 else steps
