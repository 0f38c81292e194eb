"""XGBoost models, kept in its own binary JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ekiben.frameworks.pickles import own_class, pickled, subclass_reason
from ekiben.protocols import Description, Saved, knows, lineage
from ekiben.records import Finding
from ekiben.words import _

_BOOSTER = "xgboost.core.Booster"


class XGBoost:
    """Takes XGBClassifier, XGBRegressor and their kin, and plain Boosters."""

    name = "xgboost"
    classes = ("xgboost.sklearn.XGBModel", _BOOSTER)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """Task, classes and columns as the booster recorded them.

        A plain Booster answers with what its objective gives, probabilities for instance; it does not
        know classes.
        """
        estimator = type(model).__name__
        if _BOOSTER in lineage(model):
            names = model.feature_names
            rounds = model.num_boosted_rounds()
            return Description(
                estimator=estimator,
                task=_booster_task(model) if rounds else "prediction",
                fitted=rounds > 0,
                columns=tuple(names) if names else None,
                width=model.num_features() if rounds else None,
            )
        if not model.__sklearn_is_fitted__():
            return Description(estimator, "prediction", fitted=False)
        booster = model.get_booster()
        classes = None
        classifier = hasattr(model, "predict_proba")
        regressor = any(kind.__name__ == "XGBRegressor" for kind in type(model).__mro__)
        if classifier and _learner(booster)["learner_model_param"].get("num_target", "1") == "1":
            classes = tuple(model.classes_.tolist())
        return Description(
            estimator=estimator,
            task="classification" if classifier else "regression" if regressor else "prediction",
            fitted=True,
            classes=classes,
            columns=tuple(booster.feature_names) if booster.feature_names else None,
            width=model.n_features_in_,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.ubj``; a user's own subclass as a pickle."""
        imports: tuple[str, ...] = ("xgboost",)
        if _BOOSTER not in lineage(model):
            imports = (*imports, "sklearn")
        if not own_class(model, "xgboost"):
            return pickled(model, folder, imports, subclass_reason(model, "xgboost"))
        model.save_model(folder / "model.ubj")
        options: dict[str, Any] = {"class": type(model).__name__}
        if hasattr(model, "get_params"):
            # Settings that predict obeys and the file leaves out; a gap is NaN unless the user said else.
            kept = {name: model.get_params().get(name) for name in ("missing", "enable_categorical")}
            options["settings"] = {
                name: value for name, value in kept.items() if value is not None and value == value
            }
        findings = _beyond_the_best(model) if _BOOSTER in lineage(model) else ()
        return Saved("ubj", imports, findings=findings, options=options)

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("xgboost_adapter.py")


def _beyond_the_best(booster: Any) -> tuple[Finding, ...]:
    """Tells that early stopping found fewer rounds best than a Booster's ``predict`` uses (XGBoost's own default)."""
    best, rounds = booster.attr("best_iteration"), booster.num_boosted_rounds()
    if best is None or int(best) + 1 >= rounds:
        return ()
    told = _(
        "Early stopping found {best} rounds best; a Booster answers with all {rounds}, unless told otherwise.",
        best=int(best) + 1,
        rounds=rounds,
    )
    return (Finding("warning", told, _("For the best ones wrap booster[: booster.best_iteration + 1].")),)


def _learner(booster: Any) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def _booster_task(booster: Any) -> str:
    objective = str(_learner(booster)["objective"]["name"])
    return "regression" if objective.startswith(("reg:", "count:", "survival:")) else "prediction"
