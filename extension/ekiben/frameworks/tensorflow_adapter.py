"""Loads and calls a TensorFlow module. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SIGNATURE = "serving_default"


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The SavedModel that ``folder`` keeps."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its greetings are no news in a service's log
    import tensorflow

    return tensorflow.saved_model.load(str(folder / "saved_model"))


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions``, n × …: the raw output, or of several outputs the one of this name or the first.

    The others keep their names, or are output_1, output_2, …
    """
    specs = inputs(model)
    tensors = feed(model, specs, data)
    found = signature(model)(**tensors) if signature(model) else function(model)(*tensors.values())
    answers = {name: value.numpy() for name, value in named(found).items()}
    return {name: _texts(values) for name, values in answers.items()}


def signature(model: Any) -> Any:
    """The serving signature of a loaded SavedModel; None of a live module."""
    known: Any = getattr(model, "signatures", None)
    return known[SIGNATURE] if hasattr(known, "keys") and SIGNATURE in known else None


def function(model: Any) -> Any:
    """What a live module answers with: ``__call__``, else ``predict``."""
    return model.__call__ if callable(model) else model.predict


def inputs(model: Any) -> dict[str, Any]:
    """Its inputs by name, each with dtype and shape where the module declares them, else None."""
    ready = signature(model)
    if ready is not None:
        return dict(ready.structured_input_signature[1])
    from inspect import signature as parameters

    called = function(model)
    plain = getattr(called, "python_function", called)
    wanted = [
        name
        for name, entry in parameters(plain).parameters.items()
        if name != "self" and entry.default is entry.empty and entry.kind in (0, 1)
    ]
    declared = getattr(called, "input_signature", None) or [None] * len(wanted)
    return dict(zip(wanted, declared, strict=False)) or {"x": None}


def feed(model: Any, specs: dict[str, Any], data: Any) -> dict[str, Any]:
    """A tensor for each input, n × …; floats become what the module declares or computes with.

    A table of several inputs gives each its column. Images become uint8, n × height × width × channels.
    """
    import numpy
    import tensorflow

    floats = next((value.dtype for value in getattr(model, "variables", ()) if value.dtype.is_floating), None)
    if len(specs) > 1:
        columns = data if hasattr(data, "columns") else {name: [row[name] for row in data] for name in specs}
        values = {name: numpy.asarray(columns[name]) for name in specs}
    else:
        if isinstance(data, list) and data and not isinstance(data[0], (str, dict)):
            data = [numpy.asarray(image) for image in data]
            data = numpy.stack([image[:, :, None] if image.ndim == 2 else image for image in data])
        values = {next(iter(specs)): numpy.asarray(data)}
    made = {}
    for name, array in values.items():
        spec = specs[name]
        kind = spec.dtype if spec is not None else floats if array.dtype.kind == "f" else None
        if array.dtype.kind in "OU":  # text, or a frame of mixed columns
            array = array.tolist()
        elif spec is not None and array.ndim + 1 == spec.shape.rank:
            array = array[:, None]  # a column of its own
        made[name] = (
            tensorflow.cast(array, kind) if kind and kind.name != "string" else tensorflow.constant(array)
        )
    return made


def named(found: Any) -> dict[str, Any]:
    """Outputs by name, in the order in which a SavedModel gives them too: sorted."""
    if hasattr(found, "items"):
        pairs = dict(sorted(found.items()))
    elif isinstance(found, (tuple, list)):
        pairs = {f"output_{index}": value for index, value in enumerate(found)}
    else:
        pairs = {"predictions": found}
    first = "predictions" if "predictions" in pairs else next(iter(pairs))
    return {"predictions": pairs.pop(first), **pairs}


def _texts(values: Any) -> Any:
    """TensorFlow's strings are bytes."""
    if values.dtype.kind != "O":
        return values
    return [entry.decode() if isinstance(entry, bytes) else entry for entry in values.tolist()]
