"""Which text in the cells is the live function's or class's own: told by comparing code, not names."""

from __future__ import annotations

import ast
import dis
import types
from collections.abc import Iterable, Mapping
from typing import Any

from ekiben.code import cells, values
from ekiben.code.cells import Definition


def definition_of(known: Iterable[Definition], thing: Any, namespace: Mapping[str, Any]) -> Definition | None:
    """Of the bindings ``known`` of a name, the last executed one that the live object comes from, or None."""
    known = list(known)
    if isinstance(thing, type):
        classes = [entry for entry in known if isinstance(entry.node, ast.ClassDef)]
        return next((entry for entry in reversed(classes) if _same_class(entry, thing, namespace)), None)
    assigned = [entry for entry in known if isinstance(entry.value, ast.Lambda)]
    defined = [entry for entry in known if isinstance(entry.node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    decorated = [entry for entry in defined if getattr(entry.node, "decorator_list", ())]
    found = matching([*assigned, *defined], thing)
    for layer in layers(thing) if found is None and decorated else ():
        found = found or matching(decorated, layer)
    return found


def matching(known: Iterable[Definition], thing: types.FunctionType) -> Definition | None:
    """The last executed of ``known`` whose code is the function's."""
    if thing.__closure__:
        return None  # it holds values of the function that made it
    for entry in sorted(known, key=lambda entry: entry.order, reverse=True):
        if any(cells.same(code, thing.__code__) for code in cells.compiled(entry, thing.__code__.co_flags)):
            return entry
    return None


def core(value: Any) -> Any:
    """The function beneath a decorator's object that tells of it, such as lru_cache's."""
    if isinstance(value, (types.FunctionType, type)):
        return value
    state = getattr(type(value), "__dictoffset__", 0) and getattr(value, "__dict__", None)
    inside = state.get("__wrapped__") if isinstance(state, dict) else None
    return inside if isinstance(inside, types.FunctionType) else value


def unwrapped(thing: types.FunctionType) -> types.FunctionType:
    """The function that the cell wrote, beneath decorators that tell of it."""
    while isinstance(getattr(thing, "__wrapped__", None), types.FunctionType):
        thing = thing.__wrapped__  # type: ignore[attr-defined]
    return thing


def layers(thing: types.FunctionType) -> list[types.FunctionType]:
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


def globals_of(code: types.CodeType) -> list[str]:
    found = [
        step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    ]
    return list(dict.fromkeys([*found, *(name for part in cells.inner(code) for name in globals_of(part))]))


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
                plain = unwrapped(function)
                written = not plain.__code__.co_filename.startswith("<string>")
                if plain.__globals__ is namespace and written:
                    found.append((name, plain))
    return found
