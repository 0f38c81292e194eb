"""What the kernel holds: the look of the JupyterLab button and panel.

The front end evaluates one expression in the kernel, also while a cell runs::

    __import__('ekiben.snapshot', fromlist=['look']).look(globals(), 'en')

Looking is safe: objects are told by their type alone, libraries are found through ``sys.modules``
and never imported, and of a user's object nothing is called but its framework's ``describe``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from ekiben import __version__, words
from ekiben.errors import EkibenError
from ekiben.protocols import Description, Framework
from ekiben.records import BoxVariable, ModelVariable, SampleVariable, Snapshot
from ekiben.registry import framework_of
from ekiben.samples import Table, ranked, table
from ekiben.words import _

_HIDDEN = frozenset({"In", "Out", "exit", "quit", "get_ipython"})


class Look:
    """A snapshot in the shape that ``user_expressions`` brings to the front end as real JSON."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __repr__(self) -> str:
        seen = self.snapshot
        return f"<ekiben: {len(seen.models)} models, {len(seen.boxes)} boxes>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"application/json": self.snapshot.to_json(), "text/plain": repr(self)}


class _Found(NamedTuple):
    name: str
    value: object
    framework: Framework
    description: Description | None
    problem: str = ""
    remedy: str = ""


def look(namespace: Mapping[str, Any], language: str | None = None) -> Look:
    """The models, samples and boxes among the variables of ``namespace``.

    ``language`` (``en``, ``zh_CN``) becomes the language that ekiben speaks in this kernel.
    """
    if language:
        words.use(language)
    return Look(snapshot(namespace))


def snapshot(namespace: Mapping[str, Any]) -> Snapshot:
    """The same as plain records."""
    # A copy at once: a running cell may add variables from another thread.
    variables = [(name, value) for name, value in list(namespace.items()) if _shown(name)]
    box_type = getattr(sys.modules.get("ekiben.box"), "Box", None)
    boxes: dict[int, BoxVariable] = {}
    boxed: dict[int, str] = {}
    models: dict[int, _Found] = {}
    tables: list[Table] = []
    frameworks: dict[type, Framework | None] = {}
    for name, value in variables:
        kind = type(value)
        if box_type is not None and kind is box_type:
            boxes.setdefault(id(value), BoxVariable(name, value.model.tag, value.model.estimator))
            if value.live is not None:
                boxed[id(value.live)] = name
            continue
        found = table(name, value)
        if found is not None:
            tables.append(found)
            continue
        if kind not in frameworks:
            frameworks[kind] = _framework(value)
        framework = frameworks[kind]
        if framework is not None and id(value) not in models:
            model = _describe(name, value, framework)
            if model is not None:
                models[id(value)] = model
    owners = _owners(models.values())
    return Snapshot(
        ekiben=__version__,
        models=tuple(_model(found, tables, owners, boxed) for found in models.values()),
        boxes=tuple(boxes.values()),
    )


def _shown(name: object) -> bool:
    return isinstance(name, str) and not name.startswith("_") and name not in _HIDDEN


def _framework(value: object) -> Framework | None:
    # An object may answer any question with an exception of its own; then it is no model.
    try:
        return framework_of(value)
    except Exception:  # noqa: BLE001
        return None


def _describe(name: str, value: object, framework: Framework) -> _Found | None:
    """The model, or None where the last resort would have to take any object for one."""
    last_resort = "builtins.object" in getattr(framework, "classes", ())
    if last_resort and not _looks_like_a_model(name, value):
        return None
    try:
        return _Found(name, value, framework, framework.describe(value))
    except EkibenError as error:
        return None if last_resort else _Found(name, value, framework, None, error.message, error.remedy)
    # A half-made object or a stranger's plugin must not hide the other variables.
    except Exception as error:  # noqa: BLE001
        told = f"{type(error).__name__}: {error}"
        return _Found(name, value, framework, None, _("it could not be described: {error}", error=told))


def _looks_like_a_model(name: str, value: object) -> bool:
    """Objects with ``predict``, and functions called so that the notebook itself defines."""
    if isinstance(value, FunctionType):
        return name.startswith("predict") and value.__module__ == "__main__"
    return any("predict" in vars(kind) for kind in type(value).__mro__)


def _owners(models: Iterable[_Found]) -> dict[int, str]:
    """For the id of each object that lives inside a model, that model's name."""
    owners: dict[int, str] = {}
    for found in models:
        for part in found.description.parts if found.description else ():
            if part is not found.value:
                owners.setdefault(id(part), found.name)
    return owners


def _model(
    found: _Found, tables: list[Table], owners: dict[int, str], boxed: dict[int, str]
) -> ModelVariable:
    about = found.description
    part_of = owners.get(id(found.value), "")
    samples = ranked(tables, about.columns, about.width) if about and about.fitted else ()
    problem, remedy = ("", "") if part_of else _problem(found, samples)
    return ModelVariable(
        name=found.name,
        type=type(found.value).__name__,
        framework=found.framework.name,
        fitted=bool(about and about.fitted),
        samples=samples,
        part_of=part_of,
        problem=problem,
        remedy=remedy,
        box=boxed.get(id(found.value), ""),
    )


def _problem(found: _Found, samples: tuple[SampleVariable, ...]) -> tuple[str, str]:
    about = found.description
    if about is None:
        return found.problem, found.remedy
    if not about.fitted:
        return _("it is not fitted"), _("call fit first")
    if samples:
        return "", ""
    remedy = _("keep the data it was fitted with in a variable, as a table: {name}", name="X_train")
    if about.width is None:
        return _("no variable here holds a table to take as its sample"), remedy
    if about.width == 1:
        return _("no variable here has the 1 column it was fitted with"), remedy
    return _("no variable here has the {n} columns it was fitted with", n=about.width), remedy
