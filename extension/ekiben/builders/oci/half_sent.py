"""Uploads that have begun, written down under ``<BENTOML_HOME>/ekiben/layers/uploads``: where one process was
killed, the next goes on.

A note holds the address that the registry gave last, and the process that sends there. How much has arrived
is asked of the registry. A note of another release that cannot be read is as none.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ekiben import paths
from ekiben.builders.oci import layers


class Note:
    """The note on one blob's way to one repository."""

    def __init__(self, host: str, repository: str, digest: str) -> None:
        key = hashlib.sha256("\n".join((host, repository, digest)).encode()).hexdigest()
        self._file: Path = layers.folder() / "uploads" / f"{key}.json"

    def place(self) -> str:
        """The address that a process which is gone has left; empty where none did, or one still sends there."""
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            place, pid, birth = str(told["place"]), int(told["pid"]), told["birth"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return ""
        return "" if pid and paths.alive(pid, birth) else place

    def write(self, place: str, *, ours: bool = True) -> None:
        """Notes ``place``, to which this process sends; where it is not ``ours``, anyone may go on."""
        pid = os.getpid() if ours else 0
        told = {"place": place, "pid": pid, "birth": paths.process_birth(pid) if ours else None}
        paths.write_atomic(self._file, json.dumps(told))

    def forget(self) -> None:
        """The upload has ended."""
        self._file.unlink(missing_ok=True)
