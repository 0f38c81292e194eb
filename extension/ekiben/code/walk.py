"""A look through a live object for what belongs to the notebook, without running its code."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from ekiben.code.values import stuck

_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), range, slice)
#: Containers are looked through to this length: what follows is more of the same.
_LONG = 10_000
_MOST = 200_000


class Found:
    """What ``look`` found: functions and classes of the notebook, and what cannot travel with its path."""

    def __init__(self) -> None:
        self.code: list[Any] = []
        self.stuck: list[tuple[str, object]] = []


def look(value: Any, own: Callable[[Any], bool], name: str = "model") -> Found:
    """Walks ``value``; ``own`` says whether a function or class is the notebook's.

    Files, locks and the like count only where the notebook's own objects hold them: a library's
    objects know how to save themselves.
    """
    found = Found()
    seen: set[int] = set()
    waiting: list[tuple[str, Any, bool]] = [(name, value, True)]
    while waiting and len(seen) < _MOST:
        path, item, ours = waiting.pop()
        if isinstance(item, _PLAIN) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, (type, types.FunctionType)):
            if own(item) and item not in found.code:
                found.code.append(item)
            if isinstance(item, types.FunctionType):
                waiting.extend(_closure(path, item))
            continue
        if isinstance(item, types.ModuleType):
            continue
        if stuck(item) is not None:
            if ours:
                found.stuck.append((path, item))
            continue
        kinds = [kind for kind in type(item).__mro__ if own(kind)]
        found.code.extend(kind for kind in kinds[:1] if kind not in found.code)
        alone = any("__reduce__" in vars(kind) or "__getstate__" in vars(kind) for kind in kinds)
        ours = (bool(kinds) or isinstance(item, (list, tuple, dict, set))) and not alone and ours
        waiting.extend((inner_path, inside, ours) for inner_path, inside in _inside(path, item))
    found.code.reverse()
    return found


def _closure(path: str, function: types.FunctionType) -> Iterator[tuple[str, Any, bool]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"{path}.<{name}>", cell.cell_contents, True
        except ValueError:  # not bound yet
            continue


def _inside(path: str, item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, dict):
        for number, (key, entry) in enumerate(item.items()):
            if number > _LONG:
                break
            yield f"{path}[{key!r}]" if isinstance(key, (str, int)) else path, entry
            yield path, key
    elif isinstance(item, (list, tuple, set, frozenset)):
        for number, entry in zip(range(_LONG), item, strict=False):
            yield f"{path}[{number}]", entry
    elif isinstance(item, functools.partial):
        yield from ((path, part) for part in (item.func, item.args, item.keywords))
    elif isinstance(item, types.MethodType):
        owner = item.__self__ if isinstance(item.__self__, type) else type(item.__self__)
        yield path, item.__self__
        if getattr(getattr(owner, item.__func__.__name__, None), "__func__", None) is not item.__func__ and (
            getattr(owner, item.__func__.__name__, None) is not item.__func__
        ):
            yield path, item.__func__  # else it is the class's own
    elif type(item).__name__ == "ndarray" and getattr(getattr(item, "dtype", None), "kind", "") == "O":
        for number, entry in zip(range(_LONG), item.ravel(), strict=False):
            yield f"{path}[{number}]", entry
    if type(item).__module__.partition(".")[0] in ("numpy", "pandas", "scipy", "polars", "pyarrow"):
        return
    # The object's own dictionary and slots: no property and no __getattr__ of it is run.
    try:
        held = object.__getattribute__(item, "__dict__")
    except AttributeError:
        held = {}
    if isinstance(held, dict):
        for key, entry in held.items():
            yield f"{path}.{key}", entry
    for kind in type(item).__mro__:
        for key, slot in vars(kind).items():
            if isinstance(slot, types.MemberDescriptorType) and kind.__module__ != "builtins":
                try:
                    yield f"{path}.{key}", slot.__get__(item)
                except AttributeError:  # an empty slot
                    continue
