"""Clients that are slow, that wait, that do not read, that ask on while the service stops: by real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time

import ekiben
import pytest
from ekiben import service
from rig.waiting import until
from test_lane import START, answers, request

pytestmark = pytest.mark.slow


def patient(rows):
    """Takes as many seconds as the row says, and answers with as many letters."""
    import time

    time.sleep(sum(row["seconds"] for row in rows))
    return ["x" * int(row["letters"]) for row in rows]


@pytest.fixture(scope="module")
def box():
    sample = [{"seconds": seconds, "letters": n} for n, seconds in enumerate([0.0, 0.001, 0.0])]
    return ekiben.wrap(patient, sample, name="patient", outside="accept")


@pytest.fixture(scope="module")
def server(box):
    with box.serve() as started:
        yield started


def body(letters: int = 2, seconds: float = 0.0) -> bytes:
    return json.dumps({"rows": [{"seconds": seconds, "letters": letters}]}).encode()


def connect(server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def asked(server, letters: int = 3) -> None:
    """Another client is answered meanwhile."""
    with connect(server) as other, other.makefile("rb") as stream:
        other.sendall(request(body(letters)))
        assert answers(stream, 1)[0][1]["predictions"] == ["x" * letters]


@pytest.mark.parametrize("before", [0, 2])
def test_who_expects_a_word_before_the_body_gets_it(server, before):
    sent = body(5)
    head = START + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(sent)
    with connect(server) as client, client.makefile("rb") as stream:
        for _turn in range(before):
            client.sendall(request(sent))
            answers(stream, 1)
        client.sendall(head)
        assert stream.readline().startswith(b"HTTP/1.1 100") and stream.readline() == b"\r\n"
        client.sendall(sent)
        ((status, told),) = answers(stream, 1)
        assert status == 200 and told["predictions"] == ["xxxxx"]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("whole", [0, 5, 400])
def test_what_comes_in_dribbles_is_answered_and_keeps_nobody_waiting(server, before, whole):
    """``whole`` bytes come at once and the rest byte by byte: within the head, or within the body."""
    with connect(server) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _turn in range(before):
            client.sendall(request(body()))
            answers(stream, 1)
        sent = request(body(4).replace(b"}]", b"}" + b" " * 300 + b"]"))
        client.sendall(sent[:whole])
        for at in range(whole, len(sent)):
            client.sendall(sent[at : at + 1])
            time.sleep(0.001)
            if at == len(sent) - 40:
                asked(server)
        ((status, told),) = answers(stream, 1)
        assert status == 200 and told["predictions"] == ["xxxx"]
        client.sendall(request(body(6)))
        assert answers(stream, 1)[0][1]["predictions"] == ["xxxxxx"]


def test_who_stops_within_a_body_keeps_nobody_waiting_and_may_go_away(server):
    stalled = [connect(server) for _n in range(20)]
    for client in stalled:
        client.sendall(request(body())[:-3])
    asked(server)
    for client in stalled:
        client.close()
    asked(server)
    assert server.watch()["now"]["in_flight"] == 0


def answered(server) -> int:
    return server.watch()["requests"].get("predict 200", 0)


def test_who_does_not_read_is_read_no_further_and_loses_nothing(server):
    """Each request is sent when the last was answered, so that the connection stays in the lane."""
    sent = request(body(200_000))
    before = answered(server)
    with connect(server) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        count, stalled = 0, False
        while not stalled:
            # What the system itself holds is far less than 60 MB.
            assert count < 300, "its answers are heaped up"
            client.sendall(sent)
            count += 1
            patience = time.monotonic() + 5
            while answered(server) - before < count and not stalled:
                stalled = time.monotonic() > patience
        asked(server)
        told = answers(stream, count)
        assert all(status == 200 and len(one["predictions"][0]) == 200_000 for status, one in told)
        client.sendall(request(body(9)))
        assert answers(stream, 1)[0][1]["predictions"] == ["x" * 9]
    assert server.watch()["now"]["in_flight"] == 0


def test_who_does_not_read_and_sends_on_is_read_no_further_either(server):
    """Requests run into each other, and uvicorn has the connection."""
    sent = request(body(20_000) + b" " * 4000)
    with socket.socket() as client:
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            client.setsockopt(socket.SOL_SOCKET, buffer, 65536)
        host, port = server.url.removeprefix("http://").split(":")
        client.connect((host, int(port)))
        client.settimeout(3)
        whole = 0
        rest = b""
        while not rest:
            assert whole * len(sent) < 32e6, "its answers are heaped up"
            pending = sent
            while pending:
                try:
                    pending = pending[client.send(pending) :]
                except TimeoutError:
                    rest = pending
                    break
            whole += not rest
        asked(server)
        client.settimeout(60)
        with client.makefile("rb") as stream:
            told = answers(stream, whole)
            client.sendall(rest)
            told += answers(stream, 1)
        assert all(status == 200 and len(one["predictions"][0]) == 20_000 for status, one in told)


def test_pipelined_requests_are_answered_in_their_order(server):
    sent = [request(body(letters, 0.2 if letters == 1 else 0.0)) for letters in range(1, 9)]
    for pieces in ([b"".join(sent)], sent, [b"".join(sent[:3]), b"".join(sent[3:])]):
        with connect(server) as client, client.makefile("rb") as stream:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.01)
            told = answers(stream, len(sent))
        assert [len(one["predictions"][0]) for _status, one in told] == list(range(1, 9))


def unhurried(rows):
    """Takes 5 ms, and as many seconds as the rows say."""
    import time

    time.sleep(sum(0.005 + row["seconds"] for row in rows))
    return [row["letters"] for row in rows]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
def test_a_stop_answers_what_was_sent_and_says_that_it_closes(monkeypatch):
    monkeypatch.setenv("EKIBEN_DRAIN", "60")
    sample = [{"seconds": 0.0, "letters": 1}, {"seconds": 0.001, "letters": 2}]
    server = ekiben.wrap(unhurried, sample, name="unhurried_lane", outside="accept").serve()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _n in range(3)]
        streams = [stack.enter_context(client.makefile("rb")) for client in clients]
        for client, stream in zip(clients, streams, strict=True):
            client.sendall(request(body()))
            assert b"connection:" not in answer(stream)[0]
        _idle, busy, late = clients
        busy.sendall(request(body(7, 4.0)))
        until(lambda: server.watch()["now"]["in_flight"], every=0.01)
        pid = server.record.pid
        os.kill(pid, signal.SIGSTOP)
        late.sendall(request(body(8)))  # it lies in the socket when the stop comes
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        for stream, letters in ((streams[1], 7), (streams[2], 8)):
            head, told = answer(stream)
            assert b"HTTP/1.1 200" in head and b"connection: close" in head
            assert told["predictions"] == [letters]
            assert stream.read() == b""
        assert streams[0].read() == b""
    until(lambda: not service.paths.alive(pid, server.record.birth))


def answer(stream) -> tuple[bytes, dict]:
    """The head and the body of an answer."""
    lines = [stream.readline()]
    while lines[-1].strip():
        lines.append(stream.readline())
    head = b"".join(lines)
    size = int(head.partition(b"content-length:")[2].split()[0])
    return head, json.loads(stream.read(size))
