"""Progress where the user looks: one line in the notebook's output or on the terminal.

In a notebook the line is updated in place and gone at the end; on a terminal it is rewritten; where
the output is a file, nothing is printed.
"""

from __future__ import annotations

import shutil
import sys
from html import escape
from typing import Any

from ekiben.listings import cut, width_of
from ekiben.records import Job

STYLE = "opacity:.75;font-size:var(--jp-ui-font-size1,13px)"


class Status:
    """A context manager; ``say`` replaces the line, the end takes it away."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""
        self._width = 0

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
        elif self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Shows ``text`` in place of what was shown before."""
        self._show(text, f'<div style="{STYLE}" role="status">◐ {escape(text)}</div>')

    def show_job(self, job: Job) -> None:
        """Shows where a job is."""
        from ekiben.jobs_view import job_html

        self._show(f"{job.verb} {job.subject} · {job.step}/{job.steps} {job.message}", job_html(job))

    def _show(self, text: str, html: str) -> None:
        if html == self._shown:
            return
        self._shown = html
        display = _notebook_display()
        bundle = {"text/plain": text, "text/html": html}
        if display and self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        elif self._handle is not None:
            self._handle.update(bundle, raw=True)
        elif sys.stderr.isatty():
            # A line that wraps could not be written over.
            shown = cut(text, shutil.get_terminal_size().columns - 1)
            width = width_of(shown)
            print("\r" + shown + " " * (self._width - width), end="", file=sys.stderr, flush=True)
            self._width = max(self._width, width)


def _notebook_display() -> Any:
    """IPython's ``display`` inside a kernel, else None. IPython is never imported for it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not getattr(shell, "kernel", None):
        return None
    return getattr(sys.modules.get("IPython.display"), "display", None)
