"""Who may ask: an API key, and the pages of which other origins (CORS). Neither is on unless it is set.

The keys are those of ``keys.py``. A client sends one as ``Authorization: Bearer KEY`` or
``X-API-Key: KEY``, in gRPC as metadata of these names. Health routes are free.
``EKIBEN_CORS_ORIGINS`` is ``*`` or origins with commas between.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from .keys import Keys
from .predictor import dumps
from .problems import InvalidRows, problem
from .reply import Reply

FREE = frozenset(
    (
        "/livez",
        "/healthz",
        "/readyz",
        "/ping",
        "/v2/health/live",
        "/v2/health/ready",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
        "/grpc.health.v1.Health/Check",
    )
)


class Guard:
    """``keys`` are allowed (none: everybody is), and browsers on ``origins``."""

    def __init__(self, keys: Keys, origins: tuple[str, ...]) -> None:
        self.keys = keys
        self._keys = _digests(keys)
        self.origins = frozenset(origin.encode() for origin in origins)

    def turn(self, last: bool = False) -> None:
        """Takes changed keys, beside the requests (``aside.py``); what was sent with an old one is refused."""
        if self.keys.renewed():
            self._keys = _digests(self.keys)

    @property
    def keyed(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._keys)

    def refuses(self, scope: dict[str, Any]) -> bool:
        """Whether the request lacks a key; every key is compared in constant time."""
        if not self._keys or scope["path"] in FREE:
            return False
        headers = dict(scope["headers"])
        sent = headers.get(b"x-api-key", b"")
        kind, _space, credentials = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer":
            sent = credentials.strip()
        found = sha256(sent).digest()
        return not any([hmac.compare_digest(found, key) for key in self._keys])

    def refusal(self, scope: dict[str, Any], speaks: str) -> Reply:
        """401, in gRPC its status 16."""
        told = InvalidRows([problem("$", "no_key")], status=401).body(speaks)
        headers = dict(scope["headers"])
        if headers.get(b"content-type", b"").startswith(b"application/grpc"):
            message = str(told["error"]).encode("ascii", "replace")
            status = ((b"grpc-status", b"16"), (b"grpc-message", message))
            return Reply(200, b"", b"application/grpc", trailers=status)
        return Reply(401, dumps(told), headers=((b"www-authenticate", b"Bearer"),))

    def preflight(self, scope: dict[str, Any]) -> Reply | None:
        """The answer to a browser that asks beforehand; None to anything else."""
        headers = dict(scope["headers"])
        origin = self.allowed(headers.get(b"origin"))
        if scope["method"] != "OPTIONS" or b"access-control-request-method" not in headers or not origin:
            return None
        wanted = headers.get(b"access-control-request-headers", b"content-type")
        return Reply(
            204,
            headers=(
                (b"access-control-allow-methods", b"GET, POST"),
                (b"access-control-allow-headers", wanted),
                (b"access-control-max-age", b"600"),
            ),
        )

    def allowed(self, origin: bytes | None) -> bytes:
        """What ``Access-Control-Allow-Origin`` says to ``origin``; empty where it may not."""
        if origin is None:
            return b""
        if b"*" in self.origins:
            return b"*"
        return origin if origin in self.origins else b""

    def opening(self, scope: dict[str, Any], send: Any) -> Any:
        """``send``, with the header that lets a page of an allowed origin read the answer."""
        origin = self.allowed(dict(scope["headers"]).get(b"origin"))
        if not origin:
            return send

        async def opened(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                mine = [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
                message = {**message, "headers": [*message.get("headers", ()), *mine]}
            await send(message)

        return opened


def guard(environment: Mapping[str, str]) -> Guard | None:
    """The guard that the environment asks for; None where it asks for none.

    Raises:
        ValueError: the file of keys holds none.
        OSError: it cannot be read.
    """
    origins = [origin.strip() for origin in environment.get("EKIBEN_CORS_ORIGINS", "").split(",")]
    keys, allowed = Keys(environment), tuple(filter(None, origins))
    return Guard(keys, allowed) if keys.known or allowed else None


def _digests(keys: Keys) -> list[bytes]:
    return [sha256(key.encode()).digest() for key in keys.known]
