"""Defaults of functions: bound when the cell ran, they may be older than the names that made them."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping
from typing import Any

from ekiben.code import values
from ekiben.code.cells import Definition
from ekiben.code.matching import unwrapped
from ekiben.errors import NotCarried
from ekiben.words import _


def check(thing: Any, definition: Definition, namespace: Mapping[str, Any]) -> None:
    """Looks whether the definition, run anew, gives the live function (or class) the defaults that it has.

    Only names are looked at: what a call gave is for the replay to compare.

    Raises:
        NotCarried: a default was taken from a name that means something else now.
    """
    for name, parameter, node, live in _defaults(thing, definition.value):
        now = namespace.get(node.id) if isinstance(node, ast.Name) else live
        told, meant = values.literal(live), values.literal(now)
        if told is not None and meant is not None and told != meant:
            assert isinstance(node, ast.Name)
            raise NotCarried(
                _(
                    "{function} took {name} as the default of {parameter} when it was {live}; it is {now} by now.",
                    function=name,
                    name=node.id,
                    parameter=parameter,
                    live=told[:40],
                    now=meant[:40],
                ),
                where=definition.place,
                remedy=_("Run the cell that defines {name} again, or write the value there.", name=name),
            )


def _defaults(thing: Any, node: ast.AST) -> Iterator[tuple[str, str, ast.expr, Any]]:
    if isinstance(thing, type) and isinstance(node, ast.ClassDef):
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                yield from _defaults(vars(thing).get(statement.name), statement)
        return
    thing = getattr(thing, "__func__", thing)
    if not isinstance(thing, types.FunctionType) or not isinstance(node, (ast.FunctionDef, ast.Lambda)):
        return
    thing = unwrapped(thing)
    written = [entry.arg for entry in (*node.args.posonlyargs, *node.args.args)]
    live = thing.__defaults__ or ()
    if len(live) == len(node.args.defaults):
        names = written[len(written) - len(live) :]
        for name, default, value in zip(names, node.args.defaults, live, strict=True):
            yield thing.__name__, name, default, value
    for entry, only in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if only is not None and entry.arg in (thing.__kwdefaults__ or {}):
            yield thing.__name__, entry.arg, only, (thing.__kwdefaults__ or {})[entry.arg]
