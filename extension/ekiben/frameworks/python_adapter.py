"""Loads and calls a Python function or object. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

import ast
import json
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """What ``folder`` keeps, by the storage that the manifest names."""
    storage, options = manifest["storage"], manifest["options"]
    if storage == "source":
        return attrgetter(options["attribute"])(import_module(options["module"]))
    if storage == "npy":
        import numpy

        return numpy.load(folder / "value.npy", allow_pickle=False)
    if storage == "table":
        return table(json.loads((folder / "value.json").read_text(encoding="utf-8")))
    if storage == "literal":
        return ast.literal_eval((folder / "value.txt").read_text(encoding="utf-8"))
    import cloudpickle

    return cloudpickle.loads((folder / "model.pkl").read_bytes())


def table(data: dict[str, Any]) -> Any:
    """A pandas Series or DataFrame from its columns, types and names."""
    import pandas

    index = pandas.Index(data["index"], dtype=data["index_dtype"], name=data["index_name"])
    parts = [
        pandas.Series(v, index=index, dtype=d) for v, d in zip(data["data"], data["dtypes"], strict=True)
    ]
    if data["kind"] == "Series":
        return parts[0].rename(data["name"])
    made = pandas.concat(parts, axis=1)
    made.columns = pandas.Index(data["columns"], name=data["columns_name"])
    return made


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows, and whatever else a dict of answers names."""
    answers = model.predict(data) if hasattr(model, "predict") else model(data)
    if isinstance(answers, dict) and "predictions" in answers:
        return {str(name): _rows(values) for name, values in answers.items()}
    told = {"predictions": _rows(answers)}
    if hasattr(model, "predict_proba"):
        told["probabilities"] = _rows(model.predict_proba(data))
    return told


def _rows(answers: Any) -> Any:
    """Answers as a sequence: a DataFrame gives its rows, one loose value a list of one."""
    if hasattr(answers, "to_numpy"):  # pandas: a Series or a DataFrame, whatever its index
        return answers.to_numpy()
    if hasattr(answers, "numpy") and hasattr(answers, "detach"):
        return answers.detach().cpu().numpy()
    if isinstance(answers, (str, bytes, dict)) or not hasattr(answers, "__len__"):
        return list(answers) if hasattr(answers, "__next__") else [answers]
    return answers if getattr(answers, "ndim", 1) else [answers]
