"""The BentoML service behind the gate: imported when a route is asked that only it has."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

#: In the scope of whatever passed a gate, so that the gate within BentoML's application lets it through.
PASSED = "gate.passed"


def edited(project: Path) -> bool:
    """Whether ``service.py`` says something else than when it was made; layout and comments don't count."""
    made = project / "runtime" / "as_made.py"
    service = project / "service.py"
    if not made.is_file() or not service.is_file():
        return False
    return _meaning(made) != _meaning(service)


def _meaning(file: Path) -> str:
    return ast.dump(ast.parse(file.read_text(encoding="utf-8")))


class Behind:
    """The ASGI application of ``module:Service``, made at the first request, or at the start if ``eager``."""

    def __init__(self, target: str, eager: bool = False) -> None:
        self.target = target
        self.eager = eager
        self._app: Any = None
        self._lock: asyncio.Lock | None = None
        self._ending: asyncio.Event | None = None
        self._life: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request of the service's own; or the server's lifespan, which is kept from BentoML."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        app = self._app or await self.open()
        await app({**scope, PASSED: True}, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            if self.eager:
                await self.open()
        except Exception as error:  # noqa: BLE001 - a service's own import may raise anything
            traceback.print_exc()
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def open(self) -> Any:
        """Imports the service and starts its application.

        Raises:
            Exception: whatever the import or the start of the service raises.
        """
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._app is None:
                loop = asyncio.get_running_loop()
                app = await loop.run_in_executor(None, _application, self.target)
                await self._begin(app)
                self._app = app
        return self._app

    async def _begin(self, app: Any) -> None:
        """Runs the application's lifespan in a task of its own, as a server would."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ending = asyncio.Event()
        told = False

        async def receive() -> dict[str, Any]:
            nonlocal told
            if told:
                await ending.wait()
                return {"type": "lifespan.shutdown"}
            told = True
            return {"type": "lifespan.startup"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete" and not begun.done():
                begun.set_result(None)
            elif message["type"] == "lifespan.startup.failed" and not begun.done():
                begun.set_exception(RuntimeError(message.get("message") or "The service did not start."))

        async def live() -> None:
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}, PASSED: True}
            try:
                await app(scope, receive, send)
            except Exception as error:  # noqa: BLE001 - the service's own start may raise anything
                if not begun.done():
                    begun.set_exception(error)

        self._ending = ending
        self._life = asyncio.create_task(live())
        await begun

    async def close(self) -> None:
        """Ends the application, where it was ever made."""
        if self._life and self._ending:
            self._ending.set()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._life, 5)


def _application(target: str) -> Any:
    module, _colon, attribute = target.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return getattr(import_module(module), attribute).to_asgi()
