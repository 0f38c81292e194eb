"""Hugging Face pipelines over text or images, kept with save_pretrained: safetensors and its processor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.transformers_adapter import CLASSIFIERS, PICTURES, quiet
from ekiben.protocols import Description, Saved, knows
from ekiben.words import _

#: Pipelines that take one text or one image a row.
_TASKS = (
    "text-classification",
    "token-classification",
    "fill-mask",
    "feature-extraction",
    "text-generation",
    "text2text-generation",
    "summarization",
    "translation",
    *PICTURES,
)


class Transformers:
    """Takes ``transformers.Pipeline`` objects; the sample is a list of texts or of images."""

    name = "transformers"
    classes = ("transformers.pipelines.base.Pipeline",)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """The labels of a classifier are its classes, in the order of the model's outputs.

        Raises:
            UnsupportedModel: its input is neither.
        """
        if model.task not in _TASKS:
            raise UnsupportedModel(
                _("A pipeline for {task} does not take one text or image a row.", task=model.task),
                remedy=_("Wrap a function that calls it on your rows."),
            )
        classes = None
        if model.task in CLASSIFIERS:
            labels = model.model.config.id2label
            classes = tuple(labels[index] for index in range(len(labels)))
        return Description(
            estimator=f"{type(model).__name__}({type(model.model).__name__})",
            task="classification" if classes else "prediction",
            fitted=True,
            classes=classes,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``config.json``, ``model.safetensors`` and the files of the tokenizer or the image processor."""
        with quiet():
            model.save_pretrained(folder / "pipeline")
        imports: tuple[str, ...] = ("transformers", "torch", "tokenizers", "safetensors")
        if model.task in PICTURES:
            imports = ("transformers", "torch", "safetensors", "PIL")
            # The processor that a name means depends on whether torchvision is there.
            if "torchvision" in sys.modules and not type(model.image_processor).__name__.endswith("Pil"):
                imports = (*imports, "torchvision")
        # What the caller set once for all calls, as far as it is plain: top_k, max_length, …
        given = {**model._preprocess_params, **model._forward_params, **model._postprocess_params}
        settings = {name: value for name, value in given.items() if isinstance(value, (str, int, float))}
        if model.task in CLASSIFIERS:
            settings.pop("top_k", None)  # all labels are asked for
        return Saved("safetensors", imports, options={"task": model.task, "settings": settings})

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("transformers_adapter.py")
