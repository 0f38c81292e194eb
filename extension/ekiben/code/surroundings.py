"""Environment variables that the code reads: they do not travel."""

from __future__ import annotations

import ast
import os


def asked(tree: ast.AST) -> dict[str, int]:
    """The variables that are read by name and are set in this process, each with its line."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is(node.value, "environ"):
            word: ast.AST | None = node.slice
        elif isinstance(node, ast.Call) and node.args and _reads(node.func):
            word = node.args[0]
        else:
            continue
        name = word.value if isinstance(word, ast.Constant) else None
        if isinstance(name, str) and name in os.environ:
            found.setdefault(name, node.lineno)
    return found


def _reads(function: ast.AST) -> bool:
    if _is(function, "getenv"):
        return True
    return isinstance(function, ast.Attribute) and function.attr == "get" and _is(function.value, "environ")


def _is(node: ast.AST, word: str) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == word
