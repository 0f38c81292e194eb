"""Which modules of the installed packages are imported when a service imports what it names, read from their texts.

A module's imports are those statements that run when it is imported itself: not its functions' own, and
not what only a type checker sees. A text that names a neighbour (``".main"``) counts, as packages import by
it what they are asked for. Of what the service names itself, functions count too, and texts that name any
module (``"uvicorn.loops.uvloop"``). The rest can be imported all the same; it only has no bytecode beforehand.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Lines that begin with a word of interest; a block's head tells that a function before it has ended.
_LINE = re.compile(
    r"^([ \t]*)(?:(?:async[ \t]+)?(def|class|if|elif|else|try|except|finally|with|for|while)\b([^\n]*)"
    r"|from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n;#]*)|import[ \t]+([^\n;#]*))",
    re.MULTILINE,
)
_TEXT = re.compile(r"""["']([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::\w+)?["']""")
_NEAR = re.compile(r"""["'](\.[A-Za-z_]\w*)["']""")
_WORD = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Wanted:
    """What a service imports: ``modules`` by their full names, and all of the distributions ``roots``.

    ``spare`` distributions are needed only by what the service falls back on; nothing of them counts.
    """

    roots: tuple[str, ...]
    spare: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def files(site: Path, wanted: Wanted) -> list[Path]:
    """The modules under ``site`` that are imported when those are, sorted."""
    there = _modules(site)
    spare = {top for name in wanted.spare for top in _tops(site, name)}
    roots = {top for name in wanted.roots for top in _tops(site, name)} - spare
    found: set[str] = set()
    waiting = [*wanted.modules, *(name for name in there if name.partition(".")[0] in roots)]
    while waiting:
        parts = waiting.pop().split(".")
        if parts[0] in spare:
            continue
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            if name in there and name not in found:
                found.add(name)
                text = there[name].read_text(encoding="utf-8", errors="replace")
                package = name if there[name].name == "__init__.py" else name.rpartition(".")[0]
                waiting.extend(imports(text, package, everywhere=parts[0] in roots))
    return sorted(there[name] for name in found)


def imports(text: str, package: str, *, everywhere: bool) -> Iterator[str]:
    """Full names that a module of ``package`` imports when it is imported; more of them than there are modules.

    ``everywhere`` also takes what its functions import, and the texts that may name a module elsewhere.
    """
    closed: int | None = None  # indentation of the function, or the type checker's block, that we are in
    for indent, head, rest, name, names, plain in _LINE.findall(text):
        depth = len(indent.expandtabs())
        if closed is not None and depth > closed:
            continue
        closed = None
        if head:
            checking = head == "if" and "TYPE_CHECKING" in rest and "not " not in rest
            closed = depth if checking or (head == "def" and not everywhere) else None
        elif name:
            above = _absolute(name, package)
            yield above
            yield from (f"{above}.{one}" for one in _WORD.findall(names))
        else:
            yield from _WORD.findall(plain)
    yield from (package + one for one in _NEAR.findall(text))
    if everywhere:
        yield from _TEXT.findall(text)


def _absolute(name: str, package: str) -> str:
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    above = package.split(".")
    return ".".join(part for part in (*above[: len(above) - dots + 1], name[dots:]) if part)


def _modules(site: Path) -> dict[str, Path]:
    """Files by the full names of their modules."""
    found: dict[str, Path] = {}
    for file in site.rglob("*.py"):
        parts = file.relative_to(site).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def _tops(site: Path, distribution: str) -> set[str]:
    """The top-level modules that a distribution brings; without its record, what is called like it."""
    for folder in site.glob("*.dist-info"):
        name = folder.name.partition("-")[0]
        record = folder / "RECORD"
        if plain(name) == plain(distribution) and record.is_file():
            rows = csv.reader(record.read_text(encoding="utf-8").splitlines())
            return {Path(row[0]).parts[0].partition(".")[0] for row in rows if row and row[0].endswith(".py")}
    return {distribution.replace("-", "_")}


def plain(name: str) -> str:
    """A distribution's name as all of its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(lines: Collection[str]) -> set[str]:
    """The distributions that requirement lines name."""
    return {plain(found[0]) for line in lines if (found := re.match(r"[A-Za-z0-9._-]+", line))}
