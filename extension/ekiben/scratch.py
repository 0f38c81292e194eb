"""Names for what lies on a disk only while a process works: they tell whose it is, so that what a killed process
left is removed by the next one.

A mark is ``<pid>-<birth>-<machine>-<random>``: the process, when it started (seconds since the epoch), and the
machine with its namespace of processes, as a folder may be shared with others. A folder of a process that runs
something may hold a file ``pid`` (the process and its birth): it is ended first.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from ekiben import paths

_MARK = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}")
#: Seconds by which two readings of a birth may differ here: a clock that was set must cost nobody their folder.
_SAME = 5.0


def name() -> str:
    """A mark of this process, another one each time; small letters, digits and hyphens."""
    return f"{_owner(os.getpid())}-{secrets.token_hex(4)}"


@contextmanager
def folder(kind: str) -> Iterator[Path]:
    """A new folder of this process among the temporary ones, which is gone afterwards."""
    place = make(kind)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make(kind: str) -> Path:
    """As ``folder``, for whoever removes it himself."""
    place = Path(tempfile.gettempdir()) / f"ekiben-{kind}-{name()}"
    place.mkdir(mode=0o700)
    return place


def sweep() -> None:
    """Removes the temporary folders that killed processes of this person left, and ends what still runs for them."""
    clear(Path(tempfile.gettempdir()), "ekiben-*")


def clear(where: Path, pattern: str = "*") -> None:
    """Removes what lies in ``where`` under a mark whose process is gone."""
    for place in where.glob(pattern):
        if orphaned(place.name):
            with suppress(OSError):  # somebody else tidies up as well
                _remove(place)


def orphaned(name: str) -> bool:
    """Whether a name has a mark, and the process that it tells of is gone from this machine."""
    found = _MARK.search(name)
    if found is None or found[3] != _machine():
        return False
    birth = paths.process_birth(int(found[1]))
    return birth is None or abs(birth - int(found[2])) > _SAME


def _remove(place: Path) -> None:
    about = place.lstat()
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        return
    if not stat.S_ISDIR(about.st_mode):
        place.unlink()
        return
    with suppress(FileNotFoundError, ValueError):
        pid, birth = (place / "pid").read_text(encoding="utf-8").split()
        paths.stop_tree(int(pid), float(birth) or None, timeout=5.0)
    shutil.rmtree(place, ignore_errors=True)


@lru_cache(maxsize=2)
def _owner(pid: int) -> str:
    return f"{pid}-{paths.process_birth(pid) or 0:.0f}-{_machine()}"


@lru_cache(maxsize=1)
def _machine() -> str:
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
