"""PyTorch and Keras networks as one ONNX graph."""

from __future__ import annotations

import copy
import json
import logging
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from ekiben.errors import NotConverted
from ekiben.protocols import Converted, knows
from ekiben.records import Contract
from ekiben.words import _

_TORCH = ("torch.nn.modules.module.Module",)
_KERAS = ("keras.src.models.model.Model",)
#: Larger networks take longer to export than anybody waits for a wrap.
MOST_PARAMETERS = 50_000_000
#: Where the exporter notes what a node was, and what an embedding was.
_FX_NODE, _EMBEDDING = "pkg.torch.onnx.fx_node", "aten.embedding."


class Graph:
    """Has the library export its graph; ONNX Runtime runs it on one thread."""

    name = "onnx"

    def matches(self, model: object) -> bool:
        """Modules and Keras' models, which are modules too on that backend."""
        return knows((*_TORCH, *_KERAS), model) and not knows(("torch.jit._script.ScriptModule",), model)

    def convert(self, model: Any, contract: Contract, example: Any, folder: Path) -> Converted:
        """``graph.onnx`` with a free first axis, and the names of its answers.

        Raises:
            NotConverted: a package is missing, or the input is not one array.
        """
        for package in ("onnxruntime", *(("onnxscript",) if find_spec("torch") else ())):
            if find_spec(package) is None:
                remedy = f"%pip install {package}"
                raise NotConverted(_("{name} is not installed.", name=package) + " " + remedy)
        stacked = contract.input in ("tensor", "array") or (contract.input == "images" and contract.dtype)
        if not stacked or example is None:
            raise NotConverted(_("It takes {form}, which has no faster form yet.", form=contract.input))
        keras = knows(_KERAS, model)
        weights = model.count_params() if keras else sum(part.numel() for part in model.parameters())
        if weights > MOST_PARAMETERS:
            raise NotConverted(_("It has {n} weights, more than are tried.", n=weights))
        file = folder / "graph.onnx"
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # what the exporter says of its own passes is not for the user
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                _keras(model, file) if keras else _torch(model, example, file)
        finally:
            logging.disable(level)
        names = [entry.name for entry in contract.outputs]
        (folder / "answers.json").write_text(json.dumps(names), encoding="utf-8")
        return Converted("ONNX Runtime", ("numpy", "onnxruntime"))

    def runner(self) -> Path:
        """The code that runs it inside the service."""
        return Path(__file__).with_name("onnx_runner.py")


def _keras(model: Any, file: Path) -> None:
    model.export(str(file), format="onnx", verbose=False)


def _torch(model: Any, example: Any, file: Path) -> None:
    import numpy
    import torch

    still = copy.deepcopy(model).cpu().eval()
    rows = torch.as_tensor(numpy.ascontiguousarray(example))
    kind = next((value.dtype for value in still.parameters() if value.is_floating_point()), None)
    if kind is not None and rows.is_floating_point():
        rows = rows.to(kind)
    if len(rows) < 3:  # a batch of one would be taken for a fixed size
        rows = rows[:1].expand(3, *rows.shape[1:]).contiguous()
    with torch.inference_mode():
        made = torch.onnx.export(
            still,
            (rows,),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            verbose=False,
        )
    _strict(made.model.graph)
    made.save(str(file), external_data=False)


def _strict(graph: Any) -> None:
    """Embeddings refuse a negative number as PyTorch does; ONNX would count it from the table's end.

    Without its sign it lies beyond every table, which ONNX Runtime refuses.
    """
    import numpy
    import onnx_ir

    for node in list(graph):
        if node.op_type != "Gather" or _EMBEDDING not in node.metadata_props.get(_FX_NODE, ""):
            continue
        asked = node.inputs[1]
        kind = asked.dtype.numpy() if asked.dtype else numpy.dtype("int64")
        mask = onnx_ir.Value(
            name=f"{node.name}_unsigned",
            type=onnx_ir.TensorType(onnx_ir.DataType.from_numpy(kind)),
            shape=onnx_ir.Shape(()),
            const_value=onnx_ir.tensor(numpy.array(numpy.iinfo(kind).max, kind)),
        )
        graph.register_initializer(mask)
        bare = onnx_ir.Node("", "BitwiseAnd", [asked, mask], name=f"{node.name}_bare")
        graph.insert_before(node, bare)
        node.replace_input_with(1, bare.outputs[0])
