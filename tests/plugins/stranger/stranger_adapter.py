"""Travels with the model: loads it and calls it, with its own library and nothing of ekiben."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stranger import Threshold


def load(folder: Path, manifest: dict[str, Any]) -> Threshold:
    return Threshold(json.loads((Path(folder) / "limit.json").read_text()))


def call(model: Threshold, data: Any) -> dict[str, Any]:
    return {"predictions": model.above(data)}
