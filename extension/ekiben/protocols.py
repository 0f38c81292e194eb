"""What a plugin gives: five small protocols, registered through entry points.

``ekiben.frameworks``, ``ekiben.converters`` and ``ekiben.builders`` are in use; ``ekiben.optimizers``
and ``ekiben.targets`` are named here so that their place is known. The builder that needs no engine
registers in ``ekiben.builders`` like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ekiben.records import Contract, Finding, Image, LayerStep, Project

#: The entry-point group of each kind of plugin.
GROUPS = {
    "framework": "ekiben.frameworks",
    "converter": "ekiben.converters",
    "optimizer": "ekiben.optimizers",
    "builder": "ekiben.builders",
    "target": "ekiben.targets",
}

#: ``progress(step, steps, message)``, steps counted from 1; raise from it to stop the work.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Description:
    """What a framework knows of a live model without calling it.

    ``columns`` are the feature names it was fitted with and ``width`` their number, where it
    recorded them; ``parts`` are objects that live inside it (a pipeline's steps). ``takes`` says what to
    pass where a sample does not fit and "the data that fit was called with" would not help.
    """

    estimator: str
    task: str
    fitted: bool
    classes: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None
    width: int | None = None
    parts: tuple[Any, ...] = ()
    takes: str = ""


@dataclass(frozen=True)
class Saved:
    """How a framework kept a model in a folder.

    ``imports`` are the modules that loading and calling need; ``options`` is plain JSON data that the
    adapter finds again in ``manifest["options"]``.
    """

    storage: str
    imports: tuple[str, ...]
    trusted: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Framework(Protocol):
    """Takes models of one library. Found by the object's classes, never by importing the library.

    Where several plugins take an object, the nearest wins: an XGBClassifier is XGBoost's before it is
    scikit-learn's. A plugin says how near it is with an attribute ``classes``, the full names of the
    classes that it knows (``("sklearn.base.BaseEstimator",)``): the earlier one of them stands in
    ``type(model).__mro__``, the nearer. A plugin without it is nearer than all.
    ``("builtins.object",)`` is the last resort.
    """

    name: str

    def matches(self, model: object) -> bool:
        """Whether this plugin takes the object; looks at ``type(model).__mro__`` only."""

    def describe(self, model: object) -> Description:
        """What the model says of itself."""

    def save(self, model: object, folder: Path, example: Any) -> Saved:
        """Writes the model into ``folder``, in the safest form that the library has.

        ``example`` is what the model is called with, a few dozen rows of the sample (a DataFrame, an
        array or a list, as in ``call``), for libraries that keep a model by tracing it; None where
        the object is not the model itself but a thing that the user's function needs.
        """

    def adapter(self) -> Path:
        """The Python file that travels as ``runtime/adapter.py``.

        It has ``load(folder, manifest) -> model`` and ``call(model, data) -> answers``, where
        ``data`` is a DataFrame or array of n rows and ``answers`` maps names to sequences of n.
        The adapter imports the standard library and the model's own library only.
        """


def lineage(model: object) -> tuple[str, ...]:
    """``module.Class`` of each class that the object is of, the nearest first; a class has none."""
    if isinstance(model, type):
        return ()
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__)


def knows(classes: tuple[str, ...], model: object) -> bool:
    """Whether the object is of one of ``classes`` (full names): what most plugins' ``matches`` asks."""
    return not set(classes).isdisjoint(lineage(model))


@dataclass(frozen=True)
class Converted:
    """A faster form of a model in a folder.

    ``form`` names it for people (``NumPy``, ``ONNX Runtime``); ``imports`` are the modules that loading and
    running it need, and nothing else may be imported. ``ways`` tell how it works, for those that
    ``records.Compiled`` knows.
    """

    form: str
    imports: tuple[str, ...]
    ways: tuple[str, ...] = ()


@runtime_checkable
class Converter(Protocol):
    """Makes a faster form of a model. Whether it may serve is not its word: ``ekiben.convert`` proves it."""

    name: str

    def matches(self, model: object) -> bool:
        """Whether it may be tried on the object; looks at ``type(model).__mro__`` only."""

    def convert(self, model: object, contract: Contract, example: Any, folder: Path) -> Converted:
        """Writes the form into the empty ``folder``; ``example`` is what the model is called with.

        Raises:
            NotConverted: the model, or a part of it, has no such form; the message says which and why.
        """

    def runner(self) -> Path:
        """The Python file, or the package (a folder with ``__init__.py``), that travels as ``runtime/form``.

        It has ``load(folder, contract) -> run``. ``contract`` is the JSON of ``contract.json`` and
        ``run(rows)`` gives the answers by name, n entries each, as the framework's adapter does.
        ``rows`` are checked: tuples of values in the contract's order (table, records, array), arrays
        (tensor) or strings (texts); a gap is None. With ``COLUMNS = True`` in the module, many rows may come
        as ``runtime/columns.py`` keeps them, and those of a tensor as one array. It imports the standard
        library, NumPy and the form's own library only; a package's files each other, by ``from .other
        import``.
        """


@runtime_checkable
class LayerProgress(Protocol):
    """What a builder's ``progress`` may hear besides steps."""

    def layer(self, done: LayerStep) -> None:
        """A layer is done: its bytes, and the seconds that it took."""


#: What ``Builder.start`` sets in the image besides ``PORT``: Python then tells in its log what it imports.
WATCHED = {"PYTHONPROFILEIMPORTTIME": "1"}


@runtime_checkable
class Builder(Protocol):
    """Turns a written project into a container image and starts it."""

    name: str

    def problem(self) -> Finding | None:
        """None when it works here, else why not and the remedy. Must be quick (under 5 s)."""

    def build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """Makes the image ``reference`` on ``base``; raises BuildFailed with the log's end."""

    def start(self, image: Image, port: int) -> str:
        """Starts the image so that it answers on 127.0.0.1:``port``, with ``WATCHED``; the container's id."""

    def stop(self, container: str) -> str:
        """Stops and removes the container; gives its log."""

    def remove(self, reference: str) -> None:
        """Removes an image."""
