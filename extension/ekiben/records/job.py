"""A slow verb in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ekiben.codec import FORMAT, Record
from ekiben.records.image import LayerStep

JobState = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job(Record):
    """A slow verb in a process of its own; step ``step`` of ``steps`` (counted from 1).

    ``layers`` are those of an image that are done. ``told`` has ``message``, ``error`` and ``remedy`` as
    ``words.kept`` gives them, where they are sentences: readers get them in their own language.
    """

    id: str
    verb: str
    subject: str
    state: JobState
    step: int
    steps: int
    message: str
    log: str
    pid: int
    birth: float
    started: str
    ended: str = ""
    error: str = ""
    remedy: str = ""
    result: dict[str, Any] | None = None
    layers: tuple[LayerStep, ...] = ()
    told: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT
