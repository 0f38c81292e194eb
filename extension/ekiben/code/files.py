"""Data files that the code names: found, asked for, and put where the service finds them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeGuard

from ekiben.errors import NotFound
from ekiben.words import _

#: Files outside the notebook's folder, or with a name that the project uses itself, go here.
ASIDE = "notebook_files"
_TAKEN = ("service.py", "bentofile.yaml", "requirements.txt", "README.md", "test_golden.py", "contract.json")
_OPENERS = (
    "open",
    "load",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "Path",
    "imread",
    "from_file",
    "from_pretrained",
)


def travelling(files: Sequence[str | Path], folder: Path) -> dict[str, Path]:
    """Path in the project → file, for the files and folders that the user named.

    Raises:
        NotFound: one is not there.
    """
    found: dict[str, Path] = {}
    for entry in files:
        path = (folder / Path(entry).expanduser()).resolve()
        if not path.exists():
            raise NotFound(
                _("There is no file {path}.", path=str(entry)),
                where="files",
                remedy=_("It is sought in {folder}.", folder=str(folder)),
            )
        inside = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
        for file in inside:
            found[_target(file, path, folder.resolve())] = file
    return found


def _target(file: Path, named: Path, folder: Path) -> str:
    if folder in file.parents:
        place = file.relative_to(folder)
        if place.parts[0] not in (*_TAKEN, "runtime") and not place.name.startswith("notebook_code_"):
            return place.as_posix()
    inside = file.relative_to(named.parent)
    return f"{ASIDE}/{inside.as_posix()}"


def named(text: str, folder: Path) -> dict[str, int]:
    """The texts in the code that are files in ``folder``, or are opened as such, with their line."""
    found: dict[str, int] = {}
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            word = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            value = node.args[0].value
            if (
                isinstance(value, str)
                and _opens(node, word)
                and (_is_there(value, folder) or _like_a_path(value))
            ):
                found.setdefault(value, node.lineno)
        elif isinstance(node, ast.Constant) and _like_a_file(node.value, folder):
            found.setdefault(node.value, node.lineno)
    return found


def _opens(node: ast.Call, word: str) -> bool:
    mode = next((part.value for part in node.args[1:2] if isinstance(part, ast.Constant)), "r")
    writes = word == "open" and isinstance(mode, str) and bool(set(mode) & set("wax"))
    return (word in _OPENERS or word.startswith("read_")) and not writes


def _like_a_file(value: object, folder: Path) -> TypeGuard[str]:
    """A text that looks like a path and is one; a word that happens to be a file's name is a word."""
    return isinstance(value, str) and bool(re.search(r"[./]", value)) and _is_there(value, folder)


def _like_a_path(value: str) -> bool:
    """``.`` and ``..`` are folders, as what ends with a slash is: nobody opens those."""
    folder = value.rsplit("/", 1)[-1].strip() in ("", ".", "..")
    return "." in value and not folder and "://" not in value and "\n" not in value


def _is_there(value: str, folder: Path) -> bool:
    if not value or len(value) > 300 or "\n" in value or "\0" in value or value in (".", ".."):
        return False
    try:
        return (folder / Path(value).expanduser()).is_file()
    except (OSError, RuntimeError):  # no name of a file on this system
        return False


def resolved(text: str, targets: dict[str, Path], folder: Path) -> tuple[str, bool]:
    """The code with the literal paths of travelling files replaced by ``_file("…")``, and whether any was."""
    places = {file.resolve(): target for target, file in targets.items()}
    tree = ast.parse(text)
    # Pieces of f-strings have no place of their own, and a docstring is no path.
    skipped = (node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.Expr)))
    kept = {id(part) for node in skipped for part in _inside(node)}
    lines = text.splitlines(keepends=True)
    spots: list[tuple[int, int, int, int, str]] = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in kept:
            continue
        if not _is_there(node.value, folder):
            continue
        target = places.get((folder / Path(node.value).expanduser()).resolve())
        if target and node.end_lineno is not None and node.end_col_offset is not None:
            spots.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, target))
    for first, start, last, end, target in sorted(spots, reverse=True):
        head = lines[first - 1].encode()[:start].decode()
        tail = lines[last - 1].encode()[end:].decode()
        lines[first - 1 : last] = [f"{head}_file({target!r}){tail}"]
    return "".join(lines), bool(spots)


def _inside(node: ast.JoinedStr | ast.Expr) -> list[ast.AST]:
    return list(ast.walk(node)) if isinstance(node, ast.JoinedStr) else [node.value]


def asked(names: Iterable[str]) -> str:
    """The remedy for files that do not travel yet."""
    listed = ", ".join(repr(name) for name in sorted(names))
    return _("Let them travel: ekiben.wrap(…, files=[{names}])", names=listed)
