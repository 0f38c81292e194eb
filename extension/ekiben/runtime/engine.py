"""The one place that answers: reading, the queue, writing, counting."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from .batching import Batcher, Entry, Limits, Overloaded, TimedOut
from .columns import Rows
from .cost import Cost
from .drift import Drift
from .metrics import Metrics
from .predictor import Predictor, dumps, parse
from .problems import Problem
from .recorder import recorder
from .replay import compare

__all__ = ["Engine", "Limits", "Overloaded", "TimedOut"]

#: Bodies above this many bytes are read, and answers of more rows or numbers than this written, in a thread.
LARGE_BODY = 256 * 1024
#: Likewise for a body that ``decode.py`` does not take: read value by value it takes some ten times as long.
ODD_BODY = 32 * 1024
LARGE_ROWS = 2000
LARGE_ANSWER = 6000
#: Golden examples that a service answers before it calls itself ready.
WARM_ROWS = 32


class Engine:
    """Answers for one loaded model. Make it anywhere; ``start`` it on the event loop that it works on."""

    def __init__(self, predictor: Predictor, limits: Limits | None = None) -> None:
        self.predictor = predictor
        self.contract = predictor.contract
        self.manifest = predictor.manifest
        self.name = str(self.manifest["name"])
        self.version = str(self.manifest["version"])
        self.limits = limits or Limits()
        self.metrics = Metrics(self.name, self.version)
        self.metrics.labels["form"] = predictor.form
        if predictor.trouble:
            self.metrics.labels["fallback"] = predictor.trouble[:200]
        self.cost = Cost()
        #: Whether a row's answer is the same whoever shares its call; seen by ``warm``.
        self.rowwise = False
        self.drift = Drift(self.contract)
        self.recorder = recorder(os.environ, self.contract)
        self.metrics.drift = self.drift
        self.metrics.recorder = self.recorder
        self._batcher: Batcher | None = None
        self._encode = _encoder(self.contract["classes"])

    @property
    def ready(self) -> bool:
        """Whether it answers: started, and no call hangs."""
        return self._batcher is not None and not self._batcher.stuck

    def warm(self, seconds: float = 1.0) -> None:
        """Answers golden examples until the price of a call is known, for ``seconds`` or little more.

        Whether rows may share a call is seen here too: the examples are answered together and one by
        one, and must agree.
        """
        begin = time.monotonic()
        self.predictor.decode  # noqa: B018 - made now, not at the first request
        golden = self.contract["golden"]
        rows, _warnings = self.predictor.check(golden["rows"][:WARM_ROWS])
        self.predictor.run(rows[:1])  # the first call of a library makes its threads and tables
        together = self.predictor.body(self._timed(rows), [])
        agree = len(rows) > 1
        for at, row in enumerate(rows):
            answers = self.predictor.body(self._timed([row]), [])
            told = {name: together[name][at : at + 1] for name in golden["answers"]}
            agree &= not compare({"rows": [row], "answers": told}, answers, self.contract["tolerance"])[1]
            if time.monotonic() - begin > seconds:
                break
        self.rowwise = agree
        while self.cost.seen < 200 and time.monotonic() - begin < min(0.1, seconds):
            self._timed(rows)
            self._timed(rows[:1])

    def _timed(self, rows: Rows) -> dict[str, Any]:
        begin = time.perf_counter()
        answers = self.predictor.run(rows)
        self.cost.learn(len(rows), time.perf_counter() - begin)
        return answers

    def start(self) -> None:
        """Takes the running event loop."""
        self._batcher = Batcher(self.predictor.run, self.cost, self.metrics, self.limits, self.rowwise)

    def close(self) -> None:
        """Lets its thread go."""
        if self._batcher:
            self._batcher.close()
            self._batcher = None

    async def answer_body(self, body: bytes, language: str = "en") -> bytes:
        """The answer to a body of the form ``{"rows": [...]}``, as JSON.

        Raises:
            InvalidRows: the rows break the contract.
            Overloaded: too much is waiting.
            TimedOut: it took longer than the time limit.
        """
        rows = None if len(body) > LARGE_BODY else self.decoded(body)
        warnings: list[Problem] = []
        if rows is None:
            rows, warnings = await _aside(self.read, body) if len(body) > ODD_BODY else self.checked(body)
        answers = self.at_once(rows)
        if answers is None:
            answers = await self.submit(rows)
        if len(rows) > LARGE_ROWS or _size(answers) > LARGE_ANSWER:
            written: bytes = await _aside(self.write, answers, warnings, language)
            return written
        return self.write(answers, warnings, language)

    def at_once(self, rows: Rows) -> dict[str, Any] | None:
        """The model's own answers to checked rows where they need not wait; else None: ``submit`` them.

        Raises:
            Exception: whatever the model raises.
        """
        if self._batcher is None:
            raise RuntimeError("The engine was not started.")
        answers = self._batcher.at_once(rows)
        if answers is not None:
            self.drift.offer(rows)
            if self.recorder:
                self.recorder.add(rows, answers)
        return answers

    def submit(self, rows: Rows) -> Entry:
        """What the model's own answers to checked rows (``predictor.check``) are awaited by."""
        if self._batcher is None:
            raise RuntimeError("The engine was not started.")
        found = self._batcher.submit(rows)
        self.drift.offer(rows)
        if self.recorder:
            found.add_done_callback(lambda done: self._record(rows, done))
        return found

    def _record(self, rows: Rows, done: Entry) -> None:
        if self.recorder and not done.exception():
            self.recorder.add(rows, done.result())

    def read(self, body: bytes) -> tuple[Rows, list[Problem]]:
        """The checked rows of a body of the form ``{"rows": [...]}``, and the warnings.

        Raises:
            InvalidRows: the rows break the contract.
        """
        rows = self.decoded(body)
        return (rows, []) if rows is not None else self.checked(body)

    def decoded(self, body: bytes) -> Rows | None:
        """The rows of a body where they are clean, at one pass; else None."""
        decode = self.predictor.decode
        return decode(body) if decode else None

    def checked(self, body: bytes) -> tuple[Rows, list[Problem]]:
        """As ``read``, value by value."""
        return self.predictor.check(parse(body))

    def write(self, answers: dict[str, Any], warnings: list[Problem], language: str) -> bytes:
        """The body of an answer, as JSON."""
        if not warnings and self._encode:
            written = self._encode(answers)
            if written is not None:
                return written
        return dumps(self.predictor.body(answers, warnings, language))


def _size(answers: dict[str, Any]) -> int:
    """How many values there are; lists of lists count as one each."""
    return sum(getattr(values, "size", None) or len(values) for values in answers.values())


async def _aside(work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


def _encoder(classes: Any) -> Callable[[dict[str, Any]], bytes | None] | None:
    """A function from answers without warnings to JSON; to None where they need the long way (a NaN)."""
    try:
        import msgspec
    except ImportError:
        return None
    encode = msgspec.json.Encoder().encode

    def write(answers: dict[str, Any]) -> bytes | None:
        body: dict[str, Any] = {}
        real = False
        for name, values in answers.items():
            kind = getattr(getattr(values, "dtype", None), "kind", "")
            if kind not in ("i", "u", "b", "U", "f", "O"):
                return None
            real = real or kind == "f"
            body[name] = found = values.tolist()
            if kind == "O" and not all(type(value) is str for value in found):
                return None
        if classes is not None:
            body["classes"] = classes
        body["warnings"] = []
        written = encode(body)
        # Neither NaN nor infinity has JSON; the long way tells them apart.
        return None if real and b"null" in written else written

    return write
