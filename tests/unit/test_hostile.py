"""Bytes that nobody means well with, by real sockets on every protocol: refused in words, and nothing stays."""

from __future__ import annotations

import gzip
import json
import socket

import ekiben
import psutil
import pytest
from models import applicants
from test_lane import answers

ODD = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "0x1", "1.", "'x'", "[1, 2]", "{}", "9" * 400),
    *("9" * 5000, "[" * 500, '{"a":' * 500, r'"\ud800"', r'"\u0000"', '{"b64": "!!"}', '{"b64": "/w=="}'),
)
#: What follows the head of a request and is no body of HTTP/1.1.
BROKEN = (
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 99999999999999999999\r\n\r\n",
    b"Content-Length: 99999999\r\n\r\nabc",
    b"X: \x00\r\n\r\n",
)


@pytest.fixture(scope="module")
def server():
    model, X = applicants()
    with ekiben.wrap(model, X, name="hostile").serve() as started:
        yield started


def connect(server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def routes() -> dict[str, str]:
    """A protocol's path, and the key of its rows."""
    name = "hostile"
    return {
        "/predict": "rows",
        f"/v1/models/{name}:predict": "instances",
        f"/v1/models/{name}:classify": "examples",
        f"/v2/models/{name}/infer": "inputs",
        "/invocations": "dataframe_records",
    }


def head(path: str, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    return "".join(f"{line}\r\n" for line in lines).encode()


def whole(path: str, body: bytes, *more: str) -> bytes:
    return head(path, *more, f"Content-Length: {len(body)}") + b"\r\n" + body


@pytest.mark.slow
def test_odd_values_are_taken_or_refused_and_never_fail(server):
    row = dict(server.contract.golden.rows[0])
    with connect(server) as client, client.makefile("rb") as stream:
        for path, key in routes().items():
            for odd in ODD:
                sent = [f'{{"{key}": {odd}}}', odd]
                for name in row:
                    fields = ", ".join(
                        f"{json.dumps(field)}: {odd if field == name else json.dumps(value)}"
                        for field, value in row.items()
                    )
                    sent.append(f'{{"{key}": [{{{fields}}}]}}')
                for body in sent:
                    client.sendall(whole(path, body.encode()))
                    ((status, told),) = answers(stream, 1)
                    assert status in (200, 400), (path, body[:200], told)
                    assert status == 200 or told["problems"][0]["message"]
    assert server.replay().passed and server.watch()["now"]["in_flight"] == 0


@pytest.mark.slow
def test_bodies_that_are_packed_broken_or_endless_are_refused(server):
    bomb = gzip.compress(b" " * 50_000_000)
    for path, key in routes().items():
        good = json.dumps({key: list(server.contract.golden.rows[:1])}).encode()
        for body, packed in (
            (bomb, "gzip"),
            (gzip.compress(good)[:-4], "gzip"),
            (good, "gzip"),
            (b"\x80" * 300_000, "identity"),
            (b'{"%b": [' % key.encode() + b"1," * 1_000_000 + b"1]}", "identity"),
            (b"[" * 300_000, "identity"),
            (b"", "identity"),
        ):
            with connect(server) as client, client.makefile("rb") as stream:
                client.sendall(whole(path, body, f"Content-Encoding: {packed}"))
                ((status, told),) = answers(stream, 1)
            assert status in (400, 413, 415), (path, body[:20], packed, told)
        with connect(server) as client, client.makefile("rb") as stream:
            client.sendall(whole(path, gzip.compress(good), "Content-Encoding: gzip"))
            ((status, told),) = answers(stream, 1)
            assert status == (200 if key != "inputs" else 400), told
        for rest in BROKEN:
            with connect(server) as client, client.makefile("rb") as stream:
                client.sendall(head(path) + rest)
                assert stream.readline()[9:10] == b"4", (path, rest)
    assert server.replay().passed and server.watch()["now"]["in_flight"] == 0
    assert psutil.Process(server.record.pid).is_running()
