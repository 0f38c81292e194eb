"""Loads and calls a Keras model. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The model that ``folder`` keeps, on the backend that it had in the notebook."""
    if "keras" not in sys.modules:  # it chooses its backend when it is imported
        os.environ["KERAS_BACKEND"] = manifest["options"]["backend"]
    import keras

    return keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions``: the raw output, n × …; of several outputs the first.

    The others keep their names, or are output_1, output_2, …
    """
    import numpy

    if isinstance(data, list):  # images: n × height × width × channels
        data = [numpy.asarray(image) for image in data]
        data = numpy.stack([image[:, :, None] if image.ndim == 2 else image for image in data])
    found = model.predict(numpy.asarray(data) if hasattr(data, "columns") else data, verbose=0)
    if isinstance(found, dict):
        pairs = list(found.items())
    elif isinstance(found, (tuple, list)):
        pairs = [(f"output_{index}", values) for index, values in enumerate(found)]
    else:
        pairs = [("predictions", found)]
    return dict([("predictions", pairs[0][1]), *pairs[1:]])
