"""What the wheels' own shared objects ask the dynamic loader for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"\.so(\.\d+)*$")
#: The machine's GPU driver brings them into the container when it is started with one.
_DRIVERS = re.compile(r"lib(cuda|nvidia-\w+|nvcuvid|nvidia-encode)\.so(\.\d+)*$")


@dataclass(frozen=True)
class Linked:
    """A shared object: where it lies, what it calls itself (SONAME) and what it needs (NEEDED)."""

    path: str
    name: str
    needed: tuple[str, ...]


def scan(folder: Path) -> list[Linked]:
    """Every shared object under ``folder``, by its path there."""
    found = []
    for file in sorted(folder.rglob("*.so*")):
        if is_one(file):
            linked = read(file, file.relative_to(folder).as_posix())
            found += [linked] if linked else []
    return found


def is_one(file: Path) -> bool:
    """Whether a file is called like a shared object; links are none."""
    return bool(_NAME.search(file.name)) and file.is_file() and not file.is_symlink()


def read(file: Path, path: str) -> Linked | None:
    """The one in ``file``, called ``path``; None where it is none (a linker script, a damaged file)."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile

    name, needed = file.name, []
    try:
        with open(file, "rb") as stream:
            for segment in ELFFile(stream).iter_segments("PT_DYNAMIC"):
                assert isinstance(segment, DynamicSegment)
                for tag in segment.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        needed.append(str(getattr(tag, "needed")))  # noqa: B009 - set as it is read
                    elif tag.entry.d_tag == "DT_SONAME":
                        name = str(getattr(tag, "soname"))  # noqa: B009
    except ELFError:
        return None
    return Linked(path, name, tuple(needed))


def missing(linked: Iterable[Linked], below: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Libraries that neither the wheels nor the base (names of files) hold, with the paths that need them.

    A library of that name anywhere among the wheels counts: packages load their own before they are asked
    for, or carry a search path.
    """
    listed = list(linked)
    there = {*below, *(one.name for one in listed), *(Path(one.path).name for one in listed)}
    found: dict[str, list[str]] = {}
    for one in listed:
        for name in one.needed:
            if name not in there and not _DRIVERS.match(name):
                found.setdefault(name, []).append(one.path)
    return {name: tuple(paths) for name, paths in sorted(found.items())}
