"""Connections that stay open from one request to the next, for ``urllib.request``, which closes each of its own.

What ``urllib`` knows of proxies and redirects stays; only the opening and the end of a connection are ours.
"""

from __future__ import annotations

import os
import select
import ssl
import time
from collections import defaultdict, deque
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPHandler, HTTPSHandler, Request

#: Seconds that a connection is kept with nothing to do; servers close theirs after a minute or more.
_IDLE = 20.0
#: Whose the connection is, and where it leads: process, scheme, host, host behind a proxy, trust.
_Key = tuple[int, str, str, str, ssl.SSLContext | None]
#: Connections with nothing to do, and since when. A process that was forked off has none.
_free: defaultdict[_Key, deque[tuple[HTTPConnection, float]]] = defaultdict(deque)


def _taken(key: _Key) -> HTTPConnection | None:
    """An open connection with nothing to do; one that the other side has closed, or said something on, is none."""
    while True:
        try:
            connection, since = _free[key].pop()
        except IndexError:
            return None
        silent = time.monotonic() - since < _IDLE and connection.sock is not None
        if silent and not select.select([connection.sock], [], [], 0)[0]:
            return connection
        connection.close()


def give_back(response: Any) -> None:
    """The connection of an answer that was read to its end serves the next request; any other is closed."""
    kept: tuple[_Key, HTTPConnection] | None = getattr(response, "kept", None)
    if kept is None:
        return
    key, connection = kept
    response.kept = None
    if response.isclosed() and connection.sock is not None:
        _free[key].append((connection, time.monotonic()))
    else:
        connection.close()


def _sent(kind: type[HTTPConnection], request: Request, trust: ssl.SSLContext | None) -> HTTPResponse:
    """The answer to a request, on a connection that is open already where there is one.

    Raises:
        URLError: the server cannot be reached.
    """
    headers = {
        name.title(): value for name, value in {**request.headers, **request.unredirected_hdrs}.items()
    }
    behind: str = getattr(request, "_tunnel_host", None) or ""
    assert request.host is not None
    key = (os.getpid(), kind.__name__, request.host, behind, trust)
    # For a proxy that leads to a TLS server, and for nobody else.
    told = {name: headers.pop(name) for name in ("Proxy-Authorization",) if behind and name in headers}
    timeout: Any = request.timeout
    data: Any = request.data
    trusted: Any = {"context": trust} if trust else {}
    connection = _taken(key)
    if connection is None:
        connection = kind(request.host, timeout=timeout, **trusted)
        if behind:
            connection.set_tunnel(behind, headers=told)
    elif connection.sock is not None:
        connection.sock.settimeout(timeout)
    try:
        try:
            connection.request(request.get_method(), request.selector, data, headers)
        except OSError as problem:
            raise URLError(problem) from problem
        response = connection.getresponse()
    except BaseException:
        connection.close()
        raise
    # What urllib's redirects and errors read.
    response.url = request.full_url
    response.msg = response.reason  # type: ignore[assignment]
    # A server that closes has the connection's socket taken away by http.client itself.
    response.kept = (key, connection)  # type: ignore[attr-defined]
    return response


class Plain(HTTPHandler):
    """HTTP."""

    def http_open(self, request: Request) -> HTTPResponse:
        """Sends it."""
        return _sent(HTTPConnection, request, None)


class Secure(HTTPSHandler):
    """HTTP over TLS, with the authorities of ``context``."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trust = context

    def https_open(self, request: Request) -> HTTPResponse:
        """Sends it."""
        return _sent(HTTPSConnection, request, self._trust)
