"""What every server's file needs of a model: load the one file, call it as its library's pages say.

The variable MODEL is the model's folder; ``spec.json`` in it tells how rows look (``models.py``).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["MODEL"])
SPEC = json.loads((FOLDER / "spec.json").read_text(encoding="utf-8"))
FILE = FOLDER / SPEC["file"]
NAME = SPEC["name"]
TENSOR = SPEC["form"] == "tensor"
TABLE = SPEC["form"] == "table"


def load(file: Path = FILE) -> Any:
    if TENSOR:
        import torch

        return torch.jit.load(file).eval()
    import joblib

    return joblib.load(file)


def predict(model: Any, rows: Any) -> Any:
    """Answers as an array. ``rows``: nested lists, an array, or records; a DataFrame is taken as it is."""
    if TENSOR:
        import torch

        with torch.inference_mode():
            return model(torch.as_tensor(rows, dtype=torch.float32)).numpy()
    if TABLE:
        import pandas

        return model.predict(pandas.DataFrame(rows))
    import numpy

    return model.predict(numpy.asarray(rows))
