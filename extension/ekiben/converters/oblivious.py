"""CatBoost's trees: every level of one asks one question, so that a row's leaf is a number of bits."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ekiben.converters.categories import Crossed
from ekiben.converters.lowering import Lower, answers
from ekiben.converters.preparing import selected
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

_LINKS = {
    "Logloss": "logistic", "CrossEntropy": "logistic", "MultiClass": "softmax", "MultiClassOneVsAll": "logistic",
    "RMSE": "", "MAE": "", "Quantile": "", "Huber": "", "LogLinQuantile": "exp", "Poisson": "exp", "Tweedie": "exp",
    "MAPE": "", "Expectile": "", "MultiRMSE": "",
}  # fmt: skip


@answers("catboost.CatBoostClassifier", "catboost.CatBoostRegressor", "catboost.CatBoost")
def catboost(lower: Lower, part: Any, source: Source) -> Steps:
    """The leaves' sum, through the loss's link."""
    import numpy

    loss = str(part.get_all_params().get("loss_function", "")).partition(":")[0]
    if loss not in _LINKS:
        raise NotConverted(_("{type} has no faster form yet.", type=f"CatBoost ({loss})"))
    if part.get_text_feature_indices() or part.get_embedding_feature_indices():
        raise NotConverted(_("It has texts or embeddings of its own."))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        part.save_model(str(file), format="json")
        told = json.loads(file.read_text(encoding="utf-8"))
    if "oblivious_trees" not in told:
        raise NotConverted(_("{type} has no faster form yet.", type="CatBoost (grow_policy)"))
    crossed = Crossed(lower, told, source)
    numeric = sorted(entry["flat_feature_index"] for entry in crossed.floats.values())
    flat = {entry["feature_index"]: entry for entry in crossed.floats.values()}
    trees = told["oblivious_trees"]
    depth = max((len(tree["splits"] or ()) for tree in trees), default=0)
    features = numpy.zeros((len(trees), max(1, depth)), dtype=int)
    borders = numpy.full(features.shape, numpy.inf)  # a level that a tree has not is always "no"
    gaps = numpy.zeros(features.shape, dtype=bool)
    for place, tree in enumerate(trees):
        for level, split in enumerate(tree["splits"] or ()):
            if split["split_type"] == "FloatFeature":
                feature = flat[split["float_feature_index"]]
                features[place, level] = numeric.index(feature["flat_feature_index"])
                borders[place, level] = split["border"]
                gaps[place, level] = feature["nan_value_treatment"] == "AsTrue"
            else:
                column, borders[place, level] = crossed.column(split)
                features[place, level] = len(numeric) + column
    scale, bias = told["scale_and_bias"]
    base = numpy.array(bias, dtype=float).reshape(-1)
    leaves = [numpy.array(tree["leaf_values"], dtype=float).reshape(-1, len(base)) for tree in trees]
    starts = numpy.cumsum([0, *map(len, leaves)])[:-1]
    link = _LINKS[loss]
    step = {
        "op": "oblivious",
        "features": lower.keep(features.reshape(-1)),
        "borders": lower.keep(borders.reshape(-1).astype("float32")),
        "gaps": lower.keep(gaps.reshape(-1)) if gaps.any() else None,
        "starts": lower.keep(starts),
        "values": lower.keep(numpy.concatenate(leaves) * scale),
        "base": lower.keep(base),
    }
    if depth <= 8:
        lower.program.asked("many:bits")
    steps: Steps = [*_columns(lower, crossed, numeric, source), step]
    if hasattr(part, "predict_proba"):
        classes = lower.program.classes(numpy.asarray(part.classes_))
        links: Steps = [{"op": "apply", "function": link}]
        links += [{"op": "apply", "function": "two"}] if len(base) == 1 else []
        return [*steps, {"op": "both", "classes": classes, "steps": links}]
    steps += [{"op": "apply", "function": link}] if link == "exp" else []
    return [
        *steps,
        *([{"op": "apply", "function": "flat"}] if len(base) == 1 else []),
        {"op": "answer", "dtype": None},
    ]


def _columns(lower: Lower, crossed: Crossed, numeric: list[int], source: Source) -> Steps:
    """The columns of numbers, then those of categories."""
    if source.fields is None or len(numeric) == source.width:
        return lower.numbers(source, gaps=True)
    steps, chosen = selected(source, numeric)
    parts = [{"op": "chain", "steps": [*steps, *lower.numbers(chosen, gaps=True)]}] if numeric else []
    parts += [] if crossed.step is None else [crossed.step]
    return [{"op": "concat", "parts": parts}]
