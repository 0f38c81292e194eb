"""Work on a thread of its own that ends when the work it serves is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from ekiben.errors import Cancelled
from ekiben.words import _

Result = TypeVar("Result")


class Aside(Generic[Result]):
    """``with Aside(work) as aside: …; aside.result(tick)``.

    ``work`` gets a function to call often: it raises when the block was left by an exception, which waits
    for the end of the work.
    """

    def __init__(self, work: Callable[[Callable[[], None]], Result]) -> None:
        self._work, self._stop = work, threading.Event()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled(_("The build was cancelled."))

    def __enter__(self) -> Aside[Result]:
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[Result] = self._pool.submit(self._work, self._check)
        return self

    def result(self, tick: Callable[[], None]) -> Result:
        """What the work gives, or raises; ``tick`` is called meanwhile."""
        while not self._future.done():
            tick()
            wait((self._future,), 0.05)
        return self._future.result()

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True)
