"""From live roots to the pieces of code that they need: transitively, and nothing else."""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Mapping
from typing import Any

from ekiben.code import cells, values
from ekiben.code.cells import Definition, History
from ekiben.code.defaults import check
from ekiben.code.local import is_local
from ekiben.code.matching import core, definition_of, globals_of, layers, matching
from ekiben.code.names import needs
from ekiben.code.parts import FIRST, Part
from ekiben.code.walk import Found, look
from ekiben.errors import NotCarried
from ekiben.words import _

_MISSING = object()
_SHELL = ("display", "get_ipython")


class Slicer:
    """Collects parts by name. ``namespace`` is the notebook's, ``history`` its executed cells."""

    def __init__(self, namespace: Mapping[str, Any], history: History, script: str = "") -> None:
        self.namespace = namespace
        self.history = history
        self.script = script
        self.parts: dict[str, Part] = {}
        self.modules: set[str] = set()
        self.unknown: list[tuple[str, str]] = []
        self.dotted: set[str] = set()

    def own(self, thing: Any) -> bool:
        """Whether a function or class was made in the notebook."""
        if isinstance(thing, types.FunctionType):
            return thing.__globals__ is self.namespace
        home = self.namespace.get("__name__", "__main__")
        return isinstance(thing, type) and thing.__module__ == home

    def local(self, thing: Any) -> bool:
        """Whether a function or class is of a module beside the notebook."""
        return is_local(sys.modules.get(getattr(thing, "__module__", None) or ""))

    def notice(self, found: Found, user: str, where: str) -> list[str]:
        """Takes what a look through an object found; gives the names of its notebook code."""
        for path, item in found.stuck:
            reason, remedy = values.stuck(item) or ("", "")
            raise NotCarried(
                _("{path} is {reason} ({type}) and cannot leave the notebook.", path=path, reason=reason,
                  type=type(item).__name__),
                where=where or self.place_of(item) or user,
                remedy=remedy,
            )  # fmt: skip
        names = [self.root(thing) for thing in found.code]
        return [name for name in names if name]

    def look(self, value: Any, name: str) -> Found:
        """What belongs to the notebook inside ``value``."""
        return look(value, lambda thing: self.own(thing) or self.local(thing), name)

    def root(self, thing: Any, where: str = "") -> str:
        """Takes a function or class; its name in the module, or nothing where it is kept by value.

        Raises:
            NotCarried: no cell that ran has its definition.
        """
        if not self.own(thing):
            self.modules.add(thing.__module__)
            return ""
        if thing.__name__ == "<lambda>" and (name := self._lambda(thing)):
            return name
        bound = [
            name for name, value in self.namespace.items() if value is thing and not name.startswith("_")
        ]
        for name in dict.fromkeys([thing.__name__, *bound]):
            definition = self._definition(name, thing)
            if definition is not None:
                self._take(name, thing, definition)
                return str(name)
        owner = self._owner(thing)
        if owner is not None:
            return self.root(owner, where)
        for name in bound if isinstance(thing, type) else ():  # such as a namedtuple
            made = self.history.latest(name)
            if made is not None and values.steady(made.node, self.namespace):
                self.need(name, name, where)
                return str(name)
        if isinstance(thing, types.FunctionType) and thing.__closure__:
            for name in globals_of(thing.__code__):
                self.need(name, thing.__qualname__, where)
            return ""
        latest = self.history.latest(thing.__name__)
        if isinstance(thing, type) and "<locals>" in thing.__qualname__:
            raise NotCarried(
                _(
                    "The class {name} was made inside a function, where no module can find it.",
                    name=thing.__name__,
                ),
                where=latest.place if latest else where,
                remedy=_("Define it at the top of a cell, run the cells below again and wrap anew."),
            )
        raise NotCarried(
            _(
                "The model holds {name}, and no cell that ran defines it as it is now.",
                name=thing.__qualname__,
            ),
            where=latest.place if latest else where,
            remedy=_(
                "Run the cell that defines {name} again, fit the model anew and wrap it.",
                name=thing.__qualname__,
            ),
        )

    def _owner(self, thing: Any) -> type | None:
        """The notebook's class that has the very function, such as a static method."""
        name, _dot, member = str(thing.__qualname__).rpartition(".")
        owner = self.namespace.get(name)
        found = isinstance(owner, type) and self.own(owner) and getattr(owner, member, None) is thing
        return owner if found else None

    def need(self, name: str, user: str, where: str) -> None:
        """Takes what ``name`` means in the notebook, for the piece ``user`` that uses it at ``where``.

        Raises:
            NotCarried: it cannot leave the notebook, or is needed in two versions.
        """
        value = self.namespace.get(name, _MISSING)
        if hasattr(builtins, name) and name not in _SHELL and name not in self.history.bindings:
            return  # the shell puts its own `open` over Python's
        if name in self.parts:
            self._one_version(self.parts[name], value, where)
            return
        if name in _SHELL or (value is not _MISSING and values.stuck(value)):
            self._refuse(name, value, user, where)
        if value is _MISSING:
            if not hasattr(builtins, name) and not name.startswith("__"):
                self.unknown.append((name, where))
            return
        if name.startswith("__") and name.endswith("__"):
            return
        if self._imported(name, value):
            return
        latest = self.history.latest(name)
        inner = core(value)
        if isinstance(inner, (types.FunctionType, type)) and self.own(inner):
            definition = self._definition(name, inner)
            if definition is not None:
                self._take(name, value, definition)
                return
        elif self._elsewhere(name, value):
            return
        self._value(name, value, latest, user, where)

    def _one_version(self, known: Part, value: Any, where: str) -> None:
        if known.kind not in ("function", "class") or value is _MISSING or value is known.value:
            return
        if value in layers(known.value):
            return  # a decorated function, and what the decorator holds
        if known.value in layers(value):
            known.value = value
        else:
            raise NotCarried(
                _(
                    "Two versions of {name} are needed: the model holds one, the notebook has another.",
                    name=known.name,
                ),
                where=where or known.place,
                remedy=_("Run the cells again from the top, fit the model anew and wrap it."),
            )

    # The kinds of pieces

    def _take(self, name: str, thing: Any, definition: Definition) -> None:
        if name in self.parts:
            self._one_version(self.parts[name], thing, definition.place)
            return
        check(thing, definition, self.namespace)
        kind = "class" if isinstance(thing, type) else "function"
        latest = self.history.latest(name)
        older = latest is not None and latest.order != definition.order
        note = _("not the last version that ran: the one that is live") if older else ""
        self._add(
            Part(name, kind, "source", definition.order, definition.text, definition.place, note, value=thing)
        )

    def _lambda(self, thing: types.FunctionType) -> str:
        for part in self.parts.values():
            if part.value is thing:
                return str(part.name)
        assigned = [
            name for name, value in self.namespace.items()
            if value is thing and not name.startswith("_") and self._definition(name, thing)
        ]  # fmt: skip
        if assigned:
            self.need(assigned[0], assigned[0], "")
            return assigned[0]
        found = matching(self.history.lambdas, thing)
        if found is None or thing.__closure__:
            return ""
        check(thing, found, self.namespace)
        number = 1
        while f"lambda_{number}" in self.parts or f"lambda_{number}" in self.namespace:
            number += 1
        name = f"lambda_{number}"
        self._add(
            Part(name, "function", "source", found.order, f"{name} = {found.text}", found.place, value=thing)
        )
        return name

    def _imported(self, name: str, value: Any) -> bool:
        """Takes it as an import, where a cell imported exactly this."""
        done = False
        for definition in reversed(self.history.bindings.get(name, ())):
            node = definition.node
            if isinstance(node, ast.ImportFrom) and not done:
                done = self._import_from(name, value, node, definition)
            elif isinstance(node, ast.Import) and isinstance(value, types.ModuleType):
                alias = node.names[0]
                whole = sys.modules.get(alias.name)
                if whole is value or (not alias.asname and value is sys.modules.get(name)):
                    self._add_import(name, alias.name, definition.text, definition)
                    done = True
        return done

    def _import_from(self, name: str, value: Any, node: ast.ImportFrom, definition: Definition) -> bool:
        alias = node.names[0]
        module = sys.modules.get(node.module or "")
        full = f"{node.module}.{alias.name}"
        if getattr(module, alias.name, _MISSING) is not value and sys.modules.get(full) is not value:
            return False
        self._add_import(
            name, full if sys.modules.get(full) is value else node.module or "", definition.text, definition
        )
        return True

    def _elsewhere(self, name: str, value: Any) -> bool:
        """Takes a module, or a library's function or class that came by a star or another name."""
        if isinstance(value, types.ModuleType):
            text = f"import {value.__name__}" + (f" as {name}" if name != value.__name__ else "")
            self._add_import(name, value.__name__, text, None)
            return True
        if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
            return False
        home, full = getattr(value, "__module__", None), str(value.__qualname__)
        if not home or home == self.namespace.get("__name__") or "." in full or "<" in full:
            return False
        if getattr(sys.modules.get(home), full, None) is not value:
            return False
        self._add_import(
            name, home, f"from {home} import {full}" + (f" as {name}" if name != full else ""), None
        )
        return True

    def _add_import(self, name: str, module: str, text: str, definition: Definition | None) -> None:
        top = module.partition(".")[0]
        if top in values.NOTEBOOK_MODULES:
            self._refuse(name, sys.modules.get(module), name, definition.place if definition else "")
        self.modules.add(module)
        key = name if name not in self.parts else text
        order = definition.order if definition else FIRST
        if not any(part.text == text for part in self.parts.values()):
            self.parts[key] = Part(
                name, "import", "source", order, text, definition.place if definition else ""
            )

    def _value(self, name: str, value: Any, latest: Definition | None, user: str, where: str) -> None:
        order, place = (latest.order, latest.place) if latest else (FIRST, "")
        node = latest.node if latest else ast.Pass()
        part = Part(name, "constant", "source", order, latest.text if latest else "", place, value=value)
        made_here = isinstance(value, (types.FunctionType, type)) and self.own(value)
        if values.as_written(node, value):
            self._add(part)
        elif (text := values.literal(value)) is not None and len(text) <= values.LONGEST:
            part.how, part.text = "value", f"{name} = {text}"
            for module in values.modules_of(text):
                self._add_import(module, module, f"import {module}", None)
            self.parts[name] = part
        elif (isinstance(value, type) if made_here else values.lasting(value)) and values.steady(
            node, self.namespace
        ):
            self._add(part)
        else:
            part.kind, part.how, part.text = "object", "kept", ""
            self.parts[name] = part
            shown = self.look(value, name)
            part.first.update(self.notice(shown, name, _both(place, user, where)))

    def _add(self, part: Part) -> None:
        """Adds a piece of source and all that it needs."""
        self.parts[part.name] = part
        wanted = needs(part.text)
        self.dotted.update(wanted.dotted)
        for names, target in ((wanted.now, part.first), (wanted.later, part.later)):
            for name, line in names.items():
                if name != part.name:
                    self.need(name, part.name, self._line(part, line))
                    target.add(name)

    # Finding the definition that is live

    def _definition(self, name: str, thing: Any) -> Definition | None:
        return definition_of(self.history.bindings.get(name, ()), thing, self.namespace)

    def _refuse(self, name: str, value: Any, user: str, where: str) -> None:
        reason, remedy = values.stuck(value) or (_("a part of the notebook itself"), "")
        latest = self.history.latest(name)
        raise NotCarried(
            _(
                "{user} uses {name}, which is {reason} ({type}) and cannot leave the notebook.",
                user=user, name=name, reason=reason, type=type(value).__name__ if value is not _MISSING else "–",
            ) + (" " + _("{name} was made in {place}.", name=name, place=latest.place) if latest else ""),
            where=where,
            remedy=remedy or _("Take it out of the code that answers."),
        )  # fmt: skip

    def _line(self, part: Part, line: int) -> str:
        return cells.place(part.order[0], part.order[1] + line - 1, self.script) if part.place else ""

    def place_of(self, item: object) -> str:
        """Where a variable that holds the very object was last bound, or nothing."""
        for name, value in self.namespace.items():
            latest = self.history.latest(name)
            if value is item and latest is not None:
                return latest.place
        return ""


def _both(place: str, user: str, where: str) -> str:
    return where or place or user
