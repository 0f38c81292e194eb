"""The short lane for what a service is mostly asked: one whole, plain ``POST /predict`` after the other.

Such a request needs no task, no ASGI messages and no general parser: its rows go to the engine from the
bytes that arrived, and the answer is written when the engine has it, which is at once where nobody else is
about. A connection stays in the lane as long as it sends nothing else. The first bytes that are not
exactly such a request (another route, a header not listed here, a head in pieces, chunks, pipelining) go
to uvicorn untouched, and so does all that follows until everything that was sent has been answered: there
is never a doubt who reads what. A large body is kept as it came in and joined once; its rows are read in a
thread.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import copy_context
from typing import Any, NamedTuple

from .engine import LARGE_BODY, ODD_BODY
from .http2 import Door
from .journal import made, marked
from .predictor import dumps
from .problems import InvalidRows, Problem, problem
from .refusal import retry

START = b"POST /predict HTTP/1.1\r\n"
#: Headers that change nothing about how a request is read or answered, beside those looked at.
HARMLESS = frozenset(
    b"accept accept-encoding accept-language cookie forwarded host referer traceparent tracestate user-agent"
    b" via x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-real-ip x-request-id".split()
)
HEAD = 8192
#: Heads that are remembered, as clients repeat them to the byte; and the longest of them.
HEADS, REPEATED = 64, 1024
#: Bytes that may wait while an answer is being made; then reading rests.
HELD = 65536
#: Seconds in which a request that was already sent may still arrive when the service stops.
LAST = 0.1


class Head(NamedTuple):
    """What a plain head says: the body's length, the client's language, its own request id if it has one."""

    length: int
    speaks: str
    identity: bytes


class Asked(NamedTuple):
    """A request under way. ``begin`` is of ``time.perf_counter``."""

    head: Head
    body: bytes
    begin: float
    warnings: list[Problem]


def plain(head: bytes) -> Head | None:
    """A head (without its empty line) of a request for the lane; None for any other."""
    if not head.startswith(START) or len(head) > HEAD:
        return None
    headers: list[tuple[bytes, bytes]] = []
    length = hosts = -1
    for line in head[len(START) :].split(b"\r\n"):
        name, _colon, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if b"\r" in line or b"\n" in line or b"\0" in line:
            return None
        if name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 10:
                return None
            length = int(value)
        elif name == b"connection":
            if value.lower() != b"keep-alive":
                return None
        elif name != b"content-type" and name not in HARMLESS:
            return None
        hosts += name == b"host"
        headers.append((name, value))
    return Head(length, *marked(headers)) if hosts == 0 and length >= 0 else None


class Lane(Door):
    """A connection that begins in the lane. ``gate`` and ``heads`` are set in a subclass, by ``lane``."""

    gate: Any = None
    heads: dict[bytes, Head]
    #: uvicorn's headers of every answer, and the same as bytes.
    defaults: tuple[Any, bytes] = (None, b"")
    inside = True
    busy = False
    ending = False
    missing = 0
    answered = 0.0
    #: The head of a request whose body is not all there, and where that begins in the first of the ``parts``.
    begun: tuple[Head, int]
    #: The large request that is being answered; the loop itself would not keep it.
    task: Any = None
    #: Whether uvicorn's parser stands within a request; h11's does not tell, and keeps what it has.
    within = True

    def connection_made(self, transport: Any) -> None:
        """Nothing was sent yet."""
        self.held = bytearray()
        self.parts: list[bytes] = []
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Takes a plain request, or a piece of it; hands all else on until that is answered."""
        if not self.inside:
            return super().data_received(data)
        if self.busy:
            self.held += data
            if len(self.held) > HELD:
                self.flow.pause_reading()
        elif self.missing > len(data):
            self.missing -= len(data)
            self.parts.append(data)
        else:
            if self.polling is not None:
                self.polling.came(self)
            if self.missing:
                self._rest(data)
            elif not self._take(data):
                self._leave(data)

    def on_message_begin(self) -> None:
        """The parser, httptools', has the first byte of a request."""
        self.within = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """And the last."""
        self.within = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Back to the lane, where all that was sent has been read and answered."""
        super().on_response_complete()
        if self.inside or self.within or not self.waiting or self.ending or self.transport.is_closing():
            return
        self.inside = True
        self.answered = time.perf_counter()
        if self.flow.write_paused:
            self.flow.pause_reading()

    @property
    def waiting(self) -> bool:
        """Whether no request is under way."""
        return not self.busy and not self.missing if self.inside else super().waiting

    @property
    def stage(self) -> tuple[str, Any]:
        """As outside, and ``body``: the rest of one that began in the lane."""
        found = super().stage
        if not self.inside or found[0] == "unread" or self.busy:
            return found
        if self.missing:
            return "body", self.answered
        return ("", None) if self.answered else found

    def leave(self, stage: str) -> None:
        """A body that does not come is refused as the gate refuses it."""
        if stage == "body":
            seconds = self.gate.settings.limits.seconds
            late = InvalidRows([problem("$", "slow_body", seconds=f"{seconds:g}")], 408)
            self.missing, self.ending, self.parts = 0, True, []
            self._answer(Asked(self.begun[0], b"", time.perf_counter() - seconds, []), late)
        super().leave(stage)

    def pause_writing(self) -> None:
        """The client does not read its answers: it is read no further either."""
        super().pause_writing()
        if self.inside:
            self.flow.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self.inside and not self.busy:
            self.flow.resume_reading()
            self.answered = time.perf_counter()
            if self.timeout_keep_alive_task is None:
                self._arm(self.timeout_keep_alive)

    def shutdown(self) -> None:
        """A stop waits for what is under way, and for what was sent before the client could know."""
        self.ending = True
        if not self.inside:
            super().shutdown()
        elif not self.busy and not self.missing:
            self.loop.call_later(LAST, self._end)

    def _end(self) -> None:
        if not self.inside:
            super().shutdown()
        elif not self.busy and not self.missing:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """One timer serves many requests: it looks when the last of them was."""
        self.timeout_keep_alive_task = None
        if self.inside:
            if self.busy or self.missing or self.flow.write_paused:
                return
            left = self.answered + self.timeout_keep_alive - time.perf_counter()
            if left > 0:
                self._arm(left)
                return
        super().timeout_keep_alive_handler()

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _leave(self, data: bytes) -> None:
        self.inside = False
        if self.answered:
            self.opening = None  # HTTP/2 opens a connection or does not come
        self.flow.resume_reading()
        super().data_received(data)

    # -- a request ---------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> bool:
        gate = self.gate
        engine = gate.engine
        end = data.find(b"\r\n\r\n")
        first = data[: max(end, 0)]
        head = self.heads.get(first) or self._head(first)
        if head is None or engine is None or head.length > gate.settings.body_bytes:
            return False
        missing = head.length - (len(data) - end - 4)
        if missing > 0:
            self.missing, self.begun = missing, (head, end + 4)
            self.parts.append(data)
            return True
        return missing == 0 and self._ask(head, data[end + 4 :])  # else pipelined

    def _rest(self, data: bytes) -> None:
        """The last of a body."""
        head, at = self.begun
        parts, self.parts = [*self.parts, data], []
        whole, self.missing = len(data) == self.missing, 0
        if not whole or not self._ask(head, b"".join([memoryview(parts[0])[at:], *parts[1:]])):
            self._leave(b"".join(parts))

    def _ask(self, head: Head, body: bytes) -> bool:
        engine = self.gate.engine
        begin = time.perf_counter()
        if head.length > LARGE_BODY:
            self._wait(Asked(head, body, begin, []), self._large(head, body))
            return True
        warnings: list[Problem] = []
        try:
            rows = engine.decoded(body)
            if rows is None:
                if head.length > ODD_BODY:
                    return False
                rows, warnings = engine.checked(body)
            answers = engine.at_once(rows)
            asked = None if answers is not None else engine.submit(rows)
        except Exception as error:  # noqa: BLE001 - the model may raise anything
            asked, answers = None, error
        request = Asked(head, body, begin, warnings)
        if asked is None:
            self._answer(request, answers)
        else:
            self._wait(request, asked)
        return True

    def _large(self, head: Head, body: bytes) -> Any:
        self.task = self.loop.create_task(self.gate.engine.answer_body(body, head.speaks))
        return self.task

    def _wait(self, request: Asked, asked: Any) -> None:
        self.busy = True
        self.gate.engine.metrics.in_flight += 1
        asked.add_done_callback(lambda done: self._done(request, done))

    def _head(self, first: bytes) -> Head | None:
        head = plain(first)
        if head is not None and not head.identity and len(first) <= REPEATED:
            if len(self.heads) >= HEADS:
                self.heads.clear()
            self.heads[first] = head
        return head

    def _done(self, request: Asked, done: asyncio.Future[Any]) -> None:
        self.busy = False
        self.gate.engine.metrics.in_flight -= 1
        if done is self.task:
            self.task = None
            if done.cancelled():  # the loop ends
                return
        error = done.exception()
        self._answer(request, done.result() if error is None else error)
        if not self.flow.write_paused:
            self.flow.resume_reading()
        if self.held and not self.transport.is_closing():
            data = bytes(self.held)
            self.held.clear()
            self.data_received(data)

    def _answer(self, request: Asked, answers: Any) -> None:
        head, body, begin, warnings = request
        gate = self.gate
        engine = gate.engine
        identity = head.identity or made()
        status, code, more = b"200 OK", 200, self._defaults()
        try:
            if isinstance(answers, Exception):
                raise answers
            written = answers
            if not isinstance(answers, bytes):
                written = engine.write(answers, warnings, head.speaks)
        except Exception as error:  # noqa: BLE001 - the model may raise anything
            refused = copy_context().run(gate._refusal, error, identity)
            written = dumps(refused.body(head.speaks))
            code = refused.status
            status = b"%d Refused" % code
            more += b"".join(b"%b: %b\r\n" % header for header in retry(error))
        self.answered = self.since = now = time.perf_counter()
        engine.metrics.answered("predict", code, now - begin)
        gate.journal.add(identity, "POST", "/predict", code, now - begin, body)
        transport = self.transport
        if transport.is_closing():
            return
        if self.ending:
            more += b"connection: close\r\n"
        transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b\r\n%b"
            % (status, len(written), identity, more, written)
        )
        self.server_state.total_requests += 1
        if self.ending:
            transport.close()
            return
        if self.timeout_keep_alive_task is None:
            self._arm(self.timeout_keep_alive)
        if self.polling is not None and not self.held:
            self.polling.answered(self)

    def _defaults(self) -> bytes:
        """The headers of every answer, which uvicorn makes anew each second."""
        listed, told = self.defaults
        if listed is not self.server_state.default_headers:
            listed = self.server_state.default_headers
            told = b"".join(b"%b: %b\r\n" % header for header in listed)
            type(self).defaults = (listed, told)
        return told


def lane(gate: Any, crowd: Any = None, polling: Any = None) -> type[Door]:
    """The protocol for connections to ``gate``: with the lane where nothing stands before the engine.

    ``crowd`` looks after them, and ``polling`` stays awake for their next requests.
    """
    if gate.edited or gate.settings.guard or gate.settings.tracing:
        return type("GateDoor", (Door,), {"crowd": crowd, "polling": polling})
    return type("GateLane", (Lane,), {"gate": gate, "heads": {}, "crowd": crowd, "polling": polling})
