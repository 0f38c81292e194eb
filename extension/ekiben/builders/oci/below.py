"""What the layers of a base image hold, without laying them out: libraries, packages, and small files."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders import dpkg
from ekiben.builders.oci import layers
from ekiben.records.image import SystemPackage

#: Shared objects that the loader can find; Python's own packages are not among them.
_LIBRARY = re.compile(r"^(?!.*/(?:site|dist)-packages/)(?:.*/)?([^/]+\.so(?:\.[^/]*)?)$")
#: Small files that tell where the base's packages come from, and who signs them.
SOURCES = re.compile(
    r"^(etc/os-release|usr/lib/os-release|etc/apt/sources\.list(\.d/[^/]+)?"
    r"|etc/apt/trusted\.gpg(\.d/[^/]+)?|(usr/share|etc/apt)/keyrings/[^/]+)$"
)
#: What is looked at in every base.
_SEEN = re.compile(f"{_LIBRARY.pattern}|{dpkg.STATUS.pattern}|^({'|'.join(dpkg.RELEASE)})$")
_SMALL = 1 << 20
_LINK = b"\0->"


@dataclass(frozen=True)
class Below:
    """The names of the shared objects in a base, and the packages of its distribution."""

    libraries: frozenset[str]
    packages: tuple[SystemPackage, ...]


def libraries(manifest: dict[str, Any], tick: Callable[[], None]) -> frozenset[str]:
    """As ``look``, without the packages, which are some hundred records."""
    try:
        kept = json.loads(_note(manifest).read_text(encoding="utf-8"))
        os.utime(_note(manifest))
        return frozenset(kept["libraries"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return look(manifest, tick).libraries


def _note(manifest: dict[str, Any]) -> Path:
    key = layers.key_of("below with sources", [layer["digest"] for layer in manifest["layers"]])
    return layers.folder() / "keys" / f"{key}.json"


def look(manifest: dict[str, Any], tick: Callable[[], None]) -> Below:
    """Reads a base's layers, which must lie here, once; what was seen is kept for the next build."""
    note = _note(manifest)
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        os.utime(note)
        packages = tuple(SystemPackage.from_json(one) for one in kept["packages"])
        return Below(frozenset(kept["libraries"]), packages)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        found = dict(_walk(manifest, _SEEN, dpkg.MOST, tick))
    names = {path.rpartition("/")[2] for path in found if _LIBRARY.match(path)}
    seen = Below(frozenset(names), dpkg.packages(_followed(found)))
    told = {"libraries": sorted(names), "packages": [one.to_json() for one in seen.packages]}
    paths.write_atomic(note, json.dumps(told))
    return seen


def files(manifest: dict[str, Any], tick: Callable[[], None]) -> dict[str, bytes]:
    """The contents of ``SOURCES`` by path (no leading slash); links among them are followed once."""
    return _followed(dict(_walk(manifest, SOURCES, _SMALL, tick)))


def _followed(found: dict[str, bytes]) -> dict[str, bytes]:
    for path, body in list(found.items()):
        if body.startswith(_LINK):
            goal = body[len(_LINK) :].decode()
            above = path.rpartition("/")[0]
            found[path] = found.get(goal.lstrip("/") if goal.startswith("/") else f"{above}/{goal}", b"")
    return found


def _walk(
    manifest: dict[str, Any], wanted: re.Pattern[str], most: int, tick: Callable[[], None]
) -> list[tuple[str, bytes]]:
    """Paths that match, the uppermost layer's last word; a link's body is ``_LINK`` and where it leads."""
    found: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        with tarfile.open(layers.blob(layer["digest"]), "r|*") as archive:
            for member in archive:
                tick()
                path = member.name.removeprefix("./").lstrip("/")
                folder, _slash, name = path.rpartition("/")
                if name.startswith(".wh."):
                    gone = f"{folder}/" if name == ".wh..wh..opq" else f"{folder}/{name[4:]}"
                    found = {one: body for one, body in found.items() if not _under(one, gone)}
                elif wanted.match(path) and member.isfile():
                    reading = 0 < member.size <= most and not _LIBRARY.match(path)
                    body = archive.extractfile(member) if reading else None
                    found[path] = body.read() if body else b""
                elif wanted.match(path) and (member.issym() or member.islnk()):
                    found[path] = (
                        _LINK + (member.linkname if member.issym() else f"/{member.linkname}").encode()
                    )
    return list(found.items())


def _under(path: str, gone: str) -> bool:
    return path == gone or path.startswith(gone.rstrip("/") + "/")
