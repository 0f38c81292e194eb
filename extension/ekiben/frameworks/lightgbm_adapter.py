"""Loads and calls a LightGBM model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Classifier:
    """A booster with the classes of the LGBMClassifier that it was kept from."""

    def __init__(self, booster: Any, classes: list[Any]) -> None:
        import numpy

        self.booster = booster
        self.classes = numpy.array(classes)

    def predict_proba(self, data: Any) -> Any:
        """Probabilities, n × classes; of two classes the booster gives the second's alone."""
        import numpy

        found = self.booster.predict(data)
        return found if found.ndim == 2 else numpy.vstack((1.0 - found, found)).T

    def predict(self, data: Any) -> Any:
        """The likeliest class of each row."""
        return self.classes[self.predict_proba(data).argmax(axis=1)]


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps."""
    if manifest["storage"] == "cloudpickle":
        import cloudpickle

        return cloudpickle.loads((folder / "model.pkl").read_bytes())
    import lightgbm

    booster = lightgbm.Booster(model_file=folder / "model.txt")
    classes = manifest["options"].get("classes")
    return booster if classes is None else Classifier(booster, classes)


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows; ``probabilities`` (n × classes) of a classifier."""
    answers = {"predictions": model.predict(data)}
    if hasattr(model, "predict_proba"):
        answers["probabilities"] = model.predict_proba(data)
    return answers
