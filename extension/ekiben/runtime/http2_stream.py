"""One request of an HTTP/2 connection and its answer, between h2's frames and ASGI's messages."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Any

#: Bytes of an answer in parts that may wait for the peer's windows before the application does.
HIGH = 256 * 1024


class Stream:
    """One request and its answer; a ``bare`` one has a head only, as HEAD's."""

    def __init__(self, connection: Any, identity: int, bare: bool = False) -> None:
        self.bare = bare
        self.connection = connection
        self.identity = identity
        self.task: asyncio.Task[None] | None = None
        self.parts: list[bytes] = []
        self.unread = 0
        self.whole = False
        self.lost = False
        self.more = asyncio.Event()
        self.start: dict[str, Any] = {}
        self.begun = False
        self.waiting = bytearray()
        self.moved = 0.0
        self.drained = asyncio.Event()
        self.trailers: list[tuple[bytes, bytes]] | None = None
        self.finished = False

    async def run(self, scope: dict[str, Any]) -> None:
        """Calls the application; one that fails or stops halfway resets the stream."""
        from h2.errors import ErrorCodes

        try:
            await self.connection.app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self.lost:
                self._reset(ErrorCodes.CANCEL)
                raise
        except Exception:  # noqa: BLE001 - an application may raise anything
            traceback.print_exc()
        if self.trailers is None and not self.lost:
            self._reset(ErrorCodes.INTERNAL_ERROR)

    def arrived(self, data: bytes | None, size: int = 0) -> None:
        """Bytes of the body, which count as ``size`` against the peer's window; None is its end."""
        if data is None:
            self.whole = True
        else:
            self.parts.append(data)
            self.unread += size
        self.more.set()

    def gone(self) -> None:
        """The client is not there any more: nobody goes on for it."""
        self.lost = True
        self._taken()
        self.more.set()
        self.drained.set()
        if self.task:
            self.task.cancel()

    def give_up(self, code: Any) -> None:
        """Ends it from our side."""
        self._reset(code)
        self.gone()

    def _taken(self) -> None:
        size, self.unread = self.unread, 0
        if size:
            self.connection.taken(self.identity, size)

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive."""
        told = self.whole and not self.parts and self.trailers is not None
        while not (self.parts or self.whole or self.lost):
            self.more.clear()
            await self.more.wait()
        if self.lost or told:
            return {"type": "http.disconnect"}
        body = b"".join(self.parts)
        self.parts.clear()
        if self.unread:
            self._taken()
            self.connection.flush()
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's send, with trailers."""
        from h2.exceptions import ProtocolError

        if self.lost:
            return
        kind = message["type"]
        if kind == "http.response.start":
            self.start = message
            return
        if kind == "http.response.body":
            if not self.waiting:
                self.moved = self.connection.loop.time()
            self.waiting += b"" if self.bare else message.get("body", b"")
            if not message.get("more_body") and not self.start.get("trailers"):
                self.trailers = []
        elif kind == "http.response.trailers":
            self.trailers = list(message["headers"])
        try:
            self.push()
        except ProtocolError:  # the peer closed the stream meanwhile
            self.gone()
        self.connection.flush()
        while len(self.waiting) > HIGH and message.get("more_body") and not self.lost:
            self.drained.clear()
            await self.drained.wait()

    def push(self) -> None:
        """Sends what the peer's windows take, and the end once all is sent."""
        if self.finished or not self.start:
            return
        machine = self.connection.machine
        if not self.begun:
            self.begun = True
            last = self.trailers == [] and not self.waiting
            machine.send_headers(self.identity, self._head(), end_stream=last)
            if last:
                return self._finish()
        while self.waiting:
            room = min(machine.local_flow_control_window(self.identity), machine.max_outbound_frame_size)
            if room <= 0:
                return None
            part = bytes(self.waiting[:room])
            del self.waiting[:room]
            self.moved = self.connection.loop.time()
            self.drained.set()
            last = self.trailers == [] and not self.waiting
            machine.send_data(self.identity, part, end_stream=last)
            if last:
                return self._finish()
        if self.trailers:
            machine.send_headers(self.identity, self.trailers, end_stream=True)
            self._finish()
        elif self.trailers is not None:
            machine.end_stream(self.identity)
            self._finish()
        return None

    def _head(self) -> list[tuple[bytes, bytes]]:
        own = self.start["headers"]
        grpc = any(name == b"content-type" and value.startswith(b"application/grpc") for name, value in own)
        # gRPC frames its messages itself.
        kept = [pair for pair in own if not (grpc and pair[0] == b"content-length")]
        status = str(self.start["status"]).encode()
        return [(b":status", status), *kept, *self.connection.state.default_headers]

    def _finish(self) -> None:
        """All is sent. A client that is still sending is told to stop."""
        from h2.errors import ErrorCodes

        self.finished = True
        self._taken()
        if not self.whole:
            self._reset(ErrorCodes.NO_ERROR)
        self.connection.done(self.identity)

    def _reset(self, code: Any) -> None:
        from h2.exceptions import ProtocolError

        self.finished = True
        with contextlib.suppress(ProtocolError):
            self.connection.machine.reset_stream(self.identity, code)
        self.connection.flush()
        self.connection.done(self.identity)
