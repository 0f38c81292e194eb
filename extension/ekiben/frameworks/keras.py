"""Keras 3 models, kept in its own ``.keras`` format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.pickles import first_line
from ekiben.protocols import Description, Saved, knows
from ekiben.words import _


class Keras:
    """Takes Sequential, functional and subclassed models, on any backend."""

    name = "keras"
    classes = ("keras.src.models.model.Model",)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """``fitted`` means built: Keras does not tell a trained model from a fresh one.

        The task is ``prediction``, the answers the raw output.
        """
        shape = (
            getattr(model, "input_shape", None)
            if model.built and len(getattr(model, "inputs", ())) == 1
            else None
        )
        return Description(
            estimator=type(model).__name__,
            task="prediction",
            fitted=bool(model.built),
            width=shape[1] if isinstance(shape, tuple) and len(shape) == 2 else None,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.keras``, which holds no code: a Lambda layer is refused.

        Raises:
            UnsupportedModel: Keras does not read back what it wrote.
        """
        keras = sys.modules["keras"]
        backend = keras.backend.backend()
        try:
            model.save(folder / "model.keras")
            keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
        except Exception as error:  # the user's layers run in it
            raise UnsupportedModel(
                _("Keras does not read its own file of this model: {reason}", reason=first_line(error)),
                remedy=_(
                    "Make each Lambda a layer of your own with get_config, and put "
                    "@keras.saving.register_keras_serializable() above your classes."
                ),
            ) from error
        return Saved("keras", ("keras", backend), options={"backend": backend})

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("keras_adapter.py")
