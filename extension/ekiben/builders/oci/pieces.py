"""Where the packed pieces of the layers that lie here are, so that another layer takes what is the same in it.

Beside each such layer is a list, ``<BENTOML_HOME>/ekiben/layers/pieces/<sha256>.json``: of each piece the key (of
its raw bytes and of how they were packed), where it begins in the layer's file, and its length. Packing is the
same to the byte everywhere, so a layer that takes pieces is the one that packing all of it gives.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from ekiben import paths

#: Key, first byte, length.
Listed = list[tuple[str, int, int]]
_NAME = re.compile(r"[0-9a-f]{64}\.json")


class Pieces:
    """What the lists under ``folder`` tell; read once."""

    def __init__(self, folder: Path) -> None:
        self._found: dict[str, tuple[Path, int, int]] = {}
        for file in (folder / "pieces").glob("*.json"):
            blob = folder / "blobs" / file.stem
            if not _NAME.fullmatch(file.name) or not blob.is_file():
                continue
            with suppress(OSError, ValueError, TypeError):
                listed = json.loads(file.read_text(encoding="utf-8"))
                self._found |= {str(key): (blob, int(first), int(length)) for key, first, length in listed}

    def get(self, key: str) -> bytes | None:
        """The packed bytes; None where no layer has them (any more)."""
        if key not in self._found:
            return None
        blob, first, length = self._found[key]
        try:
            with open(blob, "rb") as file:
                file.seek(first)
                piece = file.read(length)
        except OSError:
            return None  # another build tidied up
        return piece if len(piece) == length else None


def keep(folder: Path, digest: str, listed: Listed) -> None:
    """Writes down the pieces of the layer ``digest``."""
    paths.write_atomic(_file(folder, digest), json.dumps(listed))


def touch(folder: Path, digest: str) -> None:
    """Keeps the list from being forgotten; also where there is none."""
    with suppress(FileNotFoundError):
        os.utime(_file(folder, digest))


def _file(folder: Path, digest: str) -> Path:
    return folder / "pieces" / f"{digest.removeprefix('sha256:')}.json"
