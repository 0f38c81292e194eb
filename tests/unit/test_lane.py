"""The short lane gives what the long way gives, whatever pieces a request comes in."""

from __future__ import annotations

import json
import socket
import time
from urllib.request import urlopen

import pytest
from ekiben.runtime.engine import LARGE_BODY
from ekiben.runtime.lane import plain
from models import diabetes
from rig.boxes import kept
from rig.waiting import until

START = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def server():
    model, X = diabetes()
    with kept(model, X, "lane").serve() as started:
        yield started


def request(body: bytes, *more: bytes) -> bytes:
    head = b"".join(line + b"\r\n" for line in more)
    return START + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_only_a_plain_head_is_taken():
    def taken(sent: bytes):
        return plain(sent.partition(b"\r\n\r\n")[0])

    assert taken(request(b"{}", b"User-Agent: curl", b"X-Request-Id: a")) == (2, "en", b"a")
    assert taken(request(b"{}", b"Accept-Language: zh-CN", b"Connection: Keep-Alive")) == (2, "zh", b"")
    for other in (
        request(b"{}", b"Transfer-Encoding: chunked"),
        request(b"{}", b"Transfer-Encoding : chunked"),
        request(b"{}", b"Expect: 100-continue"),
        request(b"{}", b"Connection: close"),
        request(b"{}", b"Connection: upgrade"),
        request(b"{}", b"Content-Length: 2"),
        request(b"{}", b"Host: y"),
        request(b"{}", b" folded: x"),
        request(b"{}", b"Accept: a\nContent-Length: 3"),
        request(b"{}", b"Accept: a\x00"),
        request(b"{}", b"Accept: " + b"a" * 9000),
        request(b"{}").replace(b"Host: x\r\n", b""),
        request(b"{}").replace(b"Content-Length: 2\r\n", b""),
        request(b"{}").replace(b"th: 2", b"th: +2"),
        request(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(b"{}").replace(b"/predict", b"/predict?a=1"),
        b"",
    ):
        assert taken(other) is None, other


def answers(stream, count: int) -> list[tuple[int, dict]]:
    found = []
    for _turn in range(count):
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        found.append((status, json.loads(stream.read(length))))
    return found


def test_every_way_of_sending_it_gives_the_same_answer(server):
    golden = server.contract.golden
    body = json.dumps({"rows": list(golden.rows[:2])}).encode()
    whole = request(body)
    chunked = START + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    bad = request(b'{"rows": []}')
    host, port = server.url.removeprefix("http://").split(":")
    ways = {
        "kept alive": [whole, whole],
        "pipelined": [whole * 3],
        "pipelined behind one": [whole, whole * 2],
        "in pieces": [whole[:30], whole[30:-5], whole[-5:]],
        "piece after a whole": [whole + whole[:50], whole[50:]],
        "chunked between": [whole, chunked, whole],
        "expecting": [request(body, b"Connection: keep-alive"), whole],
        "refused between": [whole, bad, whole],
    }
    for way, pieces in ways.items():
        count = b"".join(pieces).count(START)
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            stream = connection.makefile("rb")
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.1)
            found = answers(stream, count)
        good = [told["predictions"] for status, told in found if status == 200]
        assert all(one == pytest.approx(golden.answers["predictions"][:2]) for one in good), way
        assert [status for status, _told in found].count(400) == (way == "refused between"), way
        assert len(good) == count - (way == "refused between"), way
    with urlopen(f"{server.url}/livez") as answer:
        assert answer.status == 200
    assert server.watch()["now"]["in_flight"] == 0


def test_a_large_body_is_answered_whole_and_in_its_turn(server):
    golden = server.contract.golden
    body = json.dumps({"rows": list(golden.rows[:2]) * 3000}).encode()
    assert len(body) > LARGE_BODY
    large = request(body)
    small = request(json.dumps({"rows": list(golden.rows[:1])}).encode())
    bad = request(body[:-2])
    slices = [large[at : at + 100_000] for at in range(0, len(large), 100_000)]
    host, port = server.url.removeprefix("http://").split(":")
    ways = {
        "whole": ([large], [6000]),
        "in pieces": (slices, [6000]),
        "head before body": ([large[: len(large) - len(body)], body, small], [6000, 1]),
        "pipelined": ([large + small + large], [6000, 1, 6000]),
        "a piece of the next": ([large + small[:9], small[9:]], [6000, 1]),
        "sent on meanwhile": ([small + large[:50], large[50:], small, large], [1, 6000, 1, 6000]),
        "refused between": ([small, bad, small], [1, 0, 1]),
    }
    for way, (pieces, counts) in ways.items():
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            stream = connection.makefile("rb")
            for piece in pieces:
                connection.sendall(piece)
            found = answers(stream, len(counts))
        for (status, told), count in zip(found, counts, strict=True):
            assert status == (200 if count else 400), way
            if count:
                assert len(told["predictions"]) == count, way
                wanted = golden.answers["predictions"][: min(count, 2)]
                assert told["predictions"][-len(wanted) :] == pytest.approx(wanted), way
            else:
                assert told["problems"][0]["code"] == "not_json", way
    assert server.watch()["now"]["in_flight"] == 0


def test_a_client_that_goes_away_leaves_nothing_behind(server):
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"rows": list(server.contract.golden.rows[:1])}).encode()
    for _turn in range(20):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(request(body))
    until(lambda: server.watch()["now"]["in_flight"] == 0)
    assert server.replay().passed
