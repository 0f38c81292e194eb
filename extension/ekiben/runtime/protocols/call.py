"""One request of a protocol, and the errors that belong to the address and not to the rows."""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ..problems import InvalidRows, problem
from . import words  # noqa: F401 - adds the texts
from .described import Described, outputs

_OUTPUTS: WeakKeyDictionary[Any, list[Described]] = WeakKeyDictionary()

#: Members of one gzip body. Each costs as much as a copy of what follows it.
MEMBERS = 1000


@dataclass
class Call:
    """A request with its whole body. ``headers`` have names in lower case; ``limit`` is in bytes.

    ``trailers``: the connection can carry them; ``ending`` is set when the server stops.
    """

    engine: Any
    method: str
    path: str
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    language: str = "en"
    limit: int = 0
    trailers: bool = False
    ending: asyncio.Event | None = None

    @property
    def contract(self) -> dict[str, Any]:
        """The contract of the model that answers."""
        contract: dict[str, Any] = self.engine.contract
        return contract

    @property
    def outputs(self) -> list[Described]:
        """The tensors that the model gives, told once: every request is held against them."""
        found = _OUTPUTS.get(self.engine)
        if found is None:
            found = _OUTPUTS[self.engine] = outputs(self.contract)
        return found

    def header(self, name: bytes) -> str:
        """A header's value, empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    def expect(self, name: str, version: str = "") -> None:
        """Refuses another model than ours.

        Raises:
            InvalidRows: with status 404.
        """
        if name != self.engine.name:
            raise refused(404, self.path, "unknown_model", name=name[:80], known=self.engine.name)
        if version and version != self.engine.version:
            raise refused(404, self.path, "unknown_version", version=version[:80], known=self.engine.version)

    def only(self, *methods: str) -> None:
        """Refuses other methods.

        Raises:
            InvalidRows: with status 405.
        """
        if self.method not in methods:
            raise refused(405, self.path, "wrong_method", method=self.method, methods=", ".join(methods))

    @property
    def packed(self) -> bool:
        """Whether the body is compressed."""
        return self.header(b"content-encoding").lower() not in ("", "identity")

    def unpack(self) -> None:
        """Unpacks a body that was sent with ``Content-Encoding: gzip`` or ``deflate``.

        Raises:
            InvalidRows: it is of another encoding, damaged, or larger than the limit once unpacked.
        """
        if self.packed:
            self.body = inflate(self.body, self.header(b"content-encoding").lower(), self.limit)

    def json(self) -> Any:
        """The body as JSON data; NaN and Infinity are taken as Python writes them.

        Raises:
            InvalidRows: it is not JSON.
        """
        return read_json(self.body)


def refused(status: int, path: str, code: str, **values: Any) -> InvalidRows:
    """An error of one problem."""
    return InvalidRows([problem(path, code, **values)], status)


def read_json(text: bytes | str) -> Any:
    """JSON data, or InvalidRows."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(400, "$", "bad_json", detail=str(error)[:120]) from error


def inflate(body: bytes, packed: str, limit: int) -> bytes:
    """``body`` unpacked; ``packed`` is gzip or deflate.

    Raises:
        InvalidRows: it is of another encoding, damaged, or larger than ``limit``.
    """
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise refused(415, "Content-Encoding", "unknown_encoding", encoding=packed[:40])
    parts: list[bytes] = []
    size = 0
    try:
        while body and size <= limit:  # gzip may be of several members, one after the other (RFC 1952, 2.2)
            # 15 + 32: gzip's or zlib's head, whichever is there.
            machine = zlib.decompressobj(15 + 32)
            parts.append(machine.decompress(body, limit + 1 - size))
            size += len(parts[-1])
            if size <= limit and (not machine.eof or (packed == "deflate" and machine.unused_data)):
                raise EOFError
            body = machine.unused_data
            if len(parts) > MEMBERS:
                raise EOFError
    except (zlib.error, EOFError) as error:
        raise refused(400, "$", "bad_encoding", encoding=packed) from error
    if size > limit:
        raise refused(413, "$", "too_large", limit=limit)
    if not parts:
        raise refused(400, "$", "bad_encoding", encoding=packed)
    return b"".join(parts)


def sentences(error: InvalidRows, language: str) -> str:
    """What is wrong, where and the remedy; of several places the first three."""
    told = [entry.told(language) for entry in error.problems[:3]]
    more = len(error.problems) - len(told)
    lines = [f"{entry['path']}: {entry['message']} {entry['remedy']}".strip() for entry in told]
    return " ".join(lines) + (f" (+{more}{'…' if error.more else ''})" if more else "")
