"""Loads and calls a Hugging Face pipeline. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Pipelines that take images.
PICTURES = ("image-classification", "image-feature-extraction", "object-detection")
#: Pipelines that answer with a label.
CLASSIFIERS = ("text-classification", "image-classification")


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The pipeline that ``folder`` keeps; nothing is fetched."""
    if "transformers" not in sys.modules:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import transformers

    place = str(folder / "pipeline")
    options = manifest["options"]
    reads = "image_processor" if options["task"] in PICTURES else "tokenizer"
    parts = {"model": place, reads: place, **options["settings"]}
    with quiet():
        return transformers.pipeline(options["task"], device="cpu", **parts)


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n texts or images: the likeliest label, with ``probabilities`` (n × labels), of a
    classifier; of every other pipeline what it gives for each text.

    It answers in evaluation mode, whatever the notebook left it in.
    """
    rows = list(data)
    learning = [part for part in model.model.modules() if part.training]
    model.model.eval()
    try:
        if model.task not in CLASSIFIERS:
            return {"predictions": [_plain(entry) for entry in model(rows)]}
        found = [{entry["label"]: entry["score"] for entry in row} for row in model(rows, top_k=None)]
    finally:
        for part in learning:
            part.training = True
    import numpy

    labels = [model.model.config.id2label[index] for index in range(len(model.model.config.id2label))]
    scores = numpy.array([[row[label] for label in labels] for row in found], dtype="float32")
    return {"predictions": [labels[index] for index in scores.argmax(axis=1)], "probabilities": scores}


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars inside the block."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
