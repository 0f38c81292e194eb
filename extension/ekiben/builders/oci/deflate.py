"""Raw deflate on several cores, with the same bytes on any number of them.

Each piece is packed on its own with the end of the one before it as its dictionary and ends on a byte
(``Z_SYNC_FLUSH``), so that the pieces are one stream when they stand one after the other (RFC 1951; the
way is pigz's, https://zlib.net/pigz/).
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

#: What deflate looks back, in bytes.
_WINDOW = 32 << 10
#: An empty last block.
_END = b"\x03\x00"


def _none(_key: str) -> bytes | None:
    """Nothing is packed yet."""
    return None


class Deflate:
    """Takes pieces of about a megabyte and gives the packed bytes in their order, some calls later, each with a key.

    The bytes depend on where one piece ends and the next begins, not on how many threads pack them. The key is
    that of the raw bytes, of what stands before them, of ``level`` and of zlib: ``packed(key)`` gives what was
    packed of the same before, or None.
    """

    def __init__(self, level: int, packed: Callable[[str], bytes | None] = _none) -> None:
        self._level, self._before, self._known = level, b"", packed
        self._threads = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads)
        self._waiting: deque[Future[tuple[str, bytes]]] = deque()

    def pack(self, piece: bytes) -> Iterator[tuple[str, bytes]]:
        """Takes a piece; gives what is packed of those before it."""
        self._waiting.append(self._pool.submit(self._packed, piece, self._before))
        self._before = piece[-_WINDOW:]
        while len(self._waiting) > 2 * self._threads or (self._waiting and self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def forget(self) -> None:
        """The next piece is packed as if it were the first."""
        self._before = b""

    def end(self) -> Iterator[tuple[str, bytes]]:
        """What is left, and the end of the stream, whose key is empty."""
        while self._waiting:
            yield self._waiting.popleft().result()
        yield "", _END

    def close(self) -> None:
        """Ends the threads; what waits is given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _packed(self, piece: bytes, before: bytes) -> tuple[str, bytes]:
        about = f"{self._level} {zlib.ZLIB_RUNTIME_VERSION} {len(before)} ".encode()
        hashed = hashlib.sha256(about + before)
        hashed.update(piece)
        key = hashed.hexdigest()
        found = self._known(key)
        if found is None:
            packer = zlib.compressobj(self._level, zlib.DEFLATED, -15, zdict=before)
            found = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        return key, found
