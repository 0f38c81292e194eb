"""ONNX models: an onnxruntime session or an onnx.ModelProto, kept as they are."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.protocols import Description, Saved, knows, lineage
from ekiben.words import _

#: A graph larger than this many bytes is not read to name its classes; the panel asks often.
_READ = 64_000_000
_PROTO = "onnx.onnx_ml_pb2.ModelProto"


class Onnx:
    """Takes InferenceSession and ModelProto."""

    name = "onnx"
    classes = ("onnxruntime.capi.onnxruntime_inference_collection.InferenceSession", _PROTO)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """Classes where the graph names them; the columns where each has an input of its own.

        Raises:
            UnsupportedModel: a session that does not know its bytes any more.
        """
        graph = _graph(model)
        classes = _classes(graph)
        inputs = [entry.name for entry in graph.input] if graph else []
        return Description(
            estimator=graph.name if graph is not None and graph.name.startswith("ONNX") else "ONNX",
            task="classification" if classes else "prediction",
            fitted=True,
            classes=classes,
            columns=tuple(inputs) if len(inputs) > 1 else None,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.onnx``, byte for byte; weights that lie beside it in files of their own come along."""
        if _PROTO in lineage(model):
            (folder / "model.onnx").write_bytes(model.SerializeToString())
            return Saved("onnx", ("onnxruntime",))
        source = getattr(model, "_model_path", None)
        if not source:
            (folder / "model.onnx").write_bytes(_bytes(model))
            return Saved("onnx", ("onnxruntime",))
        shutil.copyfile(source, folder / "model.onnx")
        for name in _external(_graph(model)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(source).parent / name, folder / name)
        return Saved("onnx", ("onnxruntime",))

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("onnx_adapter.py")


def _bytes(session: Any) -> bytes:
    content = getattr(session, "_model_bytes", None)
    if not content:
        raise UnsupportedModel(
            _("The session does not know the file that it was made from."),
            remedy=_("Wrap the model itself: onnx.load(path)."),
        )
    return bytes(content)


def _graph(model: Any) -> Any:
    """The graph, or None where it is too large to read in passing or the onnx package is missing."""
    if _PROTO in lineage(model):
        return model.graph
    path = getattr(model, "_model_path", None)
    size = Path(path).stat().st_size if path else len(_bytes(model))
    if size > _READ or not find_spec("onnx"):
        return None
    import onnx

    if path:
        return onnx.load(path, load_external_data=False).graph
    return onnx.load_from_string(_bytes(model)).graph


def _classes(graph: Any) -> tuple[Any, ...] | None:
    """The class labels of the last node that has some: those of a classifier from scikit-learn."""
    if graph is None:
        return None
    named = ("classlabels_strings", "classlabels_int64s", "classlabels_ints", "cats_strings", "keys_strings")
    for node in reversed(graph.node):
        for attribute in node.attribute:
            if attribute.name in named and (attribute.strings or attribute.ints):
                return tuple(value.decode() for value in attribute.strings) or tuple(attribute.ints)
    return None


def _external(graph: Any) -> list[str]:
    """Files beside the model that hold weights too large for it."""
    if graph is None:
        return []
    return sorted(
        {
            entry.value
            for tensor in graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
    )
