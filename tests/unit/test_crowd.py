"""Connections that send nothing, or little, or are too many: by real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from urllib.request import urlopen

import ekiben
import pytest
from ekiben.runtime.crowd import STALLED, Crowd, room
from ekiben.runtime.settings import Settings
from models import diabetes
from test_lane import START, answers, request

MOST = 12


@pytest.fixture(scope="module")
def server():
    model, X = diabetes()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "EKIBEN_HEAD_SECONDS": "3",
            "EKIBEN_SECONDS": "5",
            "EKIBEN_KEEP_SECONDS": "600",
            "EKIBEN_CONNECTIONS": str(MOST),
        }.items():
            patch.setenv(name, value)
        started = ekiben.wrap(model, X, name="crowd").serve()
    yield started
    started.stop()


def connect(server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def good(server) -> bytes:
    return request(json.dumps({"rows": list(server.contract.golden.rows[:1])}).encode())


def figure(server, name: str) -> float:
    with urlopen(f"{server.url}/metrics", timeout=60) as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def rest(client: socket.socket) -> bytes:
    """All that still comes until the service ends the connection."""
    told = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            told += part
    return told


@pytest.mark.slow
@pytest.mark.parametrize("sent", ["", "PRI * HT", "GET /live", "POST /predict HTTP/1.1\r\nHost: x\r\n"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_head_that_does_not_come_whole_ends_the_connection(server, sent, before):
    reason = 'ekiben_connections_closed_total{reason="head"}'
    count = figure(server, reason)
    with connect(server) as client, client.makefile("rb") as stream:
        for _turn in range(before):
            client.sendall(good(server))
            answers(stream, 1)
        client.sendall(sent.encode())
        if before and not sent:
            client.sendall(good(server))  # it is idle, not slow, and kept
            assert answers(stream, 1)[0][0] == 200
            return
        told = stream.read()
    assert told == b"" or told.startswith(b"HTTP/1.1 408 "), told
    assert bool(told) is (sent not in ("", "PRI * HT") or before > 0)
    assert figure(server, reason) >= count + 1


@pytest.mark.slow
def test_a_head_in_dribbles_ends_the_connection_too(server):
    with connect(server) as client, pytest.raises(ConnectionError):
        client.sendall(START)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            client.sendall(b"X-A: b\r\n")
            time.sleep(0.1)


@pytest.mark.slow
def test_a_body_that_stalls_is_refused_with_a_word(server):
    with connect(server) as client:
        client.sendall(good(server)[:-3])
        told = rest(client)
    assert told.startswith(b"HTTP/1.1 408 ") and b"slow_body" in told and b"connection: close" in told
    assert figure(server, 'ekiben_connections_closed_total{reason="body"}') >= 1


@pytest.mark.slow
def test_too_many_that_ask_nothing_make_room_for_who_asks(server):
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(connect(server))
        for _turn in range(3 * MOST):
            stack.enter_context(connect(server))
        for _turn in range(5):
            with connect(server) as client, client.makefile("rb") as stream:
                client.sendall(good(server))
                assert answers(stream, 1)[0][0] == 200
        assert figure(server, "ekiben_connections") <= MOST
        assert figure(server, 'ekiben_connections_closed_total{reason="crowded"}') >= 2 * MOST
        assert rest(kept) == b""


LEAVING = {
    "another route": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "another header": request(b'{"rows": []}', b"X-Odd: 1"),
    "chunks": START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "pipelined": request(b"{}") * 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("way", LEAVING)
@pytest.mark.parametrize("cut", [0, 25])
def test_after_what_goes_the_long_way_a_connection_comes_back_to_the_lane(server, way, cut):
    """A refusal tells who answered: in the lane its reason is a word of ours."""
    sent = LEAVING[way]
    with connect(server) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _turn in range(2):
            client.sendall(sent[:cut])
            time.sleep(0.05)
            client.sendall(sent[cut:])
            for _answer in range(sent.count(b"HTTP/1.1")):
                answers(stream, 1)
            client.sendall(request(b"[]"))
            assert stream.readline() == b"HTTP/1.1 400 Refused\r\n"
            length = 0
            while (line := stream.readline().strip()) != b"":
                length = int(line.split(b":")[1]) if line.startswith(b"content-length:") else length
            assert b"no_rows" in stream.read(length)
            client.sendall(good(server))
            assert answers(stream, 1)[0][0] == 200


class Unread:
    """Stands for a connection whose client takes nothing: a real one would take a minute."""

    waiting = False
    left = 0

    def __init__(self) -> None:
        self.unread = 100

    @property
    def stage(self) -> tuple[str, int]:
        return "unread", self.unread

    def leave(self, stage: str) -> None:
        self.left += 1


def test_an_answer_that_nobody_takes_is_given_up_and_one_that_moves_is_not():
    crowd = Crowd(Settings())
    stuck, moving = Unread(), Unread()
    crowd.connections = {stuck, moving}
    for second in range(int(STALLED)):
        moving.unread -= 1
        crowd.look(float(second))
    assert (stuck.left, moving.left) == (0, 0)
    crowd.look(STALLED)
    assert (stuck.left, moving.left) == (1, 0) and crowd.closed == {"unread": 1}


def test_who_is_new_where_all_are_busy_is_refused():
    class Transport:
        def __init__(self) -> None:
            self.told: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.told.append(data)

        def close(self) -> None:
            self.told.append(b"closed")

    crowd = Crowd(Settings())
    crowd.connections = {Unread() for _turn in range(4)}
    newcomer = Unread()
    newcomer.transport = Transport()
    crowd.room_for(newcomer)
    first, last = newcomer.transport.told
    assert first.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in first and last == b"closed"
    assert 0 < room(10**9) <= 10**9 and room(3) == 3
