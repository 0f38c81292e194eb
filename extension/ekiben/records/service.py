"""A running service, what it answers, and whether it answers as the notebook did."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from ekiben.codec import FORMAT, Record
from ekiben.records.contract import Tolerance

ServerState = Literal["starting", "ready", "stopped", "failed"]


@dataclass(frozen=True)
class Mismatch(Record):
    """One golden row that a station answered otherwise. ``row`` counts from 0."""

    row: int
    output: str
    sent: Any
    expected: Any
    got: Any
    difference: float | None = None


@dataclass(frozen=True)
class Replay(Record):
    """The golden examples at one station: ``kernel``, ``process``, ``http``, …; ``problem``: why none was asked."""

    station: str
    rows: int
    worst: float
    tolerance: Tolerance
    milliseconds: float
    mismatches: tuple[Mismatch, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every row agreed."""
        return not self.mismatches and not self.problem

    def _repr_html_(self) -> str:
        html: str = import_module("ekiben.views").replays_html((self,))
        return html


@dataclass(frozen=True)
class Server(Record):
    """A running service. One JSON file of this shape lies in the Jupyter runtime directory.

    ``birth`` is the process's start time in seconds since the epoch, so that a pid used again by
    another process is told apart. ``form`` is what answers (``native``, or the compiled form's name),
    ``speedup`` what one row gained by it, and ``memory`` the resident bytes of all its processes when
    they were looked at. ``told`` has the ``message`` as ``words.kept`` gives it, where it is a sentence.
    """

    id: str
    model: str
    url: str
    pid: int
    birth: float
    project: str
    state: ServerState
    log: str
    started: str
    notebook: str = ""
    message: str = ""
    form: str = ""
    speedup: float = 0.0
    memory: int = 0
    told: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class Notice(Record):
    """A warning that an answer carries: a value out of range, an unseen category."""

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Prediction(Record):
    """Answers by name, row by row, with what they took and what to be careful about."""

    outputs: dict[str, Any]
    milliseconds: float
    warnings: tuple[Notice, ...] = ()

    def _repr_html_(self) -> str:
        # The ground imports nothing above it; the view is asked for by name.
        html: str = import_module("ekiben.views").prediction_html(self)
        return html
