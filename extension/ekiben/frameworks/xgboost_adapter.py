"""Loads and calls an XGBoost model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps, of the class it had in the notebook."""
    if manifest["storage"] == "cloudpickle":
        import cloudpickle

        return cloudpickle.loads((folder / "model.pkl").read_bytes())
    import xgboost

    options = manifest["options"]
    model = getattr(xgboost, options["class"])(**options.get("settings", {}))
    model.load_model(folder / "model.ubj")
    return model


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows; ``probabilities`` (n × classes) of a classifier."""
    if not hasattr(model, "get_params"):
        import xgboost

        names = None if hasattr(data, "columns") else model.feature_names
        return {
            "predictions": model.predict(xgboost.DMatrix(data, feature_names=names, enable_categorical=True))
        }
    answers = {"predictions": model.predict(data)}
    if hasattr(model, "predict_proba"):
        answers["probabilities"] = model.predict_proba(data)
    return answers
