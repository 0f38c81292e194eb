"""An ASGI middleware before the service: size limit, readable errors, our own pages.

What it does not know it hands on. BentoML's index page would load a script from another host, so
``/`` is answered here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .page import index
from .predictor import dumps, parse
from .problems import InvalidRows, problem

App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]

#: The largest body of a request in bytes.
LIMIT = 8 * 1024 * 1024

#: The language of the request under way, from its Accept-Language header.
language: ContextVar[str] = ContextVar("language", default="en")


class Gate:
    """Stands before the service's own application; ``contract`` is the path of ``contract.json``."""

    def __init__(self, app: App, contract: str | Path, name: str = "", limit: int = LIMIT) -> None:
        self.app = app
        self.limit = limit
        self.name = name
        self.contract = Path(contract).read_bytes()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request; anything but the routes below goes to the service untouched."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.lower(): value for name, value in scope["headers"]}
        language.set(headers.get(b"accept-language", b"en").decode("latin-1")[:2].lower())
        route = (scope["method"], scope["path"])
        if route == ("POST", "/predict"):
            return await self._predict(scope, receive, send, headers)
        if route == ("GET", "/contract"):
            return await _send(send, 200, self.contract)
        if route == ("GET", "/"):
            page = index(self.name, json.loads(self.contract), language.get())
            return await _send(send, 200, page.encode(), b"text/html; charset=utf-8")
        return await self.app(scope, receive, send)

    async def _predict(self, scope: Any, receive: Any, send: Any, headers: dict[bytes, bytes]) -> None:
        try:
            body = await self._read(receive, headers)
            parse(body)
        except InvalidRows as error:
            return await _send(send, error.status, dumps(error.body(language.get())))
        sent = False

        async def again() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return dict(await receive())
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        # Rows are JSON whatever the client calls them; BentoML would choose another reader by the name.
        plain = [entry for entry in scope["headers"] if entry[0].lower() != b"content-type"]
        scope = {**scope, "headers": [*plain, (b"content-type", b"application/json")]}
        return await self.app(scope, again, send)

    async def _read(self, receive: Any, headers: dict[bytes, bytes]) -> bytes:
        length = headers.get(b"content-length", b"0")
        too_large = InvalidRows([problem("$", "too_large", limit=self.limit)], status=413)
        if length.isdigit() and int(length) > self.limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > self.limit:
                raise too_large
            parts.append(part)
            if not message.get("more_body"):
                break
        return b"".join(parts)


async def _send(send: Any, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
