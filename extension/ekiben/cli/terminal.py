"""What a person at a terminal reads besides the answer."""

from __future__ import annotations

import shutil
import sys

from ekiben.errors import EkibenError, InvalidRows
from ekiben.jobs_view import layer_line
from ekiben.listings import Listing, cut
from ekiben.records import Job, LayerStep
from ekiben.words import _

_SHOWN = 10  # problems printed of one error


def show(listing: Listing, as_json: bool) -> int:
    """Prints a listing; 0 is the exit status."""
    print(listing.json() if as_json else listing.text())
    return 0


def note(text: str) -> None:
    """A line beside the answer."""
    print(text, file=sys.stderr, flush=True)


def interrupt(number: int, frame: object) -> None:
    """A signal's handler: a request to end is an interruption as Ctrl-C is."""
    raise KeyboardInterrupt


def layer_done(layer: LayerStep) -> None:
    """A line that stays, above the one that is being written over."""
    note(("\r\033[K" if sys.stderr.isatty() else "") + f"  {layer_line(layer)}")


def complain(error: EkibenError) -> None:
    """The error: what, where and the remedy."""
    note(_("error: {message}", message=error.message))
    details: list[str] = []
    if isinstance(error, InvalidRows) and len(error.problems) > 1:
        details = [f"{problem['path']}: {problem['message']}" for problem in error.problems]
    if error.where and not details:
        details = [error.where]
    for line in details[:_SHOWN]:
        note(f"  {line}")
    if len(details) > _SHOWN:
        note("  " + _("and {n} more", n=len(details) - _SHOWN))
    if error.remedy:
        note(f"  → {error.remedy}")


class Steps:
    """Progress of a job: a line that is written over on a terminal, else a line a step."""

    def __init__(self) -> None:
        self._over = sys.stderr.isatty()
        self._last = ""
        self._layers = 0

    def show(self, job: Job) -> None:
        """Tells where ``job`` is, when that has changed."""
        for layer in job.layers[self._layers :]:
            self.close()
            self._last = ""
            note(f"  {layer_line(layer)}")
        self._layers = len(job.layers)
        if not job.steps:
            return
        text = f"[{job.step}/{job.steps}] {job.message}"
        if text == self._last:
            return
        self._last = text
        if self._over:
            # A line that wraps could not be written over.
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{cut(text, width)}")
            sys.stderr.flush()
        else:
            note(text)

    def close(self) -> None:
        """Ends the line that is being written over."""
        if self._over and self._last:
            sys.stderr.write("\n")
