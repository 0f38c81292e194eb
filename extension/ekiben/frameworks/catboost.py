"""CatBoost models, kept in its own binary format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ekiben.frameworks.pickles import own_class, pickled, subclass_reason
from ekiben.protocols import Description, Saved, knows


class CatBoost:
    """Takes CatBoostClassifier, CatBoostRegressor, CatBoostRanker and plain CatBoost."""

    name = "catboost"
    classes = ("catboost.core.CatBoost",)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """Task, classes and columns as the model recorded them."""
        estimator = type(model).__name__
        if not model.is_fitted():
            return Description(estimator, "prediction", fitted=False)
        classifier = hasattr(model, "predict_proba")
        names = model.feature_names_
        regressor = any(kind.__name__ == "CatBoostRegressor" for kind in type(model).__mro__)
        return Description(
            estimator=estimator,
            task="classification" if classifier else "regression" if regressor else "prediction",
            fitted=True,
            classes=tuple(model.classes_.tolist()) if classifier and len(model.classes_) else None,
            # The columns of an array are called "0", "1", …
            columns=None if names == [str(index) for index in range(len(names))] else tuple(names),
            width=len(names),
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.cbm``; a user's own subclass as a pickle."""
        if not own_class(model, "catboost"):
            return pickled(model, folder, ("catboost",), subclass_reason(model, "catboost"))
        model.save_model(str(folder / "model.cbm"))
        return Saved("cbm", ("catboost",), options={"class": type(model).__name__})

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("catboost_adapter.py")
