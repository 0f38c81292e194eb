"""A load on a service: so many connections, each sends when its last answer came.

``pause`` is the seconds between an answer and the next request; ``pace`` keeps a connection at so many
requests a second, as far as answers come in time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came back: statuses, broken connections, seconds of each answer with status 200, in order."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    seconds: list[float] = field(default_factory=list)
    retry_after: Counter[str] = field(default_factory=Counter)

    def percentile(self, part: float) -> float:
        """Seconds within which ``part`` (0 to 1) of the good answers came."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * part))]


class Loader:
    """Loads ``url`` while it is entered; ``load`` fills meanwhile."""

    def __init__(
        self,
        url: str,
        body: bytes,
        connections: int = 8,
        path: str = "/predict",
        pause: float = 0.0,
        pace: float | None = None,
    ) -> None:
        host, _colon, port = url.removeprefix("http://").partition(":")
        self.address = (host, int(port))
        self.request = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.connections = connections
        self.pause = pause
        self.pace = pace
        self.load = Load()

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._one()) for _ in range(self.connections)]
        return self.load

    async def __aexit__(self, *_exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self.address)
            except OSError:
                self.load.broken += 1
                await asyncio.sleep(0.05)
                continue
            try:
                due = time.perf_counter()
                while await self._ask(reader, writer):
                    if self.pace:
                        due = max(due + 1 / self.pace, time.perf_counter() - 1)
                    await asyncio.sleep(max(self.pause, due - time.perf_counter() if self.pace else 0))
            except (OSError, asyncio.IncompleteReadError):
                self.load.broken += 1
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays."""
        begin = time.perf_counter()
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        status = int(head[0].split()[1])
        self.load.statuses[status] += 1
        if status == 200:
            self.load.seconds.append(time.perf_counter() - begin)
        elif status == 503:
            self.load.retry_after[headers.get("retry-after", "")] += 1
        return headers.get("connection") != "close"


async def under_load(loader: Loader, seconds: float) -> Load:
    """The load of ``seconds`` seconds."""
    async with loader as load:
        await asyncio.sleep(seconds)
    return load
