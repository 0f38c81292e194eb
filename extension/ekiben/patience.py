"""Foreign work that may take long, and that its user can end: an exporter has no way to be cancelled of its own.

It runs in a thread. The one that waits is told every second how long it has taken, goes on when time is up,
and hears the kernel's interrupt at once. The work is then ended at its next Python instruction outside an
import, half of which would stay and fail whatever needs it later; what cannot be ended (a compiler that does
not return) is left to itself, and nothing waits for it.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds between two words on how long it has taken, and those that ended work has to be gone.
EVERY, GRACE = 1.0, 3.0
#: Seconds that an import may still take once its work is to end.
IMPORTS = 30.0


class OutOfTime(Exception):
    """The work took longer than it may."""


class Ended(BaseException):
    """Raised inside the work; libraries that catch every ``Exception`` do not catch it."""


def patiently(work: Callable[[], T], seconds: float, tell: Callable[[float], None]) -> T:
    """What ``work`` returns, or raises. ``tell`` is given the seconds that it has taken, about once each.

    Raises:
        OutOfTime: it took longer than ``seconds``.
        KeyboardInterrupt: the user interrupted.
    """
    found: list[T] = []
    raised: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            raised.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="ekiben work", daemon=True)
    before = _outside()
    begin = time.monotonic()
    thread.start()
    try:
        while not done.wait(EVERY):
            taken = time.monotonic() - begin
            if taken > seconds:
                raise OutOfTime
            tell(taken)
    except BaseException:
        if not _ended(thread, done):
            before()
        raise
    if raised:
        raise raised[0]
    return found[0]


def _ended(thread: threading.Thread, done: threading.Event) -> bool:
    """Whether the work is gone: it is asked to go again and again, as it may be cleaning up."""
    begin = time.monotonic()
    until = begin + GRACE
    while not done.wait(0.05) and time.monotonic() < until:
        if _importing(thread):
            until = min(time.monotonic(), begin + IMPORTS) + GRACE
            continue
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Ended))
    return done.is_set()


def _importing(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _outside() -> Callable[[], None]:
    """Puts back what work changes for the whole process while it goes on: where one prints, what is logged."""
    kept: tuple[Any, Any, int] = (sys.stdout, sys.stderr, logging.root.manager.disable)

    def back() -> None:
        sys.stdout, sys.stderr = kept[:2]
        logging.disable(kept[2])

    return back
