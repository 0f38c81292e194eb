"""Local modules that are otherwise in the kernel than in their files: what a clean process would not see."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

from ekiben.code import cells, values


def otherwise(names: Iterable[str]) -> list[str]:
    """``module.name`` of each function and constant of loaded modules that its file has otherwise by now."""
    found: list[str] = []
    for name in names:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if module is None or not file or not Path(file).is_file():
            continue
        try:
            found.extend(f"{name}.{entry}" for entry in _differing(module, Path(file)))
        except (SyntaxError, ValueError, OSError):  # the file is being edited
            found.append(name)
    return found


def _differing(module: types.ModuleType, file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    written = list(cells.inner(compile(tree, str(file), "exec", dont_inherit=True)))
    for name, live in vars(module).items():
        mine = isinstance(live, types.FunctionType) and live.__module__ == module.__name__
        if mine and not live.__closure__ and not any(cells.same(code, live.__code__) for code in written):
            yield name
    for statement in tree.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
            continue
        try:
            meant = values.literal(ast.literal_eval(statement.value))
        except (ValueError, TypeError, SyntaxError):
            continue
        if values.literal(vars(module).get(target.id)) != meant:
            yield target.id
