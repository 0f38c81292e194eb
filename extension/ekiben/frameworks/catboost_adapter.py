"""Loads and calls a CatBoost model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps, of the class it had in the notebook."""
    if manifest["storage"] == "cloudpickle":
        import cloudpickle

        return cloudpickle.loads((folder / "model.pkl").read_bytes())
    import catboost

    return getattr(catboost, manifest["options"]["class"])().load_model(str(folder / "model.cbm"))


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows; ``probabilities`` (n × classes) of a classifier."""
    predictions = model.predict(data)
    if predictions.ndim == 2 and predictions.shape[1] == 1:  # of three classes and more, one column
        predictions = predictions[:, 0]
    answers = {"predictions": predictions}
    if hasattr(model, "predict_proba"):
        answers["probabilities"] = model.predict_proba(data)
    return answers
