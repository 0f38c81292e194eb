"""The connections of a process: none is kept for nothing, and there are no more than there is room for.

All are looked at once a second, so that a request pays nothing for it: whoever has not sent a whole head,
or a whole body, or has not taken a byte of its answer in so many seconds is left. Where there are too many,
those that have waited longest without a request make room; a newcomer is refused only where all are busy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from .settings import Settings

#: Seconds between two looks, and seconds in which an answer must move.
TURN, STALLED = 1.0, 60.0
#: Descriptors that the process keeps for other things than connections.
OTHERS = 128
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
)
SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Crowd:
    """Looks after the connections of ``uvicorn``'s server. ``closed`` counts those that were ended, by reason."""

    def __init__(self, settings: Settings) -> None:
        self.most = room(settings.connections)
        self.limits = {"head": settings.head, "body": settings.limits.seconds, "unread": STALLED}
        self.closed: Counter[str] = Counter()
        self.connections: set[Any] = set()
        self._seen: dict[Any, tuple[Any, float]] = {}

    def open(self, connections: set[Any]) -> None:
        """Begins to look, on the running event loop."""
        self.connections = connections
        self._turn(asyncio.get_running_loop())

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self.look(loop.time())
        loop.call_later(TURN, self._turn, loop)

    def look(self, now: float) -> None:
        """Ends whatever has been in one stage (``Door.stage``) for too long; ``now`` in seconds."""
        before, self._seen = self._seen, {}
        for one in list(self.connections):
            stage = one.stage
            limit = self.limits.get(stage[0])
            if limit is None:
                continue
            known, since = before.get(one, (None, now))
            if known != stage:
                since = now
            if now - since < limit:
                self._seen[one] = stage, since
            else:
                self.closed[stage[0]] += 1
                one.leave(stage[0])

    def room_for(self, newcomer: Any) -> None:
        """Called where there are too many, ``newcomer`` among them."""
        idle = [one for one in self.connections if one.waiting and one is not newcomer]
        if not idle:
            self.closed["refused"] += 1
            newcomer.transport.write(REFUSAL)
            newcomer.transport.close()
            return
        # Some at once, for looking for them takes its time.
        for one in sorted(idle, key=lambda one: one.since)[: max(1, self.most // 16)]:
            self.closed["crowded"] += 1
            self.connections.discard(one)
            one.transport.abort()


def room(asked: int) -> int:
    """How many connections there may be: as many as asked, or as the process may have files open."""
    try:
        import resource
    except ImportError:  # Windows
        return asked
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return asked if files == resource.RLIM_INFINITY else max(1, min(asked, files - OTHERS))
