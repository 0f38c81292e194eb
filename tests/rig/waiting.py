"""Waiting for what happens by itself, and a port that nobody takes meanwhile."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Any

#: Seconds after which something does not happen at all, on a machine as busy as may be.
PATIENCE = 120.0


def until(happened: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.05) -> Any:
    """Returns what ``happened`` gives as soon as that is true; fails where it is not after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no connection is given meanwhile.

    Systems choose the ports of connections above it, and so does whoever asks for any port.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
