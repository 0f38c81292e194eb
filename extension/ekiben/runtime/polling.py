"""Staying awake for a client that asks again at once.

A processor that sleeps until the next request must be woken for it, which takes some microseconds on a
machine of one's own and some fifty on a virtual one: longer than a small model. So where one connection
asks, is answered and asks again, the event loop goes on turning for up to ``BOUND`` after an answer (its
callbacks' queue is not empty, and it looks at its sockets without waiting) instead of sleeping.

Whether that is worth it is measured, as for batches: the time from an answer to the connection's next request
is averaged for both ways, and one polls only where that has made it shorter. It does not where the client
needs the same processor, so that this ends after a few answers there. What comes later than ``PAUSE``
after an answer is a pause, and some requests without one must follow before anything is polled again: an
idle or slowly asked service burns nothing. With company (requests on another connection) there is no
polling at all, as somebody is always under way then.

The price is that a processor is busy the whole time while one client asks as fast as it can, where
it was for the greater part before. ``Polling.seconds`` counts what was spent so, and ``/metrics`` tells it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds after an answer in which one polls, and after which a client has paused.
BOUND = 0.00015
PAUSE = 2 * BOUND
#: Answers without a pause before one measures, and answers after another connection had a request.
ALONE, COMPANY = 4, 16
#: Polling must make the gap shorter by this part.
WORTH = 0.9
#: An average is of so many gaps; so many are measured without polling before the first with it.
KEPT = 8
#: While one polls, every so many answers one does not, to compare. Where it was in vain, nothing is even
#: measured for so many answers: twice as many each time, up to ``RARE``.
OFTEN, RARE = 64, 1024
#: Folders that tell a container's limit: of version 2 of control groups, and of version 1.
GROUPS = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")


class Polling:
    """Polls for the connections of one event loop. ``clock`` gives seconds."""

    __slots__ = ("clock", "count", "every", "gaps", "last", "polled", "rest", "seconds", "seen", "since",
                 "turning", "until")  # fmt: skip

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        #: The average gap in seconds without and with polling, and of how many gaps it is.
        self.gaps = [0.0, 0.0]
        self.seen = [0, 0]
        #: Seconds that were spent so in all.
        self.seconds = 0.0
        #: The connection that asked last, and how many answers are left alone.
        self.last: Any = None
        self.rest = 0
        #: Answers since the last comparison, and the next rest.
        self.count, self.every = 0, OFTEN
        #: Whether this gap is polled, and the loop turns.
        self.polled = self.turning = False
        #: When the answer was given, and till when one polls; 0 where neither matters.
        self.since = self.until = 0.0

    def answered(self, connection: Any) -> None:
        """``connection`` was answered, and has nothing else under way."""
        self.last = connection
        if self.rest:
            self.rest -= 1
            return
        self.since = now = self.clock()
        self.polled = self.seen[False] >= KEPT
        if self.polled:
            self.count += 1
            if self.count >= OFTEN:
                self.count, self.polled = 0, False
                return
            self.until = now + BOUND
            if not self.turning:
                self.turning = True
                soon = connection.loop.call_soon
                soon(self._turn, soon)

    def came(self, connection: Any) -> None:
        """A request came on ``connection``."""
        since = self.since
        if connection is self.last:
            if since:
                now = self.clock()
                self._stop(now)
                self.since = 0.0
                self._learn(now - since)
            return
        self.last = connection
        self.rest = max(self.rest, COMPANY)
        if since:
            self._stop(self.clock())
            self.since = 0.0

    @property
    def pays(self) -> bool:
        """Whether polling has made the gap shorter."""
        return self.gaps[True] < WORTH * self.gaps[False]

    def _learn(self, gap: float) -> None:
        polled = self.polled
        if gap > PAUSE:
            self.rest = ALONE
            if not polled:
                return  # a pause says nothing about being woken
            gap = PAUSE
        self.seen[polled] = seen = min(self.seen[polled] + 1, KEPT)
        self.gaps[polled] += (gap - self.gaps[polled]) / seen
        if not polled:
            return
        if self.pays:
            self.every = OFTEN
        elif gap > WORTH * self.gaps[False]:  # else one goes on trying, for it seems to pay again
            self.rest = self.every
            self.every = min(2 * self.every, RARE)
            self.seen[False] = KEPT // 2  # it may have become another machine by then

    def _turn(self, soon: Callable[..., Any]) -> None:
        if self.until:
            now = self.clock()
            if now < self.until:
                soon(self._turn, soon)
                return
            self._stop(now)
        self.turning = False

    def _stop(self, now: float) -> None:
        if self.until:
            self.seconds += now - self.since
            self.until = 0.0


def spare(groups: tuple[Path, ...] = GROUPS) -> float:
    """How many processors' time a container may use; infinity without a limit.

    Who has hardly one would be stopped for what it spent on polling, which no gap shows.
    """
    for folder in groups:
        try:
            if (folder / "cpu.max").is_file():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            found = float(quota) / float(period)
        except (OSError, ValueError, ZeroDivisionError):  # another system, or "max"
            continue
        return found if found > 0 else float("inf")
    return float("inf")


def polling(wanted: bool, workers: int) -> Polling | None:
    """Polling where it is ``wanted`` and each of so many ``workers`` has a processor and one is left over."""
    return Polling() if wanted and spare() >= workers + 1 else None
