"""Modules that lie beside the notebook: which they are, and what they import in turn."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from ekiben.code.names import imported
from ekiben.errors import NotCarried
from ekiben.words import _

#: Names in the project that a module of the user's must not take.
RESERVED = ("service", "runtime", "test_golden", "bentoml", "ekiben")


@cache
def _installed_places() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(path).resolve() for name in names if (path := sysconfig.get_path(name))})


def is_local(module: ModuleType | None) -> bool:
    """Whether a loaded module comes from a file of the user's and not from an installed package."""
    name = getattr(module, "__name__", "")
    if (
        module is None
        or name in ("__main__", "__mp_main__")
        or name.partition(".")[0] in ("ekiben", "builtins")
    ):
        return False
    places = [getattr(module, "__file__", None), *list(getattr(module, "__path__", ()))]
    file = next((place for place in places if isinstance(place, str)), None)
    return bool(file) and _is_users(str(file))


@cache
def _is_users(file: str) -> bool:
    path = Path(file).resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(place in path.parents for place in _installed_places())


def with_imports(names: Iterable[str]) -> dict[str, Path]:
    """Path in the project → file, for the local modules ``names`` and those that they import in turn.

    Raises:
        NotCarried: one has no Python source, or a name that the project uses itself.
    """
    found: dict[str, Path] = {}
    waiting, seen = sorted(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        module = sys.modules.get(name)
        if not is_local(module):
            continue
        package, _dot, _rest = name.rpartition(".")
        if package:
            waiting.append(package)
        file = _source(name, module)
        if file is None:
            continue  # a folder without __init__.py
        is_package = hasattr(module, "__path__")
        found[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = file
        tree = ast.parse(file.read_text(encoding="utf-8"))
        wanted = imported(tree) | _relative(tree, name if is_package else package)
        waiting.extend(part for whole in wanted for part in _beginnings(whole) if part in sys.modules)
    return found


def _source(name: str, module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    if not file:
        return None
    if name.partition(".")[0] in RESERVED:
        raise NotCarried(
            _("Your module {name} has a name that the service needs itself.", name=name),
            where=str(file),
            remedy=_("Give the file another name and import that."),
        )
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise NotCarried(
            _("Your module {name} has no Python source.", name=name),
            where=str(file),
            remedy=_("Install it as a package, so that the service can install it too."),
        )
    return path


def _relative(tree: ast.AST, package: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            words = package.split(".")
            base = ".".join(words[: len(words) - node.level + 1])
            home = f"{base}.{node.module}" if node.module else base
            found.add(home)
            found.update(f"{home}.{alias.name}" for alias in node.names)
    return found


def _beginnings(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[: end + 1]) for end in range(len(words))]
