"""What the service counts. Plain numbers on the request's way; Prometheus' own library writes them out.

Each process counts for itself. Of several workers, each knows the others' latest figures
(``siblings.py``), so that whichever is scraped answers for all.
"""

from __future__ import annotations

import json
import os
import sys
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crowd import Crowd
    from .drift import Drift
    from .polling import Polling
    from .problems import Problem
    from .recorder import Recorder

Figures = dict[str, Any]

#: Upper ends in seconds: from a hundred microseconds, as a compiled model answers in less than one.
SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class Histogram:
    """Counts by bucket, and the sum."""

    __slots__ = ("counts", "ends", "total")

    def __init__(self, ends: tuple[float, ...]) -> None:
        self.ends = ends
        self.counts = [0] * (len(ends) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.ends, value)] += 1
        self.total += value

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {"counts": self.counts.copy(), "total": self.total}


class Metrics:
    """The counters of one process. ``others`` is JSON: the figures of its siblings."""

    def __init__(self, name: str, version: str) -> None:
        self.labels = {"model": name, "version": version}
        self.requests: Counter[tuple[str, int]] = Counter()
        self.latency: dict[str, Histogram] = {}
        self.batches = Histogram(ROWS)
        self.model_seconds = Histogram(SECONDS)
        self.rows = 0
        self.in_flight = 0
        self.shed = 0
        self.invalid = 0
        self.broken: Counter[tuple[str, str]] = Counter()
        self.drift: Drift | None = None
        self.recorder: Recorder | None = None
        self.crowd: Crowd | None = None
        self.polling: Polling | None = None
        self.others: bytes = b"[]"

    def answered(self, protocol: str, status: int, seconds: float) -> None:
        """One request of ``protocol`` was answered with ``status``."""
        self.requests[protocol, status] += 1
        found = self.latency.get(protocol)
        if found is None:
            found = self.latency[protocol] = Histogram(SECONDS)
        found.add(seconds)

    def refused(self, problems: list[Problem], fields: list[dict[str, Any]]) -> None:
        """A request broke the contract: counted by field and kind of trouble, for its first problems."""
        self.invalid += 1
        names = {str(field["name"]) for field in fields}
        for entry in problems[:20]:
            field = entry.path.partition("]")[2].strip('.["]')
            self.broken[field if field in names else "", entry.code] += 1

    def figures(self) -> Figures:
        """The process's own figures, as JSON data that ``add`` sums up."""
        return {
            "requests": {f"{protocol} {status}": n for (protocol, status), n in self.requests.copy().items()},
            "latency": {protocol: found.plain() for protocol, found in self.latency.copy().items()},
            "batches": self.batches.plain(),
            "model_seconds": self.model_seconds.plain(),
            "rows": self.rows,
            "shed": self.shed,
            "invalid": self.invalid,
            "recorded": self.recorder.written if self.recorder else 0,
            "unrecorded": self.recorder.dropped if self.recorder else 0,
            "broken": {f"{code} {field}": n for (field, code), n in self.broken.copy().items()},
            "polling": self.polling.seconds if self.polling else 0.0,
            "closed": dict(self.crowd.closed) if self.crowd else {},
            "now": {
                "connections": len(self.crowd.connections) if self.crowd else 0,
                "in_flight": self.in_flight,
                "memory": memory(),
                "workers": 1,
                "drift": self.drift.figures() if self.drift else [],
            },
        }

    def all_figures(self) -> Figures:
        """Those of this process and its siblings together."""
        total = self.figures()
        for other in json.loads(self.others):
            total = add(total, other)
        return total

    def page(self) -> bytes:
        """The text that Prometheus scrapes."""
        from .prometheus import page

        figures = self.all_figures()
        return page(figures, self.labels, self.drifts(figures))

    def watch(self) -> Figures:
        """The figures of all workers with what they mean: bucket ends in seconds, drift by field."""
        figures = self.all_figures()
        return {**figures, "ends": SECONDS, "drift": self.drifts(figures)}

    def drifts(self, figures: Figures) -> list[dict[str, Any]]:
        """Drift by field (``drift.py``)."""
        return self.drift.told(figures["now"]["drift"]) if self.drift else []


def add(one: Any, other: Any) -> Any:
    """The sum of two sets of figures, number by number; what only one of them has stays."""
    if isinstance(one, dict):
        return {
            key: add(one[key], other[key]) if key in one and key in other else one.get(key, other.get(key))
            for key in {**one, **other}
        }
    if isinstance(one, list):
        return [add(a, b) for a, b in zip(one, other, strict=True)]
    return one + other


def memory() -> int:
    """Resident bytes of this process."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/statm", "rb") as file:
                return int(file.read().split()[1]) * _PAGE
        except OSError:
            return 0
    try:
        import psutil
    except ImportError:
        return 0
    return int(psutil.Process().memory_info().rss)


_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
