"""HTTP/2 beside HTTP/1.1 on one port, which is what gRPC needs.

uvicorn speaks HTTP/1.1. A connection that opens with HTTP/2's preface (RFC 9113, 3.4) is handed to a
protocol of our own, which calls the same ASGI application and can send trailers. The frames are h2's
work; where it is not installed, the client is told so.

What a peer can take from us is bounded: bytes that nobody has read (``WINDOW``), answers that it does not
read (``HELD``, ``STALLED``), requests that it takes back (``RESETS``), frames that say nothing
(``IDLE_WORDS``), headers (h2 refuses 64 KiB and long chains of CONTINUATION), and the time that a
connection is kept for nothing (``EKIBEN_KEEP_SECONDS``, ``QUIET``). An idle one is told first and closed
``PARTING`` later, so that a client knows of a request that was on its way that nobody has begun it and sends
it again (RFC 9113, 6.8).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .http2_stream import Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MISSING = b"This service speaks HTTP/2 and gRPC only with the package h2: pip install h2"
#: Bytes of one request that may wait until somebody reads them; four times as many of a connection.
WINDOW = 4 * 1024 * 1024
STREAMS = 256
#: Requests that a peer may take back in one go, and a second from then on (as nghttp2 has it).
RESETS = 1000
RESETS_A_SECOND = 33.0
#: Likewise frames that ask for an answer and carry nothing; they are taken a slice (bytes) at a time, for
#: one costs 70 microseconds here.
IDLE_WORDS = 2000
IDLE_WORDS_A_SECOND = 500.0
SLICE = 16384
#: Bytes written that the peer has not taken; beyond them its frames are not read.
HELD = 1024 * 1024
#: Seconds: a connection with requests is asked whether its peer is there, and ended when half as long again
#: brought nothing; an answer that the peer's windows keep back is given up.
QUIET = 60.0
STALLED = 60.0
#: Seconds between the word that an idle connection will end and its end.
PARTING = 1.0
#: Bytes of HTTP/1.1's head, or of what trails a body, that may come in pieces; h11 has the same bound, and
#: httptools none: it would keep whatever comes, and copy it anew with every piece.
MOST_HEAD = 65536
LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Door(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's own protocol, but for connections that open with the preface of HTTP/2."""

    opening: bytes | None = b""
    #: Who looks after all connections (``crowd.py``), where somebody does.
    crowd: Any = None
    #: Who stays awake for the next request (``polling.py``), where somebody does.
    polling: Any = None
    #: When it last became idle, by the event loop's clock.
    since = 0.0
    #: Bytes that came since a head or a chunk began, of which no end was seen; below 0 where none has.
    headed = -1

    def connection_made(self, transport: Any) -> None:
        """One more; if there are too many, an idle one goes."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if self.crowd is not None and len(self.connections) > self.crowd.most:
            self.crowd.room_for(self)

    def on_response_complete(self) -> None:
        """It is idle again, or answers the next of its requests."""
        super().on_response_complete()
        self.since = self.loop.time()
        if self.polling is not None and self.waiting:
            self.polling.answered(self)

    @property
    def waiting(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    @property
    def stage(self) -> tuple[str, Any]:
        """What it waits for, and what changes when that comes along: ``unread`` bytes, or a ``head``."""
        unread = self.transport.get_write_buffer_size()
        if unread:
            return "unread", unread
        if not self.waiting or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            return "", None
        return "head", self.cycle

    def leave(self, stage: str) -> None:
        """Ends it, for it was too long in ``stage``."""
        from .crowd import SLOW

        if stage == "unread":
            self.transport.abort()
            return
        if self.opening is None:  # something came, and deserves a word
            self.transport.write(SLOW)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """The first bytes decide."""
        if self.polling is not None:
            self.polling.came(self)
        if self.opening is not None:
            data = self.opening + data
            if PREFACE.startswith(data[: len(PREFACE)]):
                self.opening = data
                if len(data) >= len(PREFACE):
                    self._hand_over(data)
                return
            self.opening = None
        if self.headed < 0:
            super().data_received(data)
            return
        self.headed += len(data)
        super().data_received(data)
        if self.headed > MOST_HEAD and not self.transport.is_closing():
            if self.crowd is not None:
                self.crowd.closed["large"] += 1
            if self.waiting:
                self.transport.write(LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """The parser, httptools', has the first byte of a request."""
        self.headed = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has the whole head."""
        self.headed = -1
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A chunk of the body follows, or, after the last, what trails it."""
        self.headed = 0

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self.headed = -1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.headed = -1
        super().on_message_complete()

    def _hand_over(self, data: bytes) -> None:
        self.connections.discard(self)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        try:
            import h2.connection  # noqa: F401
        except ImportError:
            self.transport.write(_refusal(MISSING))
            self.transport.close()
            return
        protocol = Http2(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)


def _refusal(why: bytes) -> bytes:
    """A whole answer of HTTP/2 that needs no library: settings, and a GOAWAY of HTTP_1_1_REQUIRED."""
    goodbye = bytes(4) + (13).to_bytes(4, "big") + why
    return bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + len(goodbye).to_bytes(3, "big") + b"\x07" + bytes(5) + goodbye


class Http2(asyncio.Protocol):
    """One connection. Each stream is a request to the application that ``door`` stood before."""

    def __init__(self, door: Any) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.door = door
        self.app = door.app
        self.loop = door.loop
        self.state = door.server_state
        self.transport: Any = None
        self.streams: dict[int, Stream] = {}
        self.ending = asyncio.Event()
        #: Seconds that it is kept without a request, as uvicorn keeps those of HTTP/1.1.
        self.keep = float(door.timeout_keep_alive)
        self.heard = self.loop.time()
        #: When it last became idle.
        self.since = self.heard
        #: When the peer was told that it ends.
        self.parted: float | None = None
        self.resets = Bucket(RESETS, RESETS_A_SECOND, self.heard)
        self.words = Bucket(IDLE_WORDS, IDLE_WORDS_A_SECOND, self.heard)
        self.watch: asyncio.TimerHandle | None = None
        self.machine = H2Connection(H2Configuration(client_side=False, header_encoding=None))

    @property
    def waiting(self) -> bool:
        """Whether no request is under way."""
        return not self.streams

    @property
    def stage(self) -> tuple[str, Any]:
        """It looks after itself (``_look``)."""
        return "", None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says our settings: after the opening ones, for h2 counts by what it has sent."""
        from h2.settings import SettingCodes

        self.transport = transport
        self.state.connections.add(self)
        self.machine.initiate_connection()
        self.machine.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: 65536,
            }
        )
        self.machine.increment_flow_control_window(4 * WINDOW)
        self.transport.set_write_buffer_limits(HELD)
        self._look()
        self.flush()

    def pause_writing(self) -> None:
        """The peer does not read: nothing more of it is read, for every frame may want an answer."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends whoever still answers."""
        self.state.connections.discard(self)
        if self.watch:
            self.watch.cancel()
        for stream in list(self.streams.values()):
            stream.gone()
        self.streams.clear()

    def data_received(self, data: bytes) -> None:
        """Frames to events."""
        from h2.exceptions import ProtocolError

        self.heard = self.loop.time()
        try:
            for at in range(0, len(data), SLICE):
                for event in self.machine.receive_data(data[at : at + SLICE]):
                    self._take(event)
                    if self.transport.is_closing():
                        return
        except (ProtocolError, ValueError):
            self.flush()  # h2 has a GOAWAY ready
            self.transport.close()
            return
        self.flush()

    def _take(self, event: Any) -> None:
        from h2 import events
        from h2.errors import ErrorCodes

        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, events.RequestReceived):
            self._begin(event)
        elif isinstance(event, events.DataReceived):
            if stream and stream.trailers is None:
                stream.arrived(event.data, event.flow_controlled_length)
            else:  # what comes after the answer is dropped
                self.taken(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, events.StreamEnded):
            if stream:
                stream.arrived(None)
        elif isinstance(event, events.StreamReset):
            if stream:
                del self.streams[event.stream_id]
                self.since = self.heard
                stream.gone()
            if not self.resets.take(self.heard):
                self._close(ErrorCodes.ENHANCE_YOUR_CALM)
        elif isinstance(event, (events.WindowUpdated, events.RemoteSettingsChanged)):
            for waiting in [stream] if stream else list(self.streams.values()):
                waiting.push()
        elif isinstance(event, events.ConnectionTerminated):
            self.transport.close()
            return
        idle = (events.PingReceived, events.RemoteSettingsChanged, events.PriorityUpdated)
        empty = isinstance(event, events.DataReceived) and not event.data
        if (empty or isinstance(event, idle)) and not self.words.take(self.heard):
            self._close(ErrorCodes.ENHANCE_YOUR_CALM)

    def _begin(self, event: Any) -> None:
        from h2.errors import ErrorCodes

        if self.ending.is_set() or self.parted is not None:
            self.machine.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        if self.door.polling is not None:
            self.door.polling.came(self)
        bare = (b":method", b"HEAD") in event.headers
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id, bare)
        stream.task = self.loop.create_task(stream.run(self._scope(event.headers)))
        self.state.tasks.add(stream.task)
        stream.task.add_done_callback(self.state.tasks.discard)

    def _scope(self, listed: Any) -> dict[str, Any]:
        pseudo = {name: value for name, value in listed if name[:1] == b":"}
        headers = [(bytes(name), bytes(value)) for name, value in listed if name[:1] != b":"]
        if b":authority" in pseudo:
            headers.append((b"host", pseudo[b":authority"]))
        raw, _mark, query = pseudo.get(b":path", b"/").partition(b"?")
        root = self.door.root_path
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": self.door.server,
            "client": self.door.client,
            "scheme": self.door.scheme,
            "method": pseudo.get(b":method", b"GET").decode("latin-1"),
            "root_path": root,
            "path": root + unquote(raw.decode("latin-1")),
            "raw_path": root.encode() + raw,
            "query_string": query,
            "headers": headers,
            "state": self.door.app_state.copy(),
            # ASGI's own, and ours: an event, set when the server stops, for who waits for a next message.
            "extensions": {"http.response.trailers": {}, "runtime.ending": self.ending},
        }

    def done(self, identity: int) -> None:
        """A stream has been answered."""
        self.streams.pop(identity, None)
        self.since = self.loop.time()
        self.state.total_requests += 1
        if not self.streams:
            if self.ending.is_set():
                self._close()
            elif self.door.polling is not None:
                self.door.polling.answered(self)

    def taken(self, identity: int, size: int) -> None:
        """Somebody has read ``size`` bytes of a request: the peer may send as many again."""
        from h2.exceptions import ProtocolError

        with contextlib.suppress(ProtocolError):  # the connection is closed
            self.machine.acknowledge_received_data(size, identity)

    def flush(self) -> None:
        """Sends what h2 has ready."""
        data = self.machine.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def shutdown(self) -> None:
        """The server stops: what is under way is answered, nothing new is begun."""
        self.ending.set()
        if not self.streams:
            self._close()

    def _look(self) -> None:
        """Ends what is kept for nothing; called again every now and then."""
        from h2.errors import ErrorCodes

        now = self.loop.time()
        quiet = now - self.heard
        if self.streams and quiet > 1.5 * QUIET:
            self.transport.abort()
            return
        if self.parted is not None and now - self.parted > PARTING:
            self._close()
            return
        if self.parted is None and not self.streams and now - self.since > self.keep:
            self.parted = now
            # h2 takes no frame any more once it has said this itself.
            last = int(self.machine.highest_inbound_stream_id)
            self.transport.write((8).to_bytes(3, "big") + b"\x07" + bytes(5) + struct.pack(">II", last, 0))
        if self.streams and quiet > QUIET:
            self.machine.ping(b"are you?")
            self.flush()
        for stream in list(self.streams.values()):
            if stream.waiting and now - stream.moved > STALLED:
                stream.give_up(ErrorCodes.CANCEL)
        pause = min(self.keep, QUIET, STALLED) / 4 if self.parted is None else PARTING / 4
        self.watch = self.loop.call_later(pause, self._look)

    def _close(self, code: int = 0) -> None:
        from h2.exceptions import ProtocolError

        with contextlib.suppress(ProtocolError):
            self.machine.close_connection(code)
        self.flush()
        self.transport.close()


class Bucket:
    """So many at once, and so many a second afterwards."""

    def __init__(self, most: int, a_second: float, now: float) -> None:
        self.most = most
        self.a_second = a_second
        self.left = float(most)
        self.since = now

    def take(self, now: float) -> bool:
        """Whether there was one left."""
        self.left = min(self.most, self.left + (now - self.since) * self.a_second) - 1
        self.since = now
        return self.left >= 0
