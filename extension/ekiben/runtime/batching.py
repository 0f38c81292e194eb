"""The queue before the model: who is alone goes at once, who is in flight together may share a call.

Short calls run on the event loop, where they cost no switch of threads; long ones in a thread, so that
the loop goes on reading and refusing. One call runs at a time. Whether others are in flight is seen, not
asked for: after ``ALONE`` requests in a row that shared no call the next are answered as they are read,
without a turn of the loop, and now and then one waits that turn to see whether others have come.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .columns import Rows, joined
from .cost import Cost
from .metrics import Metrics
from .predictor import one_a_row

#: Calls that should take longer than this many seconds leave the event loop.
SHORT = 0.001
#: A batch is made no larger than what should take this long (seconds), unless one request is.
BATCH_SECONDS = 0.05
MOST_ROWS = 4096
#: Requests in a row without company after which the next is answered at once, and how often one looks.
ALONE = 8
LOOK = 16

Answers = dict[str, Any]


class Overloaded(Exception):
    """The queue is full; come again after ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The service is overloaded. Try again in {retry_after} s.")
        self.retry_after = retry_after


class TimedOut(Exception):
    """The answer was not there within the time limit."""

    def __init__(self) -> None:
        super().__init__("The answer took too long.")


@dataclass(frozen=True)
class Limits:
    """``seconds`` for one request; ``waiting`` seconds of work and ``requests`` in the queue at most."""

    seconds: float = 60.0
    waiting: float = 2.0
    requests: int = 2048


class Entry:
    """One request in the queue; await it, or have it tell. ``since`` is of the monotonic clock.

    Who is told hears of it in the same turn of the loop, which costs a tenth of a future. Await it once.
    """

    __slots__ = ("_found", "_future", "_loop", "_told", "rows", "since")

    def __init__(self, rows: Rows, loop: asyncio.AbstractEventLoop) -> None:
        self.rows = rows
        self.since = time.monotonic()
        self._loop = loop
        self._found: Answers | Exception | None = None
        self._told: list[Callable[[Entry], object]] = []
        self._future: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, None, Answers]:
        if self._found is None:
            self._future = self._loop.create_future()
            yield from self._future
        return self.result()

    def add_done_callback(self, told: Callable[[Entry], object]) -> None:
        """``told`` is called with this entry when it is settled."""
        self._told.append(told)

    def done(self) -> bool:
        """Whether it was settled, or nobody waits for it any more."""
        return self._found is not None or (self._future is not None and self._future.done())

    def exception(self) -> Exception | None:
        """What settled it, where that is no answer."""
        return self._found if isinstance(self._found, Exception) else None

    def result(self) -> Answers:
        """The answers.

        Raises:
            Exception: whatever settled it instead.
        """
        if self._found is None:
            raise asyncio.InvalidStateError("It was not answered yet.")
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def settle(self, found: Answers | Exception) -> None:
        """Tells those who wait; nobody does where the client is gone."""
        if self.done():
            return
        self._found = found
        for told in self._told:
            try:
                told(self)
            except Exception as error:  # noqa: BLE001 - its neighbours in the call want their answers
                about = {"message": "An answer could not be handed on", "exception": error}
                self._loop.call_exception_handler(about)
        self._told.clear()
        if self._future is not None:
            self._future.set_result(None)


class Batcher:
    """Hands rows to ``run`` (checked rows → answers by name). Lives on the event loop that made it.

    ``rowwise`` says whether a row's answer is the same whoever shares its call; only then do requests
    share one.
    """

    def __init__(
        self,
        run: Callable[[Rows], Answers],
        cost: Cost,
        metrics: Metrics,
        limits: Limits,
        rowwise: bool,
    ) -> None:
        self.run = run
        self.cost = cost
        self.metrics = metrics
        self.limits = limits
        self.rowwise = rowwise
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Entry] = deque()
        self._rows = 0
        self._scheduled = False
        self._running: list[Entry] | None = None
        self._alone = 0
        self._limit: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="model")

    @property
    def stuck(self) -> bool:
        """Whether a call of the model has been running for longer than the time limit."""
        begun = self._running
        return bool(begun) and time.monotonic() - begun[0].since > self.limits.seconds + 1  # type: ignore[index]

    def submit(self, rows: Rows) -> Entry:
        """What the answers to checked rows are awaited by.

        Raises:
            Overloaded: too much is waiting.
        """
        if self._queue or self._running:
            self._refuse_if_full()
        entry = Entry(rows, self._loop)
        self._queue.append(entry)
        self._rows += len(rows)
        self._soon()
        return entry

    def at_once(self, rows: Rows) -> Answers | None:
        """The answers to checked rows, where none would share the call and it is short; else None.

        Raises:
            Exception: whatever the model raises.
        """
        if self._queue or self._running or self.cost.expected(len(rows)) > SHORT:
            return None
        if self.rowwise and self.cost.pays():
            if self._alone < ALONE:
                return None
            self._alone += 1
            if self._alone % LOOK == 0:
                return None
        return self._call(rows)

    def close(self) -> None:
        """Lets the thread go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _refuse_if_full(self) -> None:
        calls = 1 if self.rowwise else len(self._queue)
        waiting = self.cost.call * calls + self.cost.row * self._rows
        if len(self._queue) >= self.limits.requests or waiting > self.limits.waiting:
            self.metrics.shed += 1
            raise Overloaded(max(1, math.ceil(waiting)))

    def _soon(self) -> None:
        # Whoever arrived in the same turn of the loop joins before _work is called.
        if self._queue and not self._scheduled and self._running is None:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Takes a batch off the queue and answers it, here or in the thread."""
        self._scheduled = False
        batch = self._take()
        if batch:
            self._alone = self._alone + 1 if len(batch) == 1 and not self._queue else 0
            if self.cost.expected(sum(len(entry.rows) for entry in batch)) > SHORT:
                self._running = batch
                self._limit = self._loop.call_later(self.limits.seconds, self._expire)
                running = self._threads.submit(self._answer, batch)
                running.add_done_callback(self._called)
                return
            for entry, found in zip(batch, self._answer(batch), strict=True):
                entry.settle(found)
        self._soon()

    def _called(self, done: Future[list[Answers | Exception]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
            self._loop.call_soon_threadsafe(self._done, done)

    def _done(self, done: Future[list[Answers | Exception]]) -> None:
        batch, self._running = self._running or [], None
        if self._limit:
            self._limit.cancel()
        for entry, found in zip(batch, done.result(), strict=True):
            entry.settle(found)
        self._soon()

    def _expire(self) -> None:
        """The call takes too long: those who wait for it, and those who waited as long, are told."""
        late = time.monotonic() - self.limits.seconds
        for entry in [*(self._running or ()), *(entry for entry in self._queue if entry.since <= late)]:
            entry.settle(TimedOut())
        self._limit = self._loop.call_later(1.0, self._expire)

    def _take(self) -> list[Entry]:
        """The requests of the next call: the first, and what may share it."""
        queue = self._queue
        batch: list[Entry] = []
        count = 0
        together = self.rowwise and len(queue) > 1 and self.cost.pays()
        call, row = (self.cost.call, self.cost.row) if together else (0.0, 0.0)
        most = max(1, min(MOST_ROWS, int((BATCH_SECONDS - call) / row))) if row > 0 else MOST_ROWS
        while queue:
            rows = len(queue[0].rows)
            if batch and (not together or count + rows > most):
                break
            entry = queue.popleft()
            self._rows -= rows
            if not entry.done():  # done: its client is gone, or its time was up
                batch.append(entry)
                count += rows
        return batch

    def _answer(self, batch: list[Entry]) -> list[Answers | Exception]:
        """An answer or an exception for each request of the batch."""
        try:
            answers = self._call(joined([entry.rows for entry in batch]))
        except Exception as error:  # noqa: BLE001 - the model may raise anything
            if len(batch) == 1:
                return [error]
            # One request must not take its neighbours down.
            return [found for entry in batch for found in self._answer([entry])]
        if len(batch) == 1:
            return [answers]
        found: list[Answers | Exception] = []
        start = 0
        for entry in batch:
            end = start + len(entry.rows)
            found.append({name: values[start:end] for name, values in answers.items()})
            start = end
        return found

    def _call(self, rows: Rows) -> Answers:
        """Calls the model, and learns and counts what it took.

        Raises:
            Exception: whatever the model raises.
            InvalidRows: it gave more or fewer answers than rows.
        """
        begin = time.perf_counter()
        answers = self.run(rows)
        took = time.perf_counter() - begin
        count = len(rows)
        self.cost.learn(count, took)
        metrics = self.metrics
        metrics.batches.add(count)
        metrics.model_seconds.add(took)
        metrics.rows += count
        one_a_row(answers, count)
        return answers
