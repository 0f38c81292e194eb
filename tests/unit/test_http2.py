"""HTTP/2 and HTTP/1.1 on one port, before an application that says back what it was told."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h2.connection
import h2.events
import h2.settings
import httpx
import pytest
import uvicorn
from ekiben.runtime import http2
from ekiben.runtime.http2 import MISSING, PREFACE, Door
from rig.waiting import until

#: Requests for ``/forever`` and ``/slow`` under way.
running: list[str] = []
#: Seconds that ``/slow`` takes.
SLOW = 4.0


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/broken":
        raise RuntimeError("broken")
    if scope["path"] in ("/slow", "/forever"):
        running.append(scope["path"])
        try:
            await asyncio.sleep(SLOW if scope["path"] == "/slow" else 600)
        finally:
            running.pop()
    if scope["path"] == "/large":
        body = bytes(20_000_000)
    told = {name: scope[name] for name in ("method", "path", "http_version", "scheme")}
    told["query"] = scope["query_string"].decode()
    headers = [(b"x-told", json.dumps(told).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await send({"type": "http.response.body", "body": body[len(body) // 2 :]})


@contextmanager
def served(keep: float = 60) -> Iterator[tuple[str, uvicorn.Server]]:
    config = uvicorn.Config(echo, http=Door, port=0, log_level="critical", lifespan="off", ws="none")
    config.timeout_keep_alive = keep  # type: ignore[assignment]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("second", [True, False])
def test_both_versions_say_the_same(second: bool) -> None:
    with served() as (url, _server), httpx.Client(http1=not second, http2=second, timeout=60) as client:
        for body in (b"", b"x", b"ab" * 2_500_000):
            answer = client.post(f"{url}/a%20b?c=d", content=body)
            assert answer.content == body
            told = json.loads(answer.headers["x-told"])
            version = "2" if second else "1.1"
            assert told == {
                "method": "POST",
                "path": "/a b",
                "http_version": version,
                "scheme": "http",
                "query": "c=d",
            }


@pytest.mark.parametrize("second", [True, False])
def test_head_is_answered_without_a_body(second: bool) -> None:
    with served() as (url, _server), httpx.Client(http1=not second, http2=second, timeout=30) as client:
        for _turn in range(2):  # on the same connection, which must be in step
            answer = client.request("HEAD", f"{url}/a", content=b"abc")
            assert (answer.status_code, answer.content) == (200, b"")
            assert json.loads(answer.headers["x-told"])["method"] == "HEAD"


#: What begins a request whose head, or what trails its body, has no end.
ENDLESS = {
    "headers": (b"POST / HTTP/1.1\r\nHost: x\r\n", b"x-more: " + b"a" * 1000 + b"\r\n"),
    "a header": (b"POST / HTTP/1.1\r\nHost: x\r\nx-more: ", b"a" * 1000),
    "an address": (b"GET /", b"a" * 1000),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n",
        b"x-more: " + b"a" * 1000 + b"\r\n",
    ),
    "the next head": (b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /", b"a" * 1000),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.slow
def test_what_has_no_end_is_not_kept(what: str) -> None:
    first, more = ENDLESS[what]
    with served() as (url, _server):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(first)
            with pytest.raises(ConnectionError):  # the test has no other end
                while True:
                    client.sendall(more * 100)


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_bodies_in_pieces_are_no_heads(size: int) -> None:
    def pieces() -> Iterator[bytes]:
        for _turn in range(4):
            yield b"a" * (size // 4)

    with served() as (url, _server), httpx.Client(timeout=30) as client:
        for _turn in range(2):
            assert client.post(url, content=pieces()).content == b"a" * size  # in chunks
            assert client.post(url, content=b"b" * size).content == b"b" * size


def test_an_application_that_fails_takes_its_stream_only() -> None:
    with served() as (url, _server), httpx.Client(http1=False, http2=True, timeout=60) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(f"{url}/broken")
        assert client.post(f"{url}/whole", content=b"x").content == b"x"


@pytest.mark.slow
def test_what_is_under_way_is_answered_before_the_server_ends() -> None:
    with served() as (url, server), httpx.Client(http1=False, http2=True, timeout=60) as client:

        def end() -> None:
            until(lambda: running)
            server.should_exit = True

        threading.Thread(target=end, daemon=True).start()
        assert client.post(f"{url}/slow", content=b"x").content == b"x"


def test_without_h2_the_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h2.connection", None)
    with served() as (url, _server):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as sock:
            sock.sendall(PREFACE)
            found = b""
            while chunk := sock.recv(65536):
                found += chunk
    client = h2.connection.H2Connection()
    client.initiate_connection()
    ended = [
        event for event in client.receive_data(found) if isinstance(event, h2.events.ConnectionTerminated)
    ]
    assert ended[0].additional_data == MISSING
    assert ended[0].error_code == 13


# -- misuse ------------------------------------------------------------------------------------------


class Peer:
    """A client that does as it likes with h2's frames."""

    def __init__(self, url: str, window: int = 65535) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        self.machine = h2.connection.H2Connection()
        self.machine.initiate_connection()
        if window > 65535:
            self.machine.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
            self.machine.increment_flow_control_window(window - 65535)
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.machine.data_to_send())

    def ask(self, path: str, *headers: tuple[str, str], end: bool = True) -> int:
        identity = self.machine.get_next_available_stream_id()
        pseudo = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "x")]
        self.machine.send_headers(identity, [*pseudo, *headers], end_stream=end)
        return identity

    def events(self, until: type, answering: bool = True) -> list[Any]:
        """What comes, to the first of a kind or to the connection's end."""
        found: list[Any] = []
        while not any(isinstance(event, until) for event in found):
            try:
                data = self.sock.recv(65536)
                if not data:
                    break
                found += self.machine.receive_data(data)
                if answering:
                    self.flush()
            except ConnectionError:
                break
        return found

    def ended(self, code: int) -> bool:
        """Whether the server ends it with ``code``; what it says is lost where we were still sending."""
        events = self.events(Goodbye, answering=False)
        told = [int(event.error_code) for event in events if isinstance(event, Goodbye)]
        return told == [code] or (not told and self._cut())

    def _cut(self) -> bool:
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True


Goodbye = h2.events.ConnectionTerminated


def none_running() -> None:
    until(lambda: not running)


def test_a_request_taken_back_is_given_up() -> None:
    with served() as (url, _server):
        peer = Peer(url)
        asked = [peer.ask("/forever") for _ in range(30)]
        peer.flush()
        until(lambda: len(running) == 30)
        for identity in asked[:20]:
            peer.machine.reset_stream(identity)
        peer.flush()
        until(lambda: len(running) <= 10)
        assert len(running) == 10
        peer.sock.close()  # a client that is gone takes all back
        none_running()


def test_who_takes_back_too_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "RESETS", 40)
    with served() as (url, _server):
        peer = Peer(url)
        for _ in range(200):
            peer.machine.reset_stream(peer.ask("/forever"))
        peer.flush()
        assert peer.ended(11)  # ENHANCE_YOUR_CALM
        none_running()
        assert httpx.get(f"{url}/whole", timeout=60).status_code == 200


def test_headers_without_an_end_are_refused() -> None:
    with served() as (url, _server):
        peer = Peer(url)
        peer.ask("/whole", *((f"x-{number}", "a1-Zq" * 100) for number in range(200)))
        peer.flush()
        assert peer.ended(11)
        peer = Peer(url)
        peer.events(h2.events.RemoteSettingsChanged)
        # HEADERS that does not end, and a long chain of empty CONTINUATION.
        peer.sock.sendall(b"\0\0\x01\x01\0\0\0\0\x01\x82" + b"\0\0\0\x09\0\0\0\0\x01" * 500)
        assert peer.ended(1)
        assert httpx.get(f"{url}/whole", timeout=60).status_code == 200


@pytest.mark.slow
def test_a_connection_for_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in HTTP/1.1, so many seconds after its last answer; frames that ask for nothing do not keep it."""
    monkeypatch.setattr(http2, "PARTING", 2.0)
    with served(SLOW / 2) as (url, _server):
        begin = time.monotonic()
        assert Peer(url).ended(0)
        assert time.monotonic() - begin > 0.9 * SLOW / 2
        peer = Peer(url)
        peer.ask("/slow")  # takes longer than an idle connection is kept
        peer.flush()
        assert isinstance(peer.events(h2.events.StreamEnded)[-1], h2.events.StreamEnded)
        answered = time.monotonic()
        while time.monotonic() - answered < 0.8 * SLOW / 2:
            peer.machine.ping(b"still me")
            peer.flush()
            time.sleep(0.01)
        assert peer.ended(0)


def test_what_comes_after_the_goodbye_may_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "PARTING", 60.0)
    with served(1.5) as (url, _server):
        peer = Peer(url)
        first = peer.ask("/whole")
        peer.flush()
        peer.events(h2.events.StreamEnded)
        goodbye = b""
        while b"\x07\0\0\0\0\0" not in goodbye:
            part = peer.sock.recv(65536)
            assert part, "it was closed without a word"
            goodbye += part
        assert goodbye.endswith(first.to_bytes(4, "big") + bytes(4))
        late = peer.ask("/whole")  # it was on its way
        peer.flush()
        refused = peer.events(h2.events.StreamReset)[-1]
        assert (refused.stream_id, int(refused.error_code)) == (late, 7)  # REFUSED_STREAM


@pytest.mark.slow
def test_a_peer_that_is_silent_is_asked_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "QUIET", SLOW / 2)
    with served() as (url, _server):
        peer = Peer(url)
        peer.ask("/forever")
        peer.flush()
        events = peer.events(Goodbye, answering=False)  # until the connection is cut
        assert any(isinstance(event, h2.events.PingReceived) for event in events)
        none_running()
        peer = Peer(url)
        peer.ask("/slow")  # takes longer; this one answers the question
        peer.flush()
        assert isinstance(peer.events(h2.events.StreamEnded)[-1], h2.events.StreamEnded)


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "STALLED", 1.0)
    with served() as (url, _server):
        peer = Peer(url)
        identity = peer.ask("/large")
        peer.flush()
        events = peer.events(h2.events.StreamReset)
        assert (events[-1].stream_id, int(events[-1].error_code)) == (identity, 8)  # CANCEL
        assert sum(len(event.data) for event in events if isinstance(event, h2.events.DataReceived)) == 65535


PING = b"\0\0\x08\x06\0\0\0\0\0whatever"


@pytest.mark.slow
def test_who_does_not_read_is_not_read() -> None:
    with served() as (url, _server):
        peer = Peer(url, window=2**31 - 1)
        peer.ask("/large")
        peer.flush()
        assert peer.sock.recv(1)  # it answers
        time.sleep(0.5)
        peer.sock.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(64):
                peer.sock.sendall(PING * 60_000)
        assert httpx.get(f"{url}/whole", timeout=60).status_code == 200
        peer.sock.close()


def test_who_says_nothing_all_the_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "IDLE_WORDS", 100)
    with served() as (url, _server):
        for frame in (PING, b"\0\0\0\x04\0\0\0\0\0"):
            peer = Peer(url)
            peer.events(h2.events.RemoteSettingsChanged)
            peer.sock.sendall(frame * 900)
            assert peer.ended(11)
