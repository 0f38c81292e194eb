"""PyTorch modules, exported as a graph that needs none of the notebook's classes."""

from __future__ import annotations

import copy
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.pickles import first_line, pickled
from ekiben.frameworks.torch_adapter import tensor
from ekiben.protocols import Description, Saved, knows
from ekiben.words import _


class Torch:
    """Takes every ``nn.Module``; it answers in evaluation mode, on the CPU."""

    name = "torch"
    classes = ("torch.nn.modules.module.Module",)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only; a loss is a module too, but nobody serves it."""
        return knows(self.classes, model) and not knows(("torch.nn.modules.loss._Loss",), model)

    def describe(self, model: Any) -> Description:
        """A module says nothing of its training: the task is ``prediction``, the answers its raw output.

        The width is that of a first linear layer, where a Sequential tells which is the first.
        """
        return Description(
            estimator=type(model).__name__, task="prediction", fitted=True, width=_width(model)
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.pt2`` by torch.export with a free batch axis; a pickle where it cannot be exported.

        TorchScript stays what it is, ``model.ts``.

        Raises:
            UnsupportedModel: the module cannot even be copied.
        """
        try:
            still = copy.deepcopy(model).cpu().eval()
        except Exception as error:  # a module may hold anything
            raise UnsupportedModel(
                _(
                    "The {type} cannot be saved: {reason}",
                    type=type(model).__name__,
                    reason=first_line(error),
                ),
                remedy=_("Keep files, connections and threads out of it."),
            ) from error
        if knows(("torch.jit._script.ScriptModule",), model):
            still.save(str(folder / "model.ts"))
            return Saved("torchscript", ("torch",))
        if example is None:
            return pickled(still, folder, ("torch",), _("there are no rows to trace it with."))
        failed = _export(still, tensor(still, example), folder / "model.pt2")
        if failed:
            return pickled(
                still, folder, ("torch",), _("torch.export cannot trace it ({reason}).", reason=failed)
            )
        return Saved("torch-export", ("torch",))

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("torch_adapter.py")


def _width(model: Any) -> int | None:
    first = model
    while knows(("torch.nn.modules.container.Sequential",), first) and len(first):
        first = first[0]
    linear = knows(("torch.nn.modules.linear.Linear",), first)
    return (first.in_features or None) if linear else None  # a lazy layer has 0 until it is called


def _export(module: Any, rows: Any, file: Path) -> str:
    """Writes ``file`` and reads it back with one row and with many; gives what went wrong, or nothing."""
    if len(rows) < 3:  # a batch of one would be taken for a fixed size
        rows = rows[:1].expand(3, *rows.shape[1:]).contiguous()
    try:
        # What it prints of a graph that it cannot make says no more than its exception.
        with redirect_stderr(StringIO()):
            _write(module, rows, file)
    except Exception as error:  # noqa: BLE001 - the user's own forward runs in it
        file.unlink(missing_ok=True)
        return first_line(error)
    return ""


def _write(module: Any, rows: Any, file: Path) -> None:
    import torch

    batch = torch.export.Dim("batch", min=1)
    torch.export.save(torch.export.export(module, (rows,), dynamic_shapes=({0: batch},)), file)
    again = torch.export.load(file).module()
    with torch.inference_mode():
        again(rows[:1])
        again(torch.cat((rows, rows)))
