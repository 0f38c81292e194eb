"""What need not happen while a request waits: a thread that writes logs, counts drift and keeps records.

On a request's way, things are only put on a list; the thread takes the list half a second later.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

#: Seconds between two turns.
TURN = 0.5


class Member(Protocol):
    """Something with work to be done aside."""

    def turn(self, last: bool = False) -> None:
        """Does what has come together; ``last`` at a graceful stop."""


class Aside:
    """Calls ``turn`` of its members until it is closed, and once more then."""

    def __init__(self, *members: Member | None) -> None:
        self.members = [member for member in members if member is not None]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._live, name="aside", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        while not self._end.wait(TURN):
            self._turn(False)
        self._turn(True)

    def _turn(self, last: bool) -> None:
        for member in self.members:
            try:
                member.turn(last)
            except Exception:
                logging.getLogger("ekiben").exception("%s failed.", type(member).__name__)

    def close(self, seconds: float = 10.0) -> None:
        """Waits for the last turn."""
        self._end.set()
        self._thread.join(seconds)
