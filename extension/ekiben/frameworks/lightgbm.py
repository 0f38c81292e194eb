"""LightGBM models, kept in its own text format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ekiben.frameworks.pickles import own_class, pickled, subclass_reason
from ekiben.protocols import Description, Saved, knows, lineage
from ekiben.words import _

_BOOSTER = "lightgbm.basic.Booster"


class LightGBM:
    """Takes LGBMClassifier, LGBMRegressor and their kin, and plain Boosters."""

    name = "lightgbm"
    classes = ("lightgbm.sklearn.LGBMModel", _BOOSTER)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """Task, classes and columns as the booster recorded them; a plain Booster knows no classes."""
        estimator = type(model).__name__
        if _BOOSTER in lineage(model):
            objective = str(model.dump_model(num_iteration=1).get("objective", "")).split(" ")[0]
            judged = (
                "binary",
                "multiclass",
                "multiclassova",
                "cross_entropy",
                "lambdarank",
                "rank_xendcg",
                "",
            )
            return Description(
                estimator=estimator,
                task="prediction" if objective in judged else "regression",
                fitted=model.num_trees() > 0,
                columns=_columns(model.feature_name()),
                width=model.num_feature(),
            )
        if not model.__sklearn_is_fitted__():
            return Description(estimator, "prediction", fitted=False)
        classifier = hasattr(model, "predict_proba")
        return Description(
            estimator=estimator,
            task="classification" if classifier else "regression",
            fitted=True,
            classes=tuple(model.classes_.tolist()) if classifier else None,
            columns=_columns(model.booster_.feature_name()),
            width=model.n_features_in_,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.txt``; a user's own subclass or objective as a pickle."""
        imports = ("lightgbm",)
        if not own_class(model, "lightgbm"):
            return pickled(model, folder, (*imports, "sklearn"), subclass_reason(model, "lightgbm"))
        if _BOOSTER in lineage(model):
            model.save_model(folder / "model.txt")
            return Saved("lightgbm-text", imports)
        if callable(model.objective_):
            reason = _("its objective is a function.")
            return pickled(model, folder, (*imports, "sklearn"), reason)
        model.booster_.save_model(folder / "model.txt")
        classes = model.classes_.tolist() if hasattr(model, "predict_proba") else None
        return Saved("lightgbm-text", imports, options={"classes": classes})

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("lightgbm_adapter.py")


def _columns(names: list[str]) -> tuple[str, ...] | None:
    """The columns of the frame, where they can be told.

    An array's are called Column_0, Column_1, … and the spaces of a frame's have become underscores.
    """
    return None if any("_" in name for name in names) else tuple(names)
