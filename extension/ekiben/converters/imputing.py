"""Imputers that look at a row's other numbers."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

#: Known rows times columns that a gap is compared with at most.
MOST_COMPARED = 2_000_000


def _plainly(part: Any) -> None:
    """Raises NotConverted where a gap is something else than NaN, or a column of gaps only is kept."""
    if part.missing_values == part.missing_values:
        raise NotConverted(_("It takes {value} for a gap.", value=repr(part.missing_values)))
    if part.keep_empty_features:
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))


def _filled(
    lower: Lower, part: Any, source: Source, fill: dict[str, Any], valid: Any
) -> tuple[Steps, Source]:
    """The step with what its imputer keeps, and the columns whose gaps it tells."""
    import numpy

    marks = part.indicator_.features_ if part.add_indicator else None
    whole = bool(numpy.all(valid))
    steps, source = lower.program.numbers(source, gaps=True)
    step = {
        "op": "filled",
        "fill": fill,
        "keep": None if whole else lower.keep(numpy.flatnonzero(valid)),
        "marks": None if marks is None else lower.keep(marks),
    }
    return [*steps, step], Source(int(numpy.sum(valid)) + (0 if marks is None else len(marks)))


@transform("sklearn.KNNImputer")
def nearest(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """Gaps to the mean of the nearest rows that have the column."""
    _plainly(part)
    if part.metric != "nan_euclidean" or part.weights not in ("uniform", "distance"):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    known = part._fit_X
    if known.size > MOST_COMPARED:
        raise NotConverted(_("It compares with {n} rows, more than are tried.", n=len(known)))
    fill = {
        "op": "neighbourly",
        "known": lower.keep(known.astype(float)),
        "count": int(part.n_neighbors),
        "by_distance": part.weights == "distance",
    }
    return _filled(lower, part, source, fill, part._valid_mask)


@transform("sklearn.IterativeImputer")
def rounds(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """Gaps as models of the other columns tell them."""
    import numpy

    _plainly(part)
    begin = numpy.array(part.initial_imputer_.statistics_, dtype=float)
    if part.sample_posterior or numpy.isnan(begin).any() or (part.skip_complete and part.n_iter_ == 0):
        raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
    turns = []
    for turn in part.imputation_sequence_:
        at, others = int(turn.feat_idx), numpy.asarray(turn.neighbor_feat_idx)
        turns.append(
            {
                "at": at,
                "others": lower.keep(others),
                "low": float(part._min_value[at]),
                "high": float(part._max_value[at]),
                "steps": lower.values(turn.estimator, Source(len(others))),
            }
        )
    fill = {"op": "rounds", "begin": lower.keep(begin), "turns": turns}
    return _filled(lower, part, source, fill, numpy.ones(len(begin), dtype=bool))


@transform("sklearn.MissingIndicator")
def marks(lower: Lower, part: Any, source: Source) -> tuple[Steps, Source]:
    """1 where there is a gap."""
    if part.missing_values == part.missing_values:
        raise NotConverted(_("It takes {value} for a gap.", value=repr(part.missing_values)))
    steps, source = lower.program.numbers(source, gaps=True)
    step = {"op": "gaps", "columns": lower.keep(part.features_)}
    return [*steps, step], Source(len(part.features_))
