"""From live roots to the pieces of code that they need: transitively, and nothing else."""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ekiben.code import cells, values
from ekiben.code.cells import Definition, History
from ekiben.code.local import is_local
from ekiben.code.names import needs
from ekiben.code.walk import Found, look
from ekiben.errors import NotCarried
from ekiben.words import _

Order = tuple[int, int, int]
_MISSING = object()
#: Where pieces without a place of their own go: after all imports, before all cells.
_FIRST: Order = (-1, 0, 0)
_SHELL = ("display", "get_ipython")


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
        bound = [name for name, value in self.namespace.items() if value is thing and not name.startswith("_")]
        for name in dict.fromkeys([thing.__name__, *bound]):
            definition = self._definition(name, thing)
            if definition is not None:
                self._take(name, thing, definition)
                return str(name)
        if isinstance(thing, types.FunctionType) and thing.__closure__:
            for name in _globals_of(thing.__code__):
                self.need(name, thing.__qualname__, where)
            return ""
        latest = self.history.latest(thing.__name__)
        raise NotCarried(
            _("The model holds {name}, and no cell that ran defines it as it is now.", name=thing.__qualname__),
            where=latest.place if latest else where,
            remedy=_("Run the cell that defines {name} again, fit the model anew and wrap it.", name=thing.__qualname__),
        )

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
        core = _core(value)
        if isinstance(core, (types.FunctionType, type)) and self.own(core):
            definition = self._definition(name, core)
            if definition is not None:
                self._take(name, value, definition)
                return
        elif self._elsewhere(name, value):
            return
        self._value(name, value, latest, user, where)

    def _one_version(self, known: Part, value: Any, where: str) -> None:
        if known.kind in ("function", "class") and value is not _MISSING and value is not known.value:
            raise NotCarried(
                _("Two versions of {name} are needed: the model holds one, the notebook has another.", name=known.name),
                where=where or known.place,
                remedy=_("Run the cells again from the top, fit the model anew and wrap it."),
            )

    # The kinds of pieces

    def _take(self, name: str, thing: Any, definition: Definition) -> None:
        if name in self.parts:
            self._one_version(self.parts[name], thing, definition.place)
            return
        kind = "class" if isinstance(thing, type) else "function"
        latest = self.history.latest(name)
        older = latest is not None and latest.order != definition.order
        note = _("not the last version that ran: the one that is live") if older else ""
        self._add(Part(name, kind, "source", definition.order, definition.text, definition.place, note, value=thing))

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
        found = self._matching(self.history.lambdas, thing)
        if found is None or thing.__closure__:
            return ""
        number = 1
        while f"lambda_{number}" in self.parts or f"lambda_{number}" in self.namespace:
            number += 1
        name = f"lambda_{number}"
        self._add(Part(name, "function", "source", found.order, f"{name} = {found.text}", found.place, value=thing))
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
        self._add_import(name, full if sys.modules.get(full) is value else node.module or "", definition.text, definition)
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
        self._add_import(name, home, f"from {home} import {full}" + (f" as {name}" if name != full else ""), None)
        return True

    def _add_import(self, name: str, module: str, text: str, definition: Definition | None) -> None:
        top = module.partition(".")[0]
        if top in values.NOTEBOOK_MODULES:
            self._refuse(name, sys.modules.get(module), name, definition.place if definition else "")
        self.modules.add(module)
        key = name if name not in self.parts else text
        order = definition.order if definition else _FIRST
        if not any(part.text == text for part in self.parts.values()):
            self.parts[key] = Part(name, "import", "source", order, text, definition.place if definition else "")

    def _value(self, name: str, value: Any, latest: Definition | None, user: str, where: str) -> None:
        order, place = (latest.order, latest.place) if latest else (_FIRST, "")
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
        elif (isinstance(value, type) if made_here else _steady_kind(value)) and values.steady(node, self.namespace):
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
        """The last executed definition of ``name`` that is the live object's, or None."""
        known = self.history.bindings.get(name, ())
        if isinstance(thing, type):
            classes = [entry for entry in known if isinstance(entry.node, ast.ClassDef)]
            return next((entry for entry in reversed(classes) if _same_class(entry, thing, self.namespace)), None)
        assigned = [entry for entry in known if isinstance(entry.value, ast.Lambda)]
        defined = [entry for entry in known if isinstance(entry.node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        decorated = [entry for entry in defined if getattr(entry.node, "decorator_list", ())]
        found = self._matching([*assigned, *defined], thing)
        for layer in _layers(thing) if found is None and decorated else ():
            found = found or self._matching(decorated, layer)
        return found

    def _matching(self, known: Iterable[Definition], thing: types.FunctionType) -> Definition | None:
        if thing.__closure__:
            return None  # it holds values of the function that made it
        for entry in sorted(known, key=lambda entry: entry.order, reverse=True):
            if any(cells.same(code, thing.__code__) for code in cells.compiled(entry, thing.__code__.co_flags)):
                return entry
        return None

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
        for needed in sorted(wanted, key=lambda entry: parts[entry].order if entry in parts else _FIRST):
            put(needed, True)  # what is run now may call all that it knows
        busy.discard(name)
        done.setdefault(name, part)

    for name in by_place:
        put(name, False)
    return list(done.values())


def _core(value: Any) -> Any:
    """The function beneath a decorator's object that tells of it, such as lru_cache's."""
    if isinstance(value, (types.FunctionType, type)):
        return value
    state = getattr(type(value), "__dictoffset__", 0) and getattr(value, "__dict__", None)
    inside = state.get("__wrapped__") if isinstance(state, dict) else None
    return inside if isinstance(inside, types.FunctionType) else value


def _unwrapped(thing: types.FunctionType) -> types.FunctionType:
    """The function that the cell wrote, beneath decorators that tell of it."""
    while isinstance(getattr(thing, "__wrapped__", None), types.FunctionType):
        thing = thing.__wrapped__  # type: ignore[attr-defined]
    return thing


def _layers(thing: types.FunctionType) -> list[types.FunctionType]:
    """The functions beneath decorators, whether these tell of them (``__wrapped__``) or only hold them."""
    found: list[types.FunctionType] = []
    waiting: list[Any] = [thing]
    while waiting and len(found) < 20:
        layer = waiting.pop(0)
        if not isinstance(layer, types.FunctionType) or layer in found:
            continue
        found.append(layer)
        waiting.append(getattr(layer, "__wrapped__", None))
        for cell in layer.__closure__ or ():
            try:
                waiting.append(cell.cell_contents)
            except ValueError:  # not bound yet
                continue
    return found


def _globals_of(code: types.CodeType) -> list[str]:
    found = [step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    return list(dict.fromkeys([*found, *(name for part in cells.inner(code) for name in _globals_of(part))]))


def _same_class(entry: Definition, live: type, namespace: Mapping[str, Any]) -> bool:
    node = entry.node
    if not isinstance(node, ast.ClassDef):
        return False
    methods = _methods(live, namespace)
    flags = next((method.__code__.co_flags for _name, method in methods), 0)
    written = [code for made in cells.compiled(entry, flags) for code in cells.inner(made)]
    bound = {target.id for statement in node.body if isinstance(statement, ast.Assign)
             for target in statement.targets if isinstance(target, ast.Name)}  # fmt: skip
    for name, method in methods:
        if name not in bound and not any(cells.same(one, method.__code__) for one in written):
            return False
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if statement.name not in vars(live) and not statement.name.startswith("__"):
                return False
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name in vars(live) and not _fits(statement.value, vars(live)[name]):
                return False
    return True


def _fits(node: ast.expr, live: Any) -> bool:
    """Whether a class's written constant is the live one; what is no literal is not judged."""
    if values.literal(live) is None:
        return True
    try:
        return values.literal(ast.literal_eval(node)) == values.literal(live)
    except (ValueError, TypeError, SyntaxError):
        return True


def _methods(live: type, namespace: Mapping[str, Any]) -> list[tuple[str, types.FunctionType]]:
    """The notebook's functions among a class's members, by name."""
    found = []
    for name, member in vars(live).items():
        inside = (member, getattr(member, "__func__", None), getattr(member, "fget", None),
                  getattr(member, "fset", None), getattr(member, "func", None))  # fmt: skip
        for function in inside:
            if isinstance(function, types.FunctionType):
                plain = _unwrapped(function)
                written = not plain.__code__.co_filename.startswith("<string>")
                if plain.__globals__ is namespace and written:
                    found.append((name, plain))
    return found


def _steady_kind(value: Any) -> bool:
    """Kinds whose values do not change, so that their assignment can be run again."""
    import logging
    import re

    known: Callable[[Any], bool] = functools.partial(_is_one_of, kinds=(
        "datetime.", "decimal.", "fractions.", "operator.", "typing.", "pathlib.", "numpy.dtype", "numpy.ufunc",
    ))  # fmt: skip
    if isinstance(value, (re.Pattern, logging.Logger, functools.partial, types.MethodType, range, slice)):
        return True
    return (callable(value) and type(value).__name__ in ("ufunc", "builtin_function_or_method", "function")) or known(value)


def _is_one_of(value: Any, kinds: tuple[str, ...]) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}".startswith(kinds)


def _both(place: str, user: str, where: str) -> str:
    return where or place or user
