"""Scalers, encoders, imputers and what joins them, as steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

Made = tuple[Steps, Source]
FUNCTIONS = ("abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sign", "sqrt", "square", "tanh")
#: Those of which 0 stays 0.
ZERO = ("abs", "expm1", "log1p", "sign", "sqrt", "square", "tanh")
PARTIAL = ("log", "log1p", "log2", "log10", "sqrt")


@transform("sklearn.Pipeline")
def pipeline(lower: Lower, part: Any, source: Source) -> Made:
    """Its steps in turn."""
    steps: Steps = []
    for _name, step in part.steps:
        made, source = lower.transform(step, source)
        steps.extend(made)
    return steps, source


@transform("builtins.str", "builtins.NoneType")
def passed(lower: Lower, part: Any, source: Source) -> Made:
    """``passthrough``."""
    return [], source


@transform("sklearn.FunctionTransformer")
def function(lower: Lower, part: Any, source: Source) -> Made:
    """Nothing, or one of NumPy's functions of one number."""
    if part.func is None:
        return [], source
    name = getattr(part.func, "__name__", "")
    if type(part.func).__name__ != "ufunc" or name not in FUNCTIONS or part.kw_args:
        raise NotConverted(_("It calls the function {name}.", name=name or repr(part.func)))
    if source.sparse and name in ZERO:
        return [{"op": "entries", "function": name}], source
    steps, source = lower.program.numbers(source, gaps=True)
    steps = [*steps, {"op": "apply", "function": name}]
    # What has no logarithm becomes NaN, which most models refuse; where one does not, the proof sees it.
    return [*steps, {"op": "finite"}] if name in PARTIAL else steps, source


@transform("sklearn.StandardScaler")
def standard(lower: Lower, part: Any, source: Source) -> Made:
    """``(x - mean) / scale``."""
    loose = lower.program.loose if not part.with_mean else lower.program.numbers
    steps, source = loose(source, gaps=True)
    step: dict[str, Any] = {"op": "affine"}
    if part.with_mean and part.mean_ is not None:
        step["minus"] = lower.keep(part.mean_)
    if part.with_std and part.scale_ is not None:
        step["divide"] = lower.keep(part.scale_)
    return [*steps, step], source


@transform("sklearn.RobustScaler")
def robust(lower: Lower, part: Any, source: Source) -> Made:
    """``(x - median) / range``."""
    loose = lower.program.loose if not part.with_centering else lower.program.numbers
    steps, source = loose(source, gaps=True)
    step: dict[str, Any] = {"op": "affine"}
    if part.with_centering:
        step["minus"] = lower.keep(part.center_)
    if part.with_scaling:
        step["divide"] = lower.keep(part.scale_)
    return [*steps, step], source


@transform("sklearn.MinMaxScaler")
def minmax(lower: Lower, part: Any, source: Source) -> Made:
    """``x * scale + minimum``, clipped where asked."""
    steps, source = lower.program.numbers(source, gaps=True)
    step: dict[str, Any] = {"op": "affine", "times": lower.keep(part.scale_), "plus": lower.keep(part.min_)}
    if part.clip:
        step["low"], step["high"] = map(float, part.feature_range)
    return [*steps, step], source


@transform("sklearn.MaxAbsScaler")
def maxabs(lower: Lower, part: Any, source: Source) -> Made:
    """``x / maximum``."""
    steps, source = lower.program.loose(source, gaps=True)
    return [*steps, {"op": "affine", "divide": lower.keep(part.scale_)}], source


@transform("sklearn.Normalizer")
def normaliser(lower: Lower, part: Any, source: Source) -> Made:
    """Each row by its norm."""
    if source.sparse:
        return [{"op": "weigh", "logarithm": False, "weights": None, "norm": part.norm}], source
    steps, source = lower.program.numbers(source)
    return [*steps, {"op": "normalise", "norm": part.norm}], source


@transform("sklearn.PolynomialFeatures")
def polynomial(lower: Lower, part: Any, source: Source) -> Made:
    """Products of columns."""
    steps, source = lower.program.numbers(source)
    products = [
        [place for place, power in enumerate(row) for _k in range(power)] for row in part.powers_.tolist()
    ]
    # Of large numbers they are infinite, which is refused by what is given them.
    return [*steps, {"op": "powers", "products": products}, {"op": "finite"}], Source(len(products))


@transform("sklearn.PCA", "sklearn.IncrementalPCA", "sklearn.TruncatedSVD")
def projection(lower: Lower, part: Any, source: Source) -> Made:
    """A linear map."""
    import numpy

    steps, source = lower.program.loose(source)
    components = part.components_.T
    bias = numpy.zeros(components.shape[1])
    if getattr(part, "mean_", None) is not None:
        bias = -(part.mean_ @ components)
    if getattr(part, "whiten", False):
        scale = numpy.sqrt(part.explained_variance_)
        least = numpy.finfo(scale.dtype).eps
        scale = numpy.where(scale < least, least, scale)
        components, bias = components / scale, bias / scale
    step = {"op": "linear", "weights": lower.keep(components), "bias": lower.keep(bias)}
    return [*steps, step], Source(components.shape[1])


@transform(
    "sklearn.SelectKBest", "sklearn.SelectPercentile", "sklearn.SelectFpr", "sklearn.SelectFdr",
    "sklearn.SelectFwe", "sklearn.SelectFromModel", "sklearn.RFE", "sklearn.RFECV",
    "sklearn.VarianceThreshold", "sklearn.SequentialFeatureSelector", "sklearn.GenericUnivariateSelect",
)  # fmt: skip
def selection(lower: Lower, part: Any, source: Source) -> Made:
    """Some of the columns."""
    import numpy

    chosen = part.get_support(indices=True)
    if source.sparse:
        places = numpy.full(source.width, -1)
        places[chosen] = numpy.arange(len(chosen))
        step = {"op": "keep", "places": lower.keep(places), "width": len(chosen)}
        return [step], replace(source, width=len(chosen))
    if source.fields is not None:
        return selected(source, [int(place) for place in chosen])
    return [{"op": "take", "columns": lower.keep(chosen)}], Source(len(chosen))


@transform("sklearn.SimpleImputer")
def imputer(lower: Lower, part: Any, source: Source) -> Made:
    """Gaps to each column's own value."""
    import numpy

    statistics = list(part.statistics_)
    usual = isinstance(part.missing_values, float) and numpy.isnan(part.missing_values)
    if not usual and (part.missing_values is not None or source.fields is None):
        raise NotConverted(_("It takes {value} for a gap.", value=repr(part.missing_values)))
    if any(isinstance(value, str) for value in statistics):
        if source.fields is None or part.add_indicator:
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        values = [value.item() if hasattr(value, "item") else value for value in statistics]
        if any(value != value for value in values):  # a column of gaps only is dropped
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        fields = tuple(replace(entry, nullable=False) for entry in source.fields)
        return [{"op": "fill", "values": values}], replace(source, fields=fields)
    steps, source = lower.program.numbers(source, gaps=True)
    numbers = numpy.array(statistics, dtype=float)
    empty = numpy.isnan(numbers)
    marks = None
    if part.add_indicator:
        marks = part.indicator_.features_
    kept = None
    if empty.any():
        if part.keep_empty_features:
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        kept = numpy.flatnonzero(~empty)
    width = int((~empty).sum()) + (0 if marks is None else len(marks))
    step = {
        "op": "impute",
        "values": lower.keep(numpy.where(empty, 0.0, numbers)),
        "keep": None if kept is None else lower.keep(kept),
        "marks": None if marks is None else lower.keep(marks),
    }
    return [*steps, step], Source(width)


@transform("sklearn.FeatureUnion")
def union(lower: Lower, part: Any, source: Source) -> Made:
    """Side by side; a weight multiplies its part."""
    weights = part.transformer_weights or {}
    made: list[tuple[Steps, Source]] = []
    for name, entry in part.transformer_list:
        if entry == "drop":
            continue
        made.append(_weighed(lower, *lower.transform(entry, source), weights.get(name)))
    return side_by_side(made)


def _weighed(lower: Lower, steps: Steps, source: Source, weight: float | None) -> Made:
    more, source = lower.program.loose(source, gaps=True)
    times = [] if weight is None else [{"op": "affine", "times": float(weight)}]
    return [*steps, *more, *times], source


@transform("sklearn.ColumnTransformer")
def columns(lower: Lower, part: Any, source: Source) -> Made:
    """Each transformer on its columns, side by side."""
    weights = part.transformer_weights or {}
    made: list[tuple[Steps, Source]] = []
    for name, entry, _chosen in part.transformers_:
        places = [int(place) for place in part._transformer_to_input_indices[name]]
        if entry == "drop" or not places:
            continue
        if source.fields is not None:
            first, found = selected(source, places)
        else:
            steps, found = lower.program.numbers(source, gaps=True)
            first, found = [*steps, {"op": "take", "columns": lower.keep(places)}], Source(len(places))
        steps, found = lower.transform(entry, found)
        made.append(_weighed(lower, [*first, *steps], found, weights.get(name)))
    steps, found = side_by_side(made)
    return steps, replace(found, absent=bool(part.sparse_output_))


def selected(source: Source, places: list[int]) -> Made:
    """Some of a row's columns."""
    fields = source.fields or ()
    chosen = tuple(fields[place] for place in places)
    names = tuple(source.names[place] for place in places) if source.names else ()
    steps = [] if places == list(range(source.width)) else [{"op": "select", "take": places}]
    return steps, Source(len(places), chosen, names)


def side_by_side(made: list[tuple[Steps, Source]]) -> Made:
    """What several steps make of the same row, as one."""
    if not made:
        raise NotConverted(_("It keeps no column."))
    width = sum(source.width for _steps, source in made)
    if len(made) == 1:
        return made[0]
    parts = [{"op": "chain", "steps": steps} for steps, _source in made]
    if any(source.sparse for _steps, source in made):
        absent = any(source.absent for _steps, source in made)
        return [{"op": "beside", "parts": parts}], Source(width, sparse=True, absent=absent)
    return [{"op": "concat", "parts": parts}], Source(width)
