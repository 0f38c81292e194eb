"""Pieces of the module, and the order in which they must stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Order = tuple[int, int, int]
#: Where pieces without a place of their own go: before all cells.
FIRST: Order = (-1, 0, 0)


@dataclass
class Part:
    """One piece of the module. ``text`` is empty for an object that is kept in a file."""

    name: str
    kind: str
    how: str
    order: Order
    text: str
    place: str = ""
    note: str = ""
    first: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    value: Any = None


def without_idle_imports(parts: Mapping[str, Part], dotted: set[str]) -> dict[str, Part]:
    """Parts less the submodules that nothing names: of ``import xml.dom, xml.sax`` one may be enough."""
    used: dict[str, Part] = {}
    for key, part in parts.items():
        module = part.text.removeprefix("import ") if part.kind == "import" else ""
        idle = "." in module and " " not in module and module not in dotted
        others = [other for other in parts.values() if other is not part and other.name == part.name]
        if not (idle and any(other.text.removeprefix("import ") in (part.name, *dotted) for other in others)):
            used[key] = part
    return used


def ordered(parts: Mapping[str, Part]) -> list[Part]:
    """Parts in order of definition, each after what it needs when it is run."""
    done: dict[str, Part] = {}
    busy: set[str] = set()
    by_place = sorted(parts, key=lambda name: (parts[name].kind != "import", parts[name].order, name))

    def put(name: str, all_of_it: bool) -> None:
        if name in done or name in busy or name not in parts:
            return
        busy.add(name)
        part = parts[name]
        wanted = part.first | (part.later if all_of_it else set())
        for needed in sorted(wanted, key=lambda entry: parts[entry].order if entry in parts else FIRST):
            put(needed, True)  # what is run now may call all that it knows
        busy.discard(name)
        done.setdefault(name, part)

    for name in by_place:
        put(name, False)
    return list(done.values())
