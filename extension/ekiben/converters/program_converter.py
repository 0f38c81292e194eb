"""Models of scikit-learn and of the tree libraries as NumPy arrays, large forests for ONNX Runtime."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben.converters.lowering import ANSWERS, PROBABILITIES, SCORES, VALUES, Lower, class_of
from ekiben.converters.program import Program
from ekiben.errors import NotConverted
from ekiben.protocols import Converted, lineage
from ekiben.records import Contract
from ekiben.words import _

#: Modules that fill the tables.
_LOWERINGS = (
    "preparing", "encoding", "imputing", "texts", "linear", "forests", "boosters", "oblivious", "others",
    "neighbours", "kernels", "processes", "topics", "shapes", "wholes", "committees", "calibration", "several",
)  # fmt: skip
_LIBRARIES = ("sklearn.", "xgboost.", "lightgbm.", "catboost.")


class Arrays:
    """Writes a model down as arrays and steps (``program.py``)."""

    name = "arrays"

    def matches(self, model: object) -> bool:
        """Whatever is of a class of one of the libraries."""
        return any(kind.startswith(_LIBRARIES) for kind in lineage(model))

    def convert(self, model: Any, contract: Contract, example: Any, folder: Path) -> Converted:
        """``program.json``, ``program.npz`` and, of large trees, ``trees….onnx``.

        Raises:
            NotConverted: a part of it has no such form, or its trees want ONNX Runtime.
        """
        for name in _LOWERINGS:
            import_module(f"ekiben.converters.{name}")
        if not any(class_of(model) in table for table in (ANSWERS, PROBABILITIES, SCORES, VALUES)):
            raise NotConverted(_("{type} has no faster form yet.", type=type(model).__name__))
        program = Program(contract)
        steps = Lower(program).answers(model, program.source())
        if not program.save(steps, folder):
            return Converted("NumPy", ("numpy",), tuple(program.ways))
        if find_spec("onnxruntime") is None:
            raise NotConverted(
                _("{name} is not installed.", name="onnxruntime"), remedy='%pip install "ekiben[fast]"'
            )
        return Converted("NumPy + ONNX Runtime", ("numpy", "onnxruntime"), tuple(program.ways))

    def runner(self) -> Path:
        """The code that runs it inside the service."""
        return Path(__file__).with_name("program_runner")
