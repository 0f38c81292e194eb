"""Any Python function, and any object with a ``predict``: the last choice of all frameworks."""

from __future__ import annotations

import ast
import functools
import json
import sys
import types
from operator import attrgetter
from pathlib import Path
from typing import Any

from ekiben.frameworks.pickles import pickled
from ekiben.frameworks.python_adapter import table
from ekiben.protocols import Description, Saved, lineage
from ekiben.words import _

#: A larger table as text would take longer than it is worth.
_MOST_CELLS = 1_000_000
_CALLS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)


class Python:
    """Takes functions and objects with ``predict`` that no library's plugin takes.

    The function gets all rows at once, as the sample is (a DataFrame, an array, a list), and gives one
    answer a row; an answer may be a dict with ``predictions`` and ``probabilities``.
    """

    name = "python"
    classes = ("builtins.object",)

    def matches(self, model: object) -> bool:
        """Functions, objects with ``predict``, and those that a class of the notebook made callable."""
        if isinstance(model, (type, types.ModuleType)):
            return False
        if isinstance(model, _CALLS):
            return True
        kinds = type(model).__mro__
        mine = not any(name.startswith(("IPython.", "ekiben.")) for name in lineage(model))
        return mine and any("predict" in vars(kind) or _called(kind) for kind in kinds)

    def describe(self, model: Any) -> Description:
        """Its name, in no language; a task and classes only where it tells them."""
        known = getattr(model, "classes_", None)
        classes = tuple(known.tolist() if hasattr(known, "tolist") else known) if known is not None else None
        inner = model.func if isinstance(model, functools.partial) else model
        name = getattr(inner, "__name__", None) or type(model).__name__
        return Description(
            estimator=f"{name}()" if isinstance(model, _CALLS) else name,
            task="classification" if classes else "prediction",
            fitted=True,
            classes=classes,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """By name where a module has it, as plain text or numbers where it is no more, else as a pickle."""
        reference = _reference(model)
        if reference is not None:
            module, attribute = reference
            return Saved(
                "source", (module.partition(".")[0],), (), (), {"module": module, "attribute": attribute}
            )
        imports = () if isinstance(model, _CALLS) else (type(model).__module__.partition(".")[0],)
        if _numbers(model):
            import numpy

            numpy.save(folder / "value.npy", model, allow_pickle=False)
            return Saved("npy", ("numpy",))
        data = _table(model)
        if data is not None:
            (folder / "value.json").write_text(json.dumps(data), encoding="utf-8")
            return Saved("table", ("pandas",))
        text = repr(model)
        if _plain(model) and _reads_back(text, model):
            (folder / "value.txt").write_text(text, encoding="utf-8")
            return Saved("literal", ())
        return pickled(model, folder, imports, _("no other form keeps any Python object."))

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("python_adapter.py")


def _called(kind: type) -> bool:
    """Whether the notebook made the class so that its objects can be called."""
    return kind.__module__ == "__main__" and "__call__" in vars(kind)


def _reference(model: Any) -> tuple[str, str] | None:
    """Module and qualified name under which a service finds the very function or class."""
    if not isinstance(model, (types.FunctionType, types.BuiltinFunctionType, type)):
        return None
    module, name = getattr(model, "__module__", None), model.__qualname__
    if not module or module == "__main__" or "<" in name:
        return None
    try:
        return (module, name) if attrgetter(name)(sys.modules.get(module)) is model else None
    except AttributeError:
        return None


def _numbers(value: Any) -> bool:
    return (
        f"{type(value).__module__}.{type(value).__name__}" == "numpy.ndarray"
        and value.dtype.kind in "biufcSUmM"
    )


def _table(value: Any) -> dict[str, Any] | None:
    """A pandas Series or DataFrame as JSON data, where that gives it back whole; else None."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind not in ("pandas.Series", "pandas.DataFrame") or not 0 < value.size <= _MOST_CELLS:
        return None
    frame = value.to_frame("value") if kind == "pandas.Series" else value
    data = {
        "kind": kind.partition(".")[2],
        "name": getattr(value, "name", None),
        "columns": frame.columns.tolist(),
        "columns_name": frame.columns.name,
        "dtypes": [str(dtype) for dtype in frame.dtypes],
        "index": frame.index.tolist(),
        "index_dtype": str(frame.index.dtype),
        "index_name": frame.index.name,
        "data": [frame.iloc[:, place].tolist() for place in range(frame.shape[1])],
    }
    try:
        back = table(json.loads(json.dumps(data)))
        same = back.equals(value) and back.index.equals(value.index) and repr(back) == repr(value)
    except (TypeError, ValueError, AttributeError, IndexError):  # dates, objects, several levels of names
        return None
    return data if same else None


def _plain(value: Any) -> bool:
    if type(value) in (list, tuple, set):
        return all(_plain(item) for item in value)
    if type(value) is dict:
        return all(_plain(key) and _plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str, bytes)


def _reads_back(text: str, value: Any) -> bool:
    try:
        return bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # NaN, or nested too deep
        return False
