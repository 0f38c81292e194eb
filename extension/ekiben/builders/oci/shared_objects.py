"""What the wheels' own shared objects ask the dynamic loader for."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_NAME = re.compile(r"\.so(\.\d+)*$")
#: The machine's GPU driver brings them into the container when it is started with one.
_DRIVERS = re.compile(r"lib(cuda|nvidia-\w+|nvcuvid|nvidia-encode)\.so(\.\d+)*$")

#: ELF of 64 bits, little endian, as all platforms of ours are: the header up to the number of segments, a
#: segment, an entry of the dynamic table, and the numbers that mean something here.
_OURS = b"\x7fELF\x02\x01"
_HEADER, _SEGMENT, _TAG = struct.Struct("<6s18xQQQIHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<qQ")
_LOAD, _DYNAMIC, _NEEDED, _STRINGS, _NAMED = 1, 2, 1, 5, 14
#: Bytes of the longest name.
_LONGEST = 4096


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
    """The one in ``file``, called ``path``; None where it is none of ours: a linker script, another kind of
    machine's, a damaged file.

    Only the segment for the dynamic loader is read, as the loader does (System V ABI, chapter 5).
    """
    try:
        with open(file, "rb") as stream:
            names, needed = _dynamic(stream)
    except (struct.error, ValueError):
        return None
    return Linked(path, names[0] if names else file.name, tuple(needed))


def _dynamic(stream: BinaryIO) -> tuple[list[str], list[str]]:
    """What an object calls itself, and what it needs."""

    def at(place: int, size: int) -> bytes:
        stream.seek(place)
        return stream.read(size)

    header = at(0, _HEADER.size)
    kind, _start, table, _sections, _flags, _size, width, number = _HEADER.unpack(header)
    if kind != _OURS:
        raise ValueError(kind)
    segments = [_SEGMENT.unpack(at(table + width * place, _SEGMENT.size)) for place in range(number)]
    tags: list[tuple[int, int]] = []
    for kind_, _flags, offset, _address, _physical, size, *_rest in segments:
        if kind_ == _DYNAMIC:
            tags = list(_TAG.iter_unpack(at(offset, size - size % _TAG.size)))
    tags = tags[: next((place for place, (tag, _value) in enumerate(tags) if tag == 0), len(tags))]
    strings = dict(tags).get(_STRINGS)
    if strings is None:
        return [], []
    for kind_, _flags, offset, address, _physical, size, *_rest in segments:
        if kind_ == _LOAD and address <= strings < address + size:
            strings += offset - address
            break

    def text(place: int) -> str:
        body = at(strings + place, _LONGEST)
        return body[: body.index(b"\0")].decode()

    names, needed = ([text(value) for tag, value in tags if tag == wanted] for wanted in (_NAMED, _NEEDED))
    return names, needed


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
