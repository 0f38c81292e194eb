"""Loads and calls statsmodels results. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The results that ``folder`` keeps."""
    import cloudpickle

    return cloudpickle.loads((folder / "model.pkl").read_bytes())


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows, as ``results.predict`` gives them."""
    import numpy

    return {"predictions": numpy.asarray(model.predict(data))}
