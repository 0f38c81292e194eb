"""TensorFlow's own modules, kept as a SavedModel, which needs none of the notebook's classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.pickles import first_line
from ekiben.frameworks.tensorflow_adapter import SIGNATURE, feed, function, inputs, named, signature
from ekiben.protocols import Description, Saved, knows, lineage
from ekiben.words import _

_LOADED = "tensorflow.python.saved_model.load."


class TensorFlow:
    """Takes ``tf.Module`` objects that can be called, and SavedModels that were loaded.

    ``tf.keras`` is Keras 3 and has a plugin of its own.
    """

    name = "tensorflow"
    classes = (
        "tensorflow.python.module.module.Module",
        "tensorflow.python.trackable.autotrackable.AutoTrackable",
    )

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only; optimizers, layers and checkpoints are no models."""
        if not knows(self.classes, model):
            return False
        names = lineage(model)
        if names[0].startswith(_LOADED):
            return True
        mine = not any(name.startswith(("keras.", "tensorflow.python.checkpoint")) for name in names)
        return mine and any(
            "__call__" in vars(kind) or "predict" in vars(kind) for kind in type(model).__mro__
        )

    def describe(self, model: Any) -> Description:
        """A module says nothing of its training: the task is ``prediction``, the answers its raw output.

        Raises:
            UnsupportedModel: a SavedModel without a signature for serving.
        """
        loaded = lineage(model)[0].startswith(_LOADED)
        if loaded and signature(model) is None:
            raise UnsupportedModel(
                _("The SavedModel has no signature {name}.", name=SIGNATURE),
                remedy=_("Wrap a function that calls the one of its signatures that you mean."),
            )
        specs = [spec for spec in inputs(model).values() if spec is not None]
        flat = len(specs) == 1 and specs[0].shape.rank == 2
        return Description(
            estimator="SavedModel" if loaded else type(model).__name__,
            task="prediction",
            fitted=True,
            width=specs[0].shape[1] if flat else None,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``saved_model/`` with one signature whose batch axis is free.

        Raises:
            UnsupportedModel: TensorFlow cannot trace it, or does not read back what it wrote.
        """
        try:
            _write(model, folder / "saved_model", example)
        except Exception as error:
            raise UnsupportedModel(
                _(
                    "TensorFlow cannot keep the {type} as a SavedModel: {reason}",
                    type=type(model).__name__,
                    reason=_reason(error),
                ),
                remedy=_(
                    "Keep its variables and tables as attributes of the module, and compute with TensorFlow's own "
                    "functions in what it is called with."
                ),
            ) from error
        return Saved("saved-model", ("tensorflow",))

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("tensorflow_adapter.py")


def _reason(error: Exception) -> str:
    """What went wrong: AutoGraph puts the place before it, over several lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines and lines[0] == "in user code:" else first_line(error)


def _write(model: Any, place: Path, example: Any) -> None:
    import tensorflow

    if signature(model) is not None:
        tensorflow.saved_model.save(model, str(place), signatures=model.signatures)
    elif example is None:  # a part of the user's own function, called by it
        tensorflow.saved_model.save(model, str(place))
    else:
        specs = inputs(model)
        tensors = feed(model, specs, example)
        # A batch of its own size would be taken for a fixed one.
        free = {
            name: tensorflow.TensorSpec([None, *value.shape[1:]], value.dtype, name=name)
            for name, value in tensors.items()
        }
        called = function(model)

        def answer(*values: Any) -> dict[str, Any]:
            return named(called(*values))

        serve = tensorflow.function(answer, input_signature=list(free.values()))
        tensorflow.saved_model.save(model, str(place), signatures={SIGNATURE: serve})
    again = tensorflow.saved_model.load(str(place))
    if example is not None:
        for count in (1, 3):
            rows = feed(again, inputs(again), example)
            again.signatures[SIGNATURE](
                **{name: tensorflow.repeat(value[:1], count, axis=0) for name, value in rows.items()}
            )
