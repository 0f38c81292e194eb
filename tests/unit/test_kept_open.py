"""Connections that stay open: used again, through a proxy too, and never one that the server has closed."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import OpenerDirector, ProxyHandler, build_opener

import pytest
import trustme
from ekiben.builders.oci import kept_open


class Handler(BaseHTTPRequestHandler):
    """Notes each connection and request; ``/missing`` is not there, ``/moved`` leads on, ``/last`` ends it."""

    protocol_version = "HTTP/1.1"
    server: Any

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.client_address)

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Proxy-Authorization")))
        body = b"here" if self.path != "/missing" else b"no"
        self.send_response({"/missing": 404, "/moved": 302}.get(self.path, 200))
        self.send_header("Location", "/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path == "/last"

    def do_CONNECT(self) -> None:
        """A proxy's part: the bytes of both sides are handed over until one has ended."""
        self.server.requests.append((self.path, self.headers.get("Proxy-Authorization")))
        host, _colon, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as other:
            self.send_response(200)
            self.end_headers()
            sides = {self.connection: other, other: self.connection}
            while True:
                for one in select.select(list(sides), [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    sides[one].sendall(data)

    def log_message(self, *_parts: Any) -> None:
        """The lists tell."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.connections, server.requests = [], []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def got(opener: OpenerDirector, url: str) -> bytes:
    with opener.open(url, timeout=20) as response:
        body: bytes = response.read()
        kept_open.give_back(response)
        return body


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """No connection is left from another test, nor for one."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for waiting in kept_open._free.values():
        while waiting:
            waiting.pop()[0].close()


def close_all() -> None:
    for waiting in kept_open._free.values():
        for connection, _since in waiting:
            connection.close()


def test_one_connection_serves_many_requests_and_refusals() -> None:
    opener = build_opener(ProxyHandler({}), kept_open.Plain())
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        assert [got(opener, url + path) for path in ("/a", "/b")] == [b"here", b"here"]
        with pytest.raises(HTTPError) as refused:
            got(opener, url + "/missing")
        assert refused.value.read() == b"no"
        kept_open.give_back(refused.value.fp)
        assert got(opener, url + "/c") == b"here"
        assert len(server.connections) == 1
        assert got(opener, url + "/moved") == b"here", "redirects are followed as ever"
        assert [path for path, _told in server.requests[-2:]] == ["/moved", "/"]
        close_all()


def test_one_that_the_server_closes_is_not_used_again() -> None:
    opener = build_opener(ProxyHandler({}), kept_open.Plain())
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        assert got(opener, url + "/last") == b"here"
        ((waiting, _since),) = (one for each in kept_open._free.values() for one in each)
        assert waiting.sock is not None and select.select([waiting.sock], [], [], 20)[0], "its end has come"
        assert got(opener, url + "/a") == b"here"
        assert len(server.connections) == 2
        close_all()


def test_tls_behind_a_proxy_that_wants_a_password(tmp_path: Path) -> None:
    authority = trustme.CA()
    told = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(told)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with serving() as proxy, serving(told) as server:
        way = ProxyHandler({"https": f"http://me:secret@127.0.0.1:{proxy.server_port}"})
        opener = build_opener(way, kept_open.Plain(), kept_open.Secure(trust))
        url = f"https://127.0.0.1:{server.server_port}"
        assert [got(opener, url + path) for path in ("/a", "/b")] == [b"here", b"here"]
        password = "Basic " + base64.b64encode(b"me:secret").decode()
        assert proxy.requests == [(f"127.0.0.1:{server.server_port}", password)]
        assert server.requests == [("/a", None), ("/b", None)], "the password is the proxy's alone"
        assert len(server.connections) == 1
        close_all()
