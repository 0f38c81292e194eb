"""A worker's line to the process that watches over it (``supervise.py``).

A thread of its own tells how the worker is once a second and hears what its siblings counted. When
the other end is gone, the worker ends as well: nobody would restart or stop it any more.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import threading
import time
from typing import Any

#: Seconds between two words to the supervisor.
BEAT = 1.0


class Siblings:
    """``engine`` may be set later; until then the worker is told as starting."""

    def __init__(self, descriptor: int, drain: float) -> None:
        self.line = socket.socket(fileno=descriptor)
        self.drain = drain
        self.engine: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned = time.monotonic()
        threading.Thread(target=self._live, name="siblings", daemon=True).start()

    def ready(self, engine: Any) -> None:
        """The worker answers from now on, with ``engine`` on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._turned = time.monotonic()
        self.engine = engine
        self._tell()

    def _live(self) -> None:
        heard = b""
        while True:
            try:
                if select.select([self.line], [], [], BEAT)[0]:
                    part = self.line.recv(1 << 20)
                    if not part:
                        break
                    heard += part
                    *lines, heard = heard.split(b"\n")
                    if lines and self.engine:
                        self.engine.metrics.others = lines[-1]
                elif self.engine:
                    self._tell()
            except OSError:
                break
        self._leave()

    def _tell(self) -> None:
        """One line: the figures, and for how many seconds the event loop or a call has hung."""
        loop, engine = self._loop, self.engine
        hangs = time.monotonic() - self._turned if engine.ready else 1e6
        if loop and not loop.is_closed():
            loop.call_soon_threadsafe(self._turn)
        told = {"hangs": max(0.0, hangs - BEAT), "figures": engine.metrics.figures()}
        self.line.sendall(json.dumps(told).encode() + b"\n")

    def _turn(self) -> None:
        self._turned = time.monotonic()

    def _leave(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self.drain + 1)
        os._exit(1)
