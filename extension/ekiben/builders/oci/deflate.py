"""Raw deflate on several cores, with the same bytes on any number of them.

Each piece is packed on its own with the end of the one before it as its dictionary and ends on a byte
(``Z_SYNC_FLUSH``), so that the pieces are one stream when they stand one after the other (RFC 1951; the
way is pigz's, https://zlib.net/pigz/).
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

#: What deflate looks back, in bytes.
_WINDOW = 32 << 10
#: An empty last block.
_END = b"\x03\x00"


class Deflate:
    """Takes pieces of about a megabyte and gives the packed bytes in their order, some calls later.

    The bytes depend on where one piece ends and the next begins, not on how many threads pack them.
    """

    def __init__(self, level: int) -> None:
        self._level, self._before = level, b""
        self._threads = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads)
        self._waiting: deque[Future[bytes]] = deque()

    def pack(self, piece: bytes) -> Iterator[bytes]:
        """Takes a piece; gives what is packed of those before it."""
        self._waiting.append(self._pool.submit(_packed, piece, self._before, self._level))
        self._before = piece[-_WINDOW:]
        while len(self._waiting) > 2 * self._threads or (self._waiting and self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def end(self) -> Iterator[bytes]:
        """What is left, and the end of the stream."""
        while self._waiting:
            yield self._waiting.popleft().result()
        yield _END

    def close(self) -> None:
        """Ends the threads; what waits is given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _packed(piece: bytes, before: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, zdict=before)
    return packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
