"""An answer as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Reply:
    """One whole HTTP answer. ``trailers`` follow the body where the connection can carry them (HTTP/2)."""

    status: int
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    trailers: tuple[tuple[bytes, bytes], ...] = ()
