"""What a plugin gives: five small protocols, registered through entry points.

``ekiben.frameworks`` and ``ekiben.builders`` are in use; ``ekiben.converters``,
``ekiben.optimizers`` and ``ekiben.targets`` are named here so that their place is known. The
builder that needs no engine registers in ``ekiben.builders`` like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ekiben.records import Finding, Image, Project

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
    recorded them; ``parts`` are objects that live inside it (a pipeline's steps).
    """

    estimator: str
    task: str
    fitted: bool
    classes: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None
    width: int | None = None
    parts: tuple[Any, ...] = ()


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


@runtime_checkable
class Builder(Protocol):
    """Turns a written project into a container image and starts it."""

    name: str

    def problem(self) -> Finding | None:
        """None when it works here, else why not and the remedy. Must be quick (under 5 s)."""

    def build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """Makes the image ``reference`` on ``base``; raises BuildFailed with the log's end."""

    def start(self, image: Image, port: int) -> str:
        """Starts the image so that it answers on 127.0.0.1:``port``; gives the container's id."""

    def stop(self, container: str) -> str:
        """Stops and removes the container; gives its log."""

    def remove(self, reference: str) -> None:
        """Removes an image."""
