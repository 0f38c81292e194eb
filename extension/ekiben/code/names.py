"""The names that a piece of code takes from outside, told by Python's own symbol tables."""

from __future__ import annotations

import ast
import symtable
from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Names from outside a piece: ``now`` when it is run, ``later`` when what it defines is called.

    Each maps to the line in the piece where it first stands, counted from 1. ``dotted`` are the
    attribute chains, ``scipy.stats.norm`` as such and all its beginnings.
    """

    now: dict[str, int]
    later: dict[str, int]
    dotted: frozenset[str]


def needs(text: str) -> Needs:
    """What the statements in ``text`` take from outside."""
    tree = ast.parse(text)
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
    now: set[str] = set()
    later: set[str] = set()
    _collect(symtable.symtable(text, "<cell>", "exec"), now, later, called=False)
    own = {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
    }
    return Needs(
        {name: lines.get(name, 1) for name in sorted(now - own)},
        {name: lines.get(name, 1) for name in sorted(later - now - own)},
        frozenset(chain for node in ast.walk(tree) if (chain := _chain(node))),
    )


def imported(tree: ast.AST) -> set[str]:
    """The full names of the modules that import statements anywhere in the code name."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _collect(table: symtable.SymbolTable, now: set[str], later: set[str], called: bool) -> None:
    kind = table.get_type()
    # A comprehension runs with what surrounds it; functions wait until they are called.
    waits = str(kind).endswith("function") and table.get_name() not in (
        "listcomp",
        "setcomp",
        "dictcomp",
        "genexpr",
    )
    called = called or waits
    top = str(kind).endswith("module")
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            (later if called else now).add(symbol.get_name())
        elif symbol.is_declared_global():
            later.add(symbol.get_name())
    for child in table.get_children():
        _collect(child, now, later, called)


def _chain(node: ast.AST) -> str:
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(words)]) if words and isinstance(node, ast.Name) else ""
