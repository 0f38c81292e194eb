"""Loads and calls a PyTorch module. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The module that ``folder`` keeps: an exported graph, or the pickled object."""
    if manifest["storage"] == "cloudpickle":
        import cloudpickle

        return cloudpickle.loads((folder / "model.pkl").read_bytes())
    import torch

    if manifest["storage"] == "torchscript":
        return torch.jit.load(folder / "model.ts", map_location="cpu").eval()
    module = torch.export.load(folder / "model.pt2").module()
    for part in module.modules():  # exported in evaluation mode; the flag is not kept
        part.training = False
    return module


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions``: the raw output, n × …; of several outputs the first.

    The others keep their names, or are output_1, output_2, …
    """
    import torch

    learning = [part for part in model.modules() if part.training]
    try:
        if learning:
            model.eval()
        with torch.inference_mode():
            found = model(tensor(model, data))
    finally:
        for part in learning:
            part.training = True
    return {name: value.detach().cpu().numpy() for name, value in _named(found)}


def tensor(model: Any, data: Any) -> Any:
    """The rows as a tensor where the module's parameters are; floats become what those are.

    Images become uint8, n × channels × height × width.
    """
    import numpy
    import torch

    if isinstance(data, list):
        data = numpy.stack([_channels_first(image) for image in data])
    rows = torch.as_tensor(numpy.ascontiguousarray(data))
    values = list(model.parameters())
    kind = next((value.dtype for value in values if value.is_floating_point()), None)
    if kind is not None and rows.is_floating_point():
        rows = rows.to(kind)
    return rows.to(values[0].device) if values else rows


def _channels_first(image: Any) -> Any:
    import numpy

    array = numpy.asarray(image)
    if hasattr(image, "dtype"):  # an array as the sample had it
        return array
    return array[None] if array.ndim == 2 else numpy.moveaxis(array, -1, 0)


def _named(found: Any) -> list[tuple[str, Any]]:
    if hasattr(found, "items"):
        pairs = list(found.items())
    elif isinstance(found, (tuple, list)):
        pairs = [(f"output_{index}", value) for index, value in enumerate(found)]
    else:
        pairs = [("predictions", found)]
    return [("predictions", pairs[0][1]), *pairs[1:]]
