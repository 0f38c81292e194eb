"""Which files of a project a person changed since ekiben wrote them.

``runtime/as_made.json`` has the digests of what was written, by path, the latest last::

    {"format": 1, "made": {"requirements.txt": ["<sha256>", …]}}

It is written before the files are: a file that a crash left as it was is still known as ekiben's own. A
project of before there was such a note has ``runtime/as_made.py`` alone, which is its ``service.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ekiben import paths

NOTE = "runtime/as_made.json"
FORMAT = 1
#: Digests that are kept a path: more than one writing may have been broken off.
_KEPT = 4
#: What ekiben notes for itself.
_NOTES = ("runtime/as_made.py", "runtime/made_for.py", NOTE)


def digest(content: bytes) -> str:
    """The SHA-256 of a file; an editor that ends lines otherwise changed nothing."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def made(folder: Path) -> dict[str, tuple[str, ...]] | None:
    """The digests of what ekiben wrote into ``folder``, by path; None where nobody noted them."""
    try:
        data: Any = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return {str(path): tuple(map(str, known)) for path, known in data["made"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def changed(folder: Path, ours: Mapping[str, str]) -> tuple[str, ...]:
    """The paths of ``ours`` (path → digest) where somebody else's content lies.

    A file that ekiben never wrote is somebody else's too.
    """
    known = made(folder)
    if known is None:
        former = folder / "runtime" / "as_made.py"
        known = {"service.py": (digest(former.read_bytes()),)} if former.is_file() else {}
        ours = {path: ours[path] for path in known if path in ours}
    there = {path: folder / path for path in ours if path not in _NOTES}
    found = {path: digest(file.read_bytes()) for path, file in there.items() if file.is_file()}
    return tuple(
        path for path, own in sorted(found.items()) if own != ours[path] and own not in known.get(path, ())
    )


def unchanged(folder: Path, ours: Mapping[str, str], path: str) -> bool:
    """Whether ekiben would write at ``path`` what it wrote there before."""
    return ours[path] in (made(folder) or {}).get(path, ())


def note(folder: Path, ours: Mapping[str, str]) -> None:
    """Notes what is about to be written into ``folder``."""
    before = made(folder) or {}
    known = {path: _latest((*before.get(path, ()), own)) for path, own in ours.items()}
    if known != before:
        text = json.dumps({"format": FORMAT, "made": dict(sorted(known.items()))}, indent=1)
        paths.write_atomic(folder / NOTE, text)


def set_aside(folder: Path, found: Iterable[str]) -> dict[str, str]:
    """Renames files, so that others may take their place: path → the name that it has now."""
    named: dict[str, str] = {}
    for path in found:
        count = 1
        while (target := folder / f"{path}.edited{count if count > 1 else ''}").exists():
            count += 1
        (folder / path).rename(target)
        named[path] = target.relative_to(folder).as_posix()
    return named


def _latest(digests: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reversed(digests)))[:_KEPT][::-1]
