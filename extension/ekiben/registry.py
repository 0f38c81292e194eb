"""Finds plugins through their entry points, ours and strangers' alike."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from ekiben.errors import NotFound, UnsupportedModel
from ekiben.protocols import GROUPS, Builder, Converter, Framework, lineage
from ekiben.words import _


@cache
def names(kind: str) -> tuple[str, ...]:
    """The registered plugins of a kind (``framework``, ``builder``, …), in order of name."""
    return tuple(sorted({point.name for point in entry_points(group=GROUPS[kind])}))


@cache
def plugin(kind: str, name: str) -> Any:
    """One plugin, made from the class its entry point names.

    Raises:
        NotFound: no such plugin is installed.
    """
    for point in entry_points(group=GROUPS[kind]):
        if point.name == name:
            return point.load()()
    raise NotFound(
        _("There is no {kind} called {name}.", kind=kind, name=repr(name)),
        remedy=_("Installed: {names}", names=", ".join(names(kind)) or "–"),
    )


def framework(name: str) -> Framework:
    """The framework plugin ``name``."""
    found: Framework = plugin("framework", name)
    return found


def builder(name: str) -> Builder:
    """The builder plugin ``name``."""
    found: Builder = plugin("builder", name)
    return found


def framework_of(model: object) -> Framework | None:
    """The framework that takes ``model``, the nearest one where several do, or None."""
    takers = [candidate for candidate in _sound_frameworks() if candidate.matches(model)]
    kinds = lineage(model)

    def distance(taker: Framework) -> int:
        classes = getattr(taker, "classes", None)
        if classes is None:
            return -1
        return next((place for place, kind in enumerate(kinds) if kind in classes), len(kinds))

    return min(takers, key=distance, default=None)


@cache
def _sound_frameworks() -> tuple[Framework, ...]:
    return _sound("framework")


@cache
def converters() -> tuple[Converter, ...]:
    """The converters that load, in order of name."""
    return _sound("converter")


def _sound(kind: str) -> tuple[Any, ...]:
    """The plugins that load. A broken one of a stranger's must not hide the rest; ``doctor`` tells of it."""
    found = []
    for name in names(kind):
        try:
            found.append(plugin(kind, name))
        except Exception as error:  # noqa: BLE001 - a plugin's import may raise anything
            warnings.warn(f"the {kind} {name} does not load: {error}", RuntimeWarning, stacklevel=3)
    return tuple(found)


def framework_for(model: object) -> Framework:
    """The framework that takes ``model``.

    Raises:
        UnsupportedModel: none does.
    """
    found = framework_of(model)
    if found is None:
        raise UnsupportedModel(
            _("No installed framework takes a {type}.", type=type(model).__name__),
            remedy=_("Wrap a fitted model, or a function that answers rows.")
            + " "
            + _("Installed: {names}", names=", ".join(names("framework")) or "–"),
        )
    return found
