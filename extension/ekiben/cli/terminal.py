"""What a person at a terminal reads besides the answer."""

from __future__ import annotations

import sys

from ekiben.errors import EkibenError, InvalidRows
from ekiben.listings import Listing
from ekiben.words import _

_SHOWN = 10  # problems printed of one error


def show(listing: Listing, as_json: bool) -> int:
    """Prints a listing; 0 is the exit status."""
    print(listing.json() if as_json else listing.text())
    return 0


def note(text: str) -> None:
    """A line beside the answer."""
    print(text, file=sys.stderr, flush=True)


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
    """Progress: one line a step, written over on a terminal."""

    def __init__(self) -> None:
        self._wide = sys.stderr.isatty()
        self._open = False

    def __call__(self, step: int, steps: int, message: str) -> None:
        text = f"[{step}/{steps}] {message}"
        if self._wide:
            sys.stderr.write(f"\r\033[K{text[:200]}")
            sys.stderr.flush()
            self._open = True
        else:
            note(text)

    def close(self) -> None:
        """Ends the line that is being written over."""
        if self._open:
            sys.stderr.write("\n")
            self._open = False
