"""The physical limit: the bytes that changed are read, hashed, packed where that shrinks them, and written."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from pathlib import Path


def seconds(files: list[Path], scratch: Path, packed: bool) -> float:
    """Seconds for ``files`` through one hash, zlib's level 3 where ``packed``, and one write."""
    began = time.perf_counter()
    hashed, packer = hashlib.sha256(), zlib.compressobj(3)
    with open(scratch / "limit", "wb") as target:
        for file in files:
            with open(file, "rb") as source:
                while piece := source.read(1 << 20):
                    piece = packer.compress(piece) if packed else piece
                    hashed.update(piece)
                    target.write(piece)
        target.write(packer.flush() if packed else b"")
    took = time.perf_counter() - began
    os.unlink(scratch / "limit")
    return took
