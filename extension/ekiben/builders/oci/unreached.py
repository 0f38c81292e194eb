"""Parts of a package that no service comes to, found by reading who speaks of them.

* **Lexers**: Pygments knows hundreds of languages, and packages have it for one or two. A module of
  ``pygments/lexers`` stays where a module of another package that speaks of Pygments says one of its lexers'
  names or aliases, and with it what it imports. Where the service itself imports Pygments, all stay.

``numpy/f2py`` stays, though there is no compiler in the image: ``from numpy import *`` imports it, and SciPy says so.

In the place of each lies a module that says so when somebody imports it. Pygments' are told in the way of its own
that callers are ready for, and which shows plain text instead.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

#: Distributions of which nothing goes where the service imports them itself.
ASKED = frozenset({"pygments"})
_WORD = re.compile(r"[A-Za-z_]\w*")
_TEXT = re.compile(r"""["']([^"'\n]{1,40})["']""")
_LEXER = re.compile(r"^[ \t]*(?:from|import)[ \t]+pygments\.lexers\.(\w+)", re.MULTILINE)
_TOLD = '"""Left out of this image."""\n{more}raise {error}("{name} was left out of this image, as nothing in it uses it.'
_TOLD += ' To keep it, build with EKIBEN_WHOLE_PACKAGES=1.")\n'


def parts(site: Path, direct: Collection[str] | None) -> Iterator[tuple[str, list[Path], Path, str]]:
    """What goes from the packages in ``site``: its kind, the files, and the one of them that is to say so, with its text.

    ``direct`` are the distributions that the service imports itself; None: not known.
    """
    modules = [file for file in site.rglob("*.py") if file.is_file()]
    if direct is not None and not ASKED & set(direct):
        yield from _lexers(site, modules)


def _lexers(site: Path, modules: Iterable[Path]) -> Iterator[tuple[str, list[Path], Path, str]]:
    home = site / "pygments" / "lexers"
    table = _table(home / "_mapping.py")
    if not table:
        return
    words: set[str] = set()
    texts: set[str] = set()
    for file in modules:
        if site / "pygments" not in file.parents and b"pygments" in file.read_bytes():
            text = _text(file)
            words |= {*_WORD.findall(text)}
            texts |= {*_TEXT.findall(text)}
    waiting = [module for name, module, aliases in table if name in words or texts & set(aliases)]
    kept: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module not in kept and (home / f"{module}.py").is_file():
            kept.add(module)
            waiting += _LEXER.findall(_text(home / f"{module}.py"))
    for module in sorted({module for _name, module, _aliases in table} - kept):
        file = home / f"{module}.py"
        if file.is_file():
            more = "from pygments.util import ClassNotFound\n\n"
            said = _TOLD.format(more=more, error="ClassNotFound", name=f"pygments.lexers.{module}")
            yield "lexers", [file], file, said
    # Words of a language that only its own lexer reads.
    for file in sorted(home.glob("_*_builtins.py")):
        readers = (home / f"{module}.py" for module in kept)
        if not any(f"lexers.{file.stem}" in _text(reader) for reader in readers):
            said = _TOLD.format(more="", error="ImportError", name=f"pygments.lexers.{file.stem}")
            yield "lexers", [file], file, said


def _table(mapping: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Lexers as Pygments lists them: the class, its module, its aliases; empty where the list has another form."""
    try:
        tree = ast.parse(_text(mapping))
        (value,) = [
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LEXERS"
        ]
        listed = ast.literal_eval(value)
        return [
            (name, module.removeprefix("pygments.lexers."), tuple(aliases))
            for name, (module, _title, aliases, *_rest) in listed.items()
        ]
    except (OSError, SyntaxError, ValueError, TypeError, AttributeError):
        return []


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
