"""Everything ekiben raises on purpose.

::

    EkibenError
    ├── UnsupportedModel      no framework takes the object, or it is not fitted
    ├── UnsupportedSample     the sample cannot become a contract
    │   └── SampleMismatch    the model was fitted on something else than the sample
    ├── NotConverted          a model, or a part of it, has no faster form
    ├── NotCarried            a name that the model's code needs cannot leave the notebook
    ├── MissingDependency     a library that the verb needs is not installed
    ├── InvalidName           a model name, a tag or an image reference is malformed
    ├── InvalidRows           rows for a prediction break the contract
    ├── ReplayMismatch        a station answers otherwise than the notebook did
    ├── NotReproduced         the notebook, run from its top, does not make the model
    ├── RequirementsFailed    what the model needs cannot be had on another machine
    ├── NotFound              no such model, service, image or job
    ├── ServiceFailed         a service did not start, or does not answer
    ├── EngineMissing         no container engine that works here
    ├── BuildFailed           an engine gave up on an image
    └── Cancelled             the user stopped it

Each says what happened, where (``$.rows[3].age``) and the remedy. Faces translate: an HTTP
status, an exit status, a red line in the widget. A foreign exception is mapped at one boundary
and stays as ``__cause__``.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ekiben.records import Replay


class EkibenError(Exception):
    """The root: ``message`` (what), ``where`` (a JSON path, a file, a name) and ``remedy``."""

    exit_status = 1
    http_status = 400

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\n  → {self.remedy}" if self.remedy else head

    def to_json(self) -> dict[str, str]:
        """The shape every face shows: ``{"error", "type", "where", "remedy"}``."""
        return {
            "error": self.message,
            "type": type(self).__name__,
            "where": self.where,
            "remedy": self.remedy,
        }

    def _render_traceback_(self) -> list[str]:
        """IPython asks for the lines to show: the notebook's own, and no step within ekiben."""
        shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        shown = shell.InteractiveTB.structured_traceback(
            type(self), self, _before_ekiben(self.__traceback__), tb_offset=1
        )
        return list(shown)


def _before_ekiben(frames: TracebackType | None) -> TracebackType | None:
    """The steps until the first within ekiben; all of them where that would leave none."""
    outside: list[TracebackType] = []
    step = frames
    while step is not None and step.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "ekiben":
        outside.append(step)
        step = step.tb_next
    kept = None
    for one in reversed(outside):
        kept = TracebackType(kept, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return kept or frames


class UnsupportedModel(EkibenError):
    """No framework takes the object, or it is not fitted yet."""


class UnsupportedSample(EkibenError):
    """The sample cannot become a contract."""


class SampleMismatch(UnsupportedSample):
    """The model was fitted on something else than the sample; ``code`` joins them where it is known."""

    def __init__(self, message: str, *, where: str = "", remedy: str = "", code: str = "") -> None:
        super().__init__(message, where=where, remedy=f"{remedy}\n{code}" if code else remedy)
        self.code = code


class NotCarried(EkibenError):
    """A name that the model's code needs cannot leave the notebook; ``where`` is its cell and line."""


class NotConverted(EkibenError):
    """A model, or a part of it, has no faster form; the message says why, for people."""


class MissingDependency(EkibenError):
    """A library that the verb needs is not installed."""


class InvalidName(EkibenError):
    """A model name, a tag or an image reference is malformed."""

    exit_status = 2


class InvalidRows(EkibenError):
    """Rows for a prediction break the contract; ``problems`` lists each place."""

    def __init__(self, message: str, *, problems: tuple[dict[str, str], ...] = (), remedy: str = "") -> None:
        where = problems[0]["path"] if problems else "$"
        super().__init__(message, where=where, remedy=remedy)
        self.problems = problems


class ReplayMismatch(EkibenError):
    """A station answers otherwise than the notebook did; ``replay`` holds the rows that differ."""

    exit_status = 4
    http_status = 409

    def __init__(self, message: str, replay: Replay, *, remedy: str = "") -> None:
        super().__init__(message, where=replay.station, remedy=remedy)
        self.replay = replay


class NotReproduced(EkibenError):
    """The notebook, run from its top in a fresh kernel, does not make the model."""

    http_status = 409


class RequirementsFailed(EkibenError):
    """What the model needs cannot be had, or does not work, on another machine."""


class NotFound(EkibenError):
    """No such model, service, image or job."""

    http_status = 404


class ServiceFailed(EkibenError):
    """A service did not start, or does not answer."""

    http_status = 502


class EngineMissing(EkibenError):
    """No container engine that works here."""

    exit_status = 3


class BuildFailed(EkibenError):
    """An engine gave up on an image."""


class Cancelled(EkibenError):
    """The user stopped it."""

    exit_status = 130
