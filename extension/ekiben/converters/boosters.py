"""XGBoost's and LightGBM's trees, read from the libraries' own files."""

from __future__ import annotations

import json
import math
from typing import Any

from ekiben.converters.ensemble import LEQ, LT, MEMBER, Ensemble
from ekiben.converters.lowering import Lower, answers
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

LOGISTIC = {"op": "apply", "function": "logistic"}
EXP = {"op": "apply", "function": "exp"}
NARROW = {"op": "apply", "function": "float32"}
FLAT = {"op": "apply", "function": "flat"}
#: XGBoost's objectives: what makes answers of the sums, and the base score's own scale.
_XGB_LINKS = {
    "binary:logistic": "logistic", "reg:logistic": "logistic", "binary:logitraw": "",
    "multi:softprob": "softmax", "multi:softmax": "softmax",
    "reg:squarederror": "", "reg:absoluteerror": "", "reg:squaredlogerror": "", "reg:pseudohubererror": "",
    "rank:pairwise": "", "rank:ndcg": "", "rank:map": "",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp",
}  # fmt: skip
_LGB_LINKS = {
    "binary": "logistic", "cross_entropy": "logistic", "multiclass": "softmax", "multiclassova": "logistic",
    "regression": "", "regression_l1": "", "huber": "", "fair": "", "quantile": "", "mape": "",
    "poisson": "exp", "gamma": "exp", "tweedie": "exp", "lambdarank": "", "rank_xendcg": "",
}  # fmt: skip


def coded(lower: Lower, source: Source, orders: dict[int, list[Any]]) -> Steps:
    """Rows to numbers; a category is its place in its column's order, an unknown one a gap."""
    if not orders:
        return lower.numbers(source, gaps=True)
    if source.fields is None:
        raise NotConverted(_("It has categories of its own."))
    plain = [place for place in range(source.width) if place not in orders]
    parts: list[dict[str, Any]] = []
    if plain:
        fields = tuple(source.fields[place] for place in plain)
        chosen = Source(len(plain), fields)
        steps = [{"op": "select", "take": plain}, *lower.numbers(chosen, gaps=True)]
        parts.append({"op": "chain", "steps": steps})
    gap = [[0, math.nan]]
    columns = []
    for place, (at, order) in enumerate(orders.items()):
        table = [[value, [[place, float(code)]]] for code, value in enumerate(order)]
        gap = [[place, math.nan]]
        columns.append({"at": at, "table": [*table, [None, gap]], "unknown": gap})
    parts.append({"op": "lookup", "columns": columns, "width": len(columns), "base": None})
    joined = [*plain, *orders]
    back = [joined.index(place) for place in range(source.width)]
    return [{"op": "concat", "parts": parts}, {"op": "take", "columns": lower.keep(back)}]


def _orders(source: Source) -> dict[int, list[Any]]:
    """The columns of pandas' categorical dtype with their categories in its own order."""
    fields = enumerate(source.fields or ())
    return {place: list(field.all_categories) for place, field in fields if field.all_categories is not None}


@answers("xgboost.XGBClassifier", "xgboost.XGBRFClassifier", "xgboost.XGBRegressor",
         "xgboost.XGBRFRegressor", "xgboost.XGBRanker", "xgboost.Booster")  # fmt: skip
def xgboost(lower: Lower, part: Any, source: Source) -> Steps:
    """Sums of the trees' leaves, through the objective's link; 32-bit numbers, as the library's own."""
    import numpy

    wrapped = hasattr(part, "get_booster")
    if wrapped and part.missing is not None and part.missing == part.missing:
        raise NotConverted(_("It takes {value} for a gap.", value=repr(part.missing)))
    booster = part.get_booster() if wrapped else part
    learner = json.loads(booster.save_raw("json"))["learner"]
    model = learner["gradient_booster"].get("model")
    objective = learner["objective"]["name"]
    settings = learner["learner_model_param"]
    if learner["gradient_booster"]["name"] != "gbtree" or objective not in _XGB_LINKS:
        name = f"{learner['gradient_booster']['name']}, {objective}"
        raise NotConverted(_("{type} has no faster form yet.", type=f"XGBoost ({name})"))
    groups = max(1, int(settings["num_class"]), int(settings.get("num_target", "1")))
    trees, kinds = model["trees"], model["tree_info"]
    best = learner["attributes"].get("best_iteration") if wrapped else None
    if best is not None:
        ends = model["iteration_indptr"]
        trees, kinds = trees[: ends[int(best) + 1]], kinds[: ends[int(best) + 1]]
    parallel = int(model["gbtree_model_param"]["num_parallel_tree"])
    if groups > 1 and parallel > 1:
        raise NotConverted(_("{type} has no faster form yet.", type="XGBoost (num_parallel_tree)"))
    ensemble = Ensemble(source.width, "float32")
    for tree in trees:
        _xgb_tree(ensemble, tree)
    base = numpy.array(json.loads(settings["base_score"]), dtype=float).reshape(-1)
    link = _XGB_LINKS[objective]
    if link == "logistic":
        base = numpy.log(base / (1 - base))
    elif link == "exp":
        base = numpy.log(base)
    if kinds != [place % groups for place in range(len(trees))]:
        raise NotConverted(_("{type} has no faster form yet.", type="XGBoost (multi_strategy)"))
    made = lower.program.forest(ensemble, base=numpy.broadcast_to(base, (groups,)), groups=groups)
    # What has no entry in a sparse matrix is a gap to XGBoost.
    begin = (
        lower.program.laid(source, gaps=source.absent)[0]
        if source.sparse
        else coded(lower, source, _orders(source))
    )
    steps = [*begin, *made]
    steps += [{"op": "apply", "function": link}] if link else []
    if hasattr(part, "predict_proba"):
        last = [{"op": "apply", "function": "two"}] if groups == 1 else []
        classes = lower.program.classes(numpy.asarray(part.classes_))
        return [*steps, *last, NARROW, {"op": "classify", "classes": classes}]
    if groups == 1:
        steps = [*steps, FLAT]
    return [*steps, {"op": "answer", "dtype": "float32"}]


def _xgb_tree(ensemble: Ensemble, tree: dict[str, Any]) -> None:
    import numpy

    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotConverted(_("{type} has no faster form yet.", type="XGBoost (multi_strategy)"))
    left, right = numpy.array(tree["left_children"]), numpy.array(tree["right_children"])
    leaf = left == -1
    # 32-bit numbers, written as shortly as tells them apart.
    values = numpy.array(tree["split_conditions"], dtype=numpy.float32).astype(float)
    missing = numpy.array(tree["default_left"], dtype=bool)
    modes = numpy.full(len(leaf), LT)
    members: dict[int, list[float]] = {}
    if tree["categories_nodes"]:
        left, right, missing = left.copy(), right.copy(), missing.copy()
        segments = zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
        )
        for node, start, size in segments:
            # Those that are listed go right; here they are the ones that "go left", so the sides change.
            members[node] = sorted(map(float, tree["categories"][start : start + size]))
            modes[node] = MEMBER
            left[node], right[node], missing[node] = right[node], left[node], not missing[node]
    ensemble.add(
        numpy.array(tree["split_indices"]), values, left, right, leaf, values,
        missing=missing, modes=modes, members=members,
    )  # fmt: skip


@answers("lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor", "lightgbm.LGBMRanker", "lightgbm.Booster")
def lightgbm(lower: Lower, part: Any, source: Source) -> Steps:
    """Sums of the trees' leaves in doubles, through the objective's link."""
    import numpy

    booster = getattr(part, "booster_", part)
    head, *blocks = booster.model_to_string().split("\nTree=")
    told = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    objective, *rest = told.get("objective", "").split(" ")
    options = dict(entry.split(":", 1) for entry in rest if ":" in entry)
    if objective not in _LGB_LINKS or "sqrt" in rest or "linear_tree=1" in head:
        raise NotConverted(
            _("{type} has no faster form yet.", type=f"LightGBM ({told.get('objective', '?')})")
        )
    groups = int(told["num_tree_per_iteration"])
    orders = booster.pandas_categorical or []
    columns = list(_orders(source))
    if len(columns) != len(orders):
        raise NotConverted(_("It has categories of its own."))
    ensemble = Ensemble(source.width, "float64")
    for block in blocks:
        _lgb_tree(
            ensemble, dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)
        )
    scale = len(blocks) / groups if "average_output" in head.splitlines() else None
    made = lower.program.forest(ensemble, groups=groups, scale=scale)
    steps = [*coded(lower, source, dict(zip(columns, map(list, orders), strict=True))), *made]
    link = _LGB_LINKS[objective]
    if float(options.get("sigmoid", 1)) != 1.0:
        steps.append({"op": "affine", "times": float(options["sigmoid"])})
    steps += [{"op": "apply", "function": link}] if link else []
    if hasattr(part, "predict_proba"):
        last = [{"op": "apply", "function": "two"}] if groups == 1 else []
        classes = lower.program.classes(numpy.asarray(part.classes_))
        return [*steps, *last, {"op": "classify", "classes": classes}]
    return [*steps, *([FLAT] if groups == 1 else []), {"op": "answer", "dtype": None}]


def _lgb_ends(thresholds: Any) -> Any:
    """The last numbers that lead left: within 1e-35 (of 32 bits), every number is 0 to the library."""
    import numpy

    zero = float(numpy.float32(1e-35))
    near = numpy.where(thresholds >= 0, zero, numpy.nextafter(-zero, -numpy.inf))
    return numpy.where(numpy.abs(thresholds) <= zero, near, thresholds)


def _lgb_tree(ensemble: Ensemble, told: dict[str, str]) -> None:
    import numpy

    def numbers(name: str, kind: Any = int) -> Any:
        return numpy.array([kind(entry) for entry in told.get(name, "").split()])

    values = numbers("leaf_value", float)
    leaves = int(told["num_leaves"])
    if told.get("is_linear", "0") == "1":
        raise NotConverted(_("{type} has no faster form yet.", type="LightGBM (linear_tree)"))
    if leaves == 1:
        zero = numpy.zeros(1)
        ensemble.add(zero, zero, zero, zero, [True], values)
        return
    inner = leaves - 1
    decision = numbers("decision_type")
    threshold = _lgb_ends(numbers("threshold", float))
    kinds = decision >> 2 & 3
    if (kinds == 1).any():
        raise NotConverted(_("It takes {value} for a gap.", value="0"))
    # Without gaps in training, a gap counts as 0.
    missing = numpy.where(kinds == 2, decision & 2, threshold >= 0).astype(bool)
    modes = numpy.full(inner + leaves, LEQ)
    members: dict[int, list[float]] = {}
    if int(told.get("num_cat", "0")):
        bounds, words = numbers("cat_boundaries"), numbers("cat_threshold")
        for node in numpy.flatnonzero(decision & 1):
            first, last = bounds[int(threshold[node])], bounds[int(threshold[node]) + 1]
            bits = [(place, int(word)) for place, word in enumerate(words[first:last])]
            inside = [32 * place + bit for place, word in bits for bit in range(32) if word >> bit & 1]
            modes[node], members[int(node)] = MEMBER, sorted(map(float, inside))
            missing[node] = kinds[node] != 2 and 0 in inside
    children = [numbers("left_child"), numbers("right_child")]
    left, right = (
        numpy.concatenate((numpy.where(child >= 0, child, inner + ~child), numpy.zeros(leaves, dtype=int)))
        for child in children
    )
    empty = numpy.zeros(leaves)
    ensemble.add(
        numpy.concatenate((numbers("split_feature"), empty.astype(int))),
        numpy.concatenate((threshold, empty)),
        left, right,
        numpy.arange(inner + leaves) >= inner,
        numpy.concatenate((numpy.zeros(inner), values)),
        missing=numpy.concatenate((missing, empty.astype(bool))),
        modes=modes, members=members,
    )  # fmt: skip
