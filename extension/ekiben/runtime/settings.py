"""What a running service can be told by its environment. All of it is optional."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from .batching import Limits
from .guard import Guard, guard
from .journal import FORMS


@dataclass(frozen=True)
class Settings:
    """``body_bytes`` is the largest body of a request; ``limits`` are those of the queue.

    ``workers`` processes answer; ``drain`` seconds are given to what is in flight at a stop. ``log`` is its
    form (``journal.py``), with bodies where ``payloads`` is set; ``tracing`` the exporter of ``tracing.py``;
    ``guard`` lets requests in. ``head`` seconds are given to the head of a request, ``keep`` to a connection
    without one, and there are ``connections`` at most. ``poll`` lets ``polling.py`` stay awake.
    """

    body_bytes: int = 8 * 1024 * 1024
    limits: Limits = field(default_factory=Limits)
    workers: int = 1
    drain: float = 8.0
    log: str = "text"
    payloads: bool = False
    tracing: str = ""
    guard: Guard | None = None
    head: float = 10.0
    keep: float = 5.0
    connections: int = 4096
    poll: bool = True

    @staticmethod
    def read(environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in ``EKIBEN_…`` variables.

        ``EKIBEN_BODY_MB`` (8) is the largest body, ``EKIBEN_SECONDS`` (60) the time limit of a request,
        ``EKIBEN_WAITING`` (2) how many seconds of work may wait and ``EKIBEN_REQUESTS`` (2048) how many
        requests. ``EKIBEN_WORKERS`` (1) is a number of processes or ``auto``, one a processor;
        ``EKIBEN_DRAIN`` (8) how many seconds a stop waits for what is in flight. ``EKIBEN_LOG`` is
        ``text``, ``json`` or ``quiet``, ``EKIBEN_LOG_PAYLOADS=1`` logs bodies too. ``EKIBEN_TRACING``:
        see ``tracing.py``; ``EKIBEN_API_KEY``, ``EKIBEN_API_KEY_FILE``, ``EKIBEN_CORS_ORIGINS``:
        ``guard.py``; ``EKIBEN_RECORD``: ``recorder.py``. ``EKIBEN_HEAD_SECONDS`` (10),
        ``EKIBEN_KEEP_SECONDS`` (5), ``EKIBEN_CONNECTIONS`` (4096 a process): ``crowd.py``. ``EKIBEN_POLL=0``:
        no ``polling.py``.

        Raises:
            ValueError: one of them is not a number above 0, or not one of the words.
        """
        found = os.environ if environment is None else environment

        def number(name: str, default: float) -> float:
            text = found.get(name, "").strip()
            try:
                value = float(text) if text else default
            except ValueError:
                value = -1
            if not value > 0:
                raise ValueError(f"{name} is {text!r}, not a number above 0.")
            return value

        log = found.get("EKIBEN_LOG", "").strip() or "text"
        if log not in FORMS:
            raise ValueError(f"EKIBEN_LOG is {log!r}, not one of {', '.join(FORMS)}.")
        workers = found.get("EKIBEN_WORKERS", "").strip()
        return Settings(
            body_bytes=int(number("EKIBEN_BODY_MB", 8) * 1024 * 1024),
            limits=Limits(
                seconds=number("EKIBEN_SECONDS", 60),
                waiting=number("EKIBEN_WAITING", 2),
                requests=int(number("EKIBEN_REQUESTS", 2048)),
            ),
            workers=processors() if workers == "auto" else math.ceil(number("EKIBEN_WORKERS", 1)),
            drain=number("EKIBEN_DRAIN", 8),
            log=log,
            payloads=found.get("EKIBEN_LOG_PAYLOADS", "").strip() == "1",
            tracing=found.get("EKIBEN_TRACING", "").strip(),
            guard=guard(found),
            head=number("EKIBEN_HEAD_SECONDS", 10),
            keep=number("EKIBEN_KEEP_SECONDS", 5),
            connections=math.ceil(number("EKIBEN_CONNECTIONS", 4096)),
            poll=found.get("EKIBEN_POLL", "").strip() != "0",
        )


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
