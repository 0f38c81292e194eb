"""An engine for an edited service: every answer is that of the service's own ``/predict``."""

from __future__ import annotations

import json
from typing import Any

from .metrics import Metrics
from .problems import InvalidRows, problem


class Refused(InvalidRows):
    """What the edited service answered instead of an answer; ``told`` is its body."""

    def __init__(self, status: int, told: dict[str, Any]) -> None:
        super().__init__([problem("$", "refused", detail=str(told.get("error", status))[:300])], status)
        self._told = told

    def body(self, language: str = "en") -> dict[str, Any]:
        """The service's own words."""
        return self._told if "error" in self._told else super().body(language)


class Through:
    """Has what the gate asks of an engine; ``app`` is the edited service's application."""

    def __init__(self, app: Any, contract: dict[str, Any], tag: str) -> None:
        self.app = app
        self.contract = contract
        self.name, _colon, self.version = tag.partition(":")
        self.metrics = Metrics(self.name, self.version)
        self.ready = False

    async def answer_body(self, body: bytes, language: str = "en") -> bytes:
        """The service's answer to a body, as JSON bytes.

        Raises:
            InvalidRows: it answered anything but 200.
        """
        status = 500
        parts: list[bytes] = []
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        headers = [(b"content-type", b"application/json"), (b"accept-language", language.encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "root_path": "",
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
        }
        await self.app(scope, receive, send)
        answer = b"".join(parts)
        if status != 200:
            try:
                told = json.loads(answer)
            except ValueError:
                told = {}
            raise Refused(status, told if isinstance(told, dict) else {})
        return answer

    def close(self) -> None:
        """Nothing of its own is open."""
