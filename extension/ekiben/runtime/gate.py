"""The ASGI application in front of the service: answers what it knows, hands on what it does not.

``/predict`` is answered here by the engine, without BentoML's middlewares; so are other serving systems'
protocols, whose modules are imported when they are first asked. The service's further routes
are BentoML's own. Where ``service.py`` was edited, every answer is what the edited service says, and the
gate only guards it: size limit and readable errors. BentoML's index page would load a script from
another host, so ``/`` is answered here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any

from . import store
from .aside import Aside
from .behind import PASSED, edited
from .engine import Engine
from .journal import Journal, marks, troubled
from .page import index
from .predictor import Predictor, dumps, parse
from .problems import InvalidRows, problem
from .refusal import refusal, retry
from .reply import Reply
from .settings import Settings
from .through import Through

App = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]

#: The language of the request under way, from its Accept-Language header.
language: ContextVar[str] = ContextVar("language", default="en")


class Gate:
    """Stands before the service's own application ``app``.

    ``contract`` is the path of the project's ``contract.json`` and ``name`` the model's tag.
    """

    def __init__(
        self, app: App, contract: str | Path, name: str = "", settings: Settings | None = None
    ) -> None:
        self.app = app
        self.name = name
        self.settings = settings or Settings.read()
        self.project = Path(contract).resolve().parent
        self.contract = Path(contract).read_bytes()
        self.edited = edited(self.project)
        self.engine: Any = None
        self.journal = Journal(self.settings.log, self.settings.payloads)
        self.aside: Aside | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request; anything but the routes below goes to the service untouched."""
        if scope["type"] == "http" and PASSED not in scope:
            path = scope["path"]
            guard = self.settings.guard
            if guard:
                send = guard.opening(scope, send)
                reply = guard.preflight(scope)
                if reply is None and guard.refuses(scope):
                    reply = guard.refusal(scope, _language(scope))
                if reply:
                    return await _send(send, reply)
            if path == "/predict" and scope["method"] == "POST":
                return await self._predict(scope, receive, send)
            found = _PAGES.get(path)
            if found and not (self.edited and path == "/docs.json") and scope["method"] in ("GET", "HEAD"):
                return await _send(send, found(self, _language(scope)))
            protocol = _PROTOCOLS.get(path.split("/", 2)[1] if path.startswith("/") else "")
            if protocol and (not self.edited or path.startswith(_ROUTES)):
                return await self._speak(protocol, scope, receive, send)
        elif scope["type"] == "lifespan" and PASSED not in scope:
            try:
                self.open()
            except Exception as error:  # noqa: BLE001 - told, or the server would go on without a model
                traceback.print_exc()
                await receive()
                told = f"{type(error).__name__}: {error}"
                await send({"type": "lifespan.startup.failed", "message": told})
                return None
            try:
                return await self.app(scope, receive, send)
            finally:
                self.close()
        return await self.app(scope, receive, send)

    # -- life ----------------------------------------------------------------------------------------

    def open(self) -> Any:
        """Loads the model and starts the engine on the running event loop; twice is once.

        Raises:
            Exception: whatever loading the model raises.
        """
        if self.engine is None:
            if self.edited:
                print("service.py was edited: every answer goes through it.", file=sys.stderr, flush=True)
                self.engine = Through(self.app, json.loads(self.contract), self.name)
                self.engine.ready = True
            else:
                engine = Engine(Predictor.at(store.find(self.name, self.project)), self.settings.limits)
                engine.warm()
                engine.start()
                self.engine = engine
            parts = (getattr(self.engine, name, None) for name in ("drift", "recorder"))
            self.aside = Aside(self.journal, self.settings.guard, *parts)
        return self.engine

    def close(self) -> None:
        """Ends the engine; what waits to be written is written."""
        self.engine.close()
        if self.aside:
            self.aside.close()

    # -- requests ------------------------------------------------------------------------------------

    async def _predict(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        engine = self.engine or self.open()
        begin = time.perf_counter()
        speaks, identity = _marks(scope)
        body = b""
        engine.metrics.in_flight += 1
        try:
            try:
                body = await self._read(scope, receive)
                packed = (
                    dict(scope["headers"]).get(b"content-encoding", b"").decode("latin-1").strip().lower()
                )
                if packed not in ("", "identity"):
                    body = await self._unpacked(body, packed)
                if self.edited:
                    parse(body)
                answer = await engine.answer_body(body, speaks)
            finally:
                engine.metrics.in_flight -= 1
            reply = Reply(200, answer)
        except Exception as error:  # noqa: BLE001 - the model may raise anything
            refused = self._refusal(error, identity)
            reply = Reply(refused.status, dumps(refused.body(speaks)), headers=retry(error))
        self._told("predict", scope, identity, body, reply, begin)
        await _send(send, reply)

    def _refusal(self, error: Exception, identity: bytes) -> InvalidRows:
        """What the client is told of ``error``, which is counted and, where it is ours, logged."""
        troubled.set(identity.decode("latin-1"))
        refused = refusal(error)
        if refused.status in (400, 413):
            self.engine.metrics.refused(refused.problems, self.engine.contract["inputs"])
        return refused

    def _told(
        self,
        protocol: str,
        scope: dict[str, Any],
        identity: bytes,
        body: bytes,
        reply: Reply,
        begin: float,
        status: int = 0,
    ) -> None:
        """Counts the answer and notes it down; the answer carries the request's id.

        ``status`` is HTTP's, where the protocol has one of its own (gRPC).
        """
        self._note(protocol, scope, identity, body, status or reply.status, begin)
        reply.headers += ((b"x-request-id", identity),)

    def _note(
        self, protocol: str, scope: dict[str, Any], identity: bytes, body: bytes, status: int, begin: float
    ) -> None:
        took = time.perf_counter() - begin
        self.engine.metrics.answered(protocol, status, took)
        self.journal.add(identity, scope["method"], scope["path"], status, took, body)

    def _counter(self, protocol: str, scope: dict[str, Any], identity: bytes) -> Any:
        """For a stream: waits for the work on one of its messages, counts it, gives a refusal as a value."""

        async def counted(work: Awaitable[Any], body: bytes) -> Any:
            begin = time.perf_counter()
            status = 200
            self.engine.metrics.in_flight += 1
            try:
                return await work
            except asyncio.CancelledError:
                status = GONE
                raise
            except Exception as error:  # noqa: BLE001 - the model may raise anything
                refused = self._refusal(error, identity)
                status = refused.status
                return refused
            finally:
                self.engine.metrics.in_flight -= 1
                self._note(protocol, scope, identity, body, status, begin)

        return counted

    async def _speak(self, protocol: str, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request of another system's protocol (``protocols/``)."""
        spoken = import_module(f".protocols.{protocol}", __package__)
        from .protocols.call import Call

        engine = self.engine or self.open()
        begin = time.perf_counter()
        speaks, identity = _marks(scope)
        asked = scope["method"] not in ("GET", "HEAD")
        call = Call(
            engine=engine,
            method=scope["method"],
            path=scope["path"],
            headers=dict(scope["headers"]),
            language=speaks,
            limit=self.settings.body_bytes,
            trailers="http.response.trailers" in scope.get("extensions", ()),
            ending=scope.get("extensions", {}).get("runtime.ending"),
        )
        if call.path == _STREAM and call.trailers:
            from .protocols.streaming import converse

            return await converse(call, receive, send, self._counter(spoken.NAME, scope, identity), identity)
        engine.metrics.in_flight += asked
        try:
            try:
                call.body = await self._read(scope, receive) if asked else b""
                reply = await spoken.answer(call)
            finally:
                engine.metrics.in_flight -= asked
            status = reply.status
        except asyncio.CancelledError:  # the client is gone, or the server's time to stop is over
            self._note(spoken.NAME, scope, identity, call.body, GONE, begin)
            raise
        except Exception as error:  # noqa: BLE001 - the model may raise anything
            refused = self._refusal(error, identity)
            status = refused.status
            reply = spoken.trouble(refused, call)
            reply.headers += retry(error)
        if asked:
            self._told(spoken.NAME, scope, identity, call.body, reply, begin, status)
        await _send(send, reply)

    async def _read(self, scope: dict[str, Any], receive: Any) -> bytes:
        """The whole body.

        Raises:
            InvalidRows: it is larger than the limit, or does not arrive within a request's time.
        """
        seconds = self.settings.limits.seconds
        task: Any = asyncio.current_task()
        late = False

        def end() -> None:
            nonlocal late
            late = True
            task.cancel()

        # A timer costs a tenth of what wait_for does.
        timer = asyncio.get_running_loop().call_later(seconds, end)
        try:
            return await self._whole(scope, receive)
        except asyncio.CancelledError:
            if late:
                if hasattr(task, "uncancel"):  # Python 3.11
                    task.uncancel()
                raise InvalidRows([problem("$", "slow_body", seconds=f"{seconds:g}")], 408) from None
            raise
        finally:
            timer.cancel()

    async def _unpacked(self, body: bytes, packed: str) -> bytes:
        """A body that was sent with ``Content-Encoding``, unpacked beside the event loop.

        Raises:
            InvalidRows: it is of another encoding, damaged, or larger than the limit once unpacked.
        """
        from .protocols.call import inflate

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, inflate, body, packed, self.settings.body_bytes)

    async def _whole(self, scope: dict[str, Any], receive: Any) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        limit = self.settings.body_bytes
        if not message.get("more_body"):
            if len(body) > limit:
                raise _too_large(limit)
            return bytes(body)
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(parts)

    # -- pages ---------------------------------------------------------------------------------------

    def page_index(self, speaks: str) -> Reply:
        """``/``: what the service takes, and how to call it."""
        page = index(self.name, json.loads(self.contract), speaks)
        return Reply(200, page.encode(), b"text/html; charset=utf-8")

    def page_docs(self, speaks: str) -> Reply:
        """``/docs.json``: OpenAPI's description of all routes."""
        from .openapi import document

        keyed = bool(self.settings.guard and self.settings.guard.keyed)
        return Reply(200, json.dumps(document(self.name, json.loads(self.contract), keyed)).encode())

    def page_contract(self, speaks: str) -> Reply:
        """``/contract``."""
        return Reply(200, self.contract)

    def page_metrics(self, speaks: str) -> Reply:
        """``/metrics``, as Prometheus scrapes it."""
        engine = self.engine or self.open()
        return Reply(200, engine.metrics.page(), b"text/plain; version=0.0.4; charset=utf-8")

    def page_watch(self, speaks: str) -> Reply:
        """``/watch``: the same figures as JSON, and drift by field, for who watches."""
        engine = self.engine or self.open()
        return Reply(200, json.dumps(engine.metrics.watch()).encode())

    def page_live(self, speaks: str) -> Reply:
        """``/livez`` and ``/healthz``: the process answers."""
        return Reply(200, b"{}")

    def page_ready(self, speaks: str) -> Reply:
        """``/readyz``: the model is loaded and no call of it hangs."""
        ready = self.engine is not None and self.engine.ready
        return Reply(200 if ready else 503, b"{}")


_PAGES: dict[str, Callable[[Gate, str], Reply]] = {
    "/": Gate.page_index,
    "/contract": Gate.page_contract,
    "/docs.json": Gate.page_docs,
    "/metrics": Gate.page_metrics,
    "/livez": Gate.page_live,
    "/healthz": Gate.page_live,
    "/readyz": Gate.page_ready,
    "/watch": Gate.page_watch,
}
#: The first part of a path, and the module of ``protocols/`` that answers below it.
_PROTOCOLS = {
    "v1": "v1",
    "v2": "v2",
    "invocations": "invocations",
    "ping": "invocations",
    "inference.GRPCInferenceService": "grpc",
    "tensorflow.serving.PredictionService": "grpc",
    "tensorflow.serving.ModelService": "grpc",
    "grpc.health.v1.Health": "grpc",
}
_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
#: What is counted of a request whose client took it back; no HTTP status of its own says so.
GONE = 499
#: An edited service may have routes of its own beside these.
_ROUTES = (
    "/v1/models",
    "/v2/health",
    "/v2/models",
    "/invocations",
    "/ping",
    "/inference.",
    "/tensorflow.",
    "/grpc.",
)


def _marks(scope: dict[str, Any]) -> tuple[str, bytes]:
    """The client's language and the request's id."""
    found = marks(scope["headers"])
    if found[0] != "en":
        language.set(found[0])
    return found


def _language(scope: dict[str, Any]) -> str:
    return _marks(scope)[0]


def _too_large(limit: int) -> InvalidRows:
    return InvalidRows([problem("$", "too_large", limit=limit)], status=413)


async def _send(send: Any, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    start = {"type": "http.response.start", "status": reply.status, "headers": headers}
    if reply.trailers:
        start["trailers"] = True
    await send(start)
    await send({"type": "http.response.body", "body": reply.body})
    if reply.trailers:
        await send({"type": "http.response.trailers", "headers": list(reply.trailers)})
