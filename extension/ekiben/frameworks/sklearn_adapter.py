"""Loads and calls a scikit-learn model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps; only the types named in the manifest are made."""
    if manifest["storage"] == "skops":
        from skops.io import load as read

        return read(folder / "model.skops", trusted=list(manifest["trusted"]))
    import cloudpickle

    return cloudpickle.loads((folder / "model.pkl").read_bytes())


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows; ``probabilities`` (n × classes) where the model has them."""
    answers = {"predictions": model.predict(data)}
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(data)
        if not isinstance(probabilities, list):  # a list: several outputs, each with classes of its own
            answers["probabilities"] = probabilities
    return answers
