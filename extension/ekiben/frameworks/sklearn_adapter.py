"""Loads and calls a scikit-learn model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any


class _Absent(MetaPathFinder):
    """Says of scikit-learn's doors to PyTorch, CuPy and Dask that they are not there."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("sklearn.externals.array_api_compat.") and name.endswith(
            (".torch", ".cupy", ".dask")
        ):
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)


def skops_io() -> Any:
    """``skops.io``, without what its import drags along.

    skops lists scikit-learn's estimators by walking through all of its packages, and one of these
    imports PyTorch wherever that is installed: seconds and hundreds of MB that nobody asked for.
    """
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        import skops.io
    finally:
        sys.meta_path.remove(absent)
    return skops.io


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps; only the types named in the manifest are made."""
    if manifest["storage"] == "skops":
        return skops_io().load(folder / "model.skops", trusted=list(manifest["trusted"]))
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
