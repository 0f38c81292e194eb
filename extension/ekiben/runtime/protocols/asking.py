"""From what a protocol was given to the model's answers, by the contract, with the engine's queue between."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..columns import MANY, Columns, Rows, plainly
from ..contract import check_columns
from ..engine import LARGE_BODY, LARGE_ROWS, ODD_BODY, Engine
from ..predictor import dumps, notices, plain
from ..problems import InvalidRows, Problem, problem
from .call import Call, refused

Place = Callable[[str, str], str]
_PATH = re.compile(r"\$\.rows(?:\[(\d+)\])?(.*)", re.DOTALL)


@dataclass
class Given:
    """Rows of a request: ``rows`` as ``/predict`` takes them, or ``columns`` in the contract's order, or
    ``checked`` as the model takes them.

    ``rows`` may be one array of tensors (n × shape), a column an array of numbers (n,), and ``matrix`` holds
    the columns (n × fields) where they came as one array.

    ``place(row, rest)`` is where a row's value stands in the request; ``row`` is empty for all of it.
    """

    rows: list[Any] | None = None
    columns: list[Any] | None = None
    checked: Rows | None = None
    matrix: Any = None
    place: Place = field(default=lambda row, rest: f"$.rows[{row}]{rest}" if row else f"$.rows{rest}")

    def check(self, predictor: Any) -> tuple[Rows, list[Problem]]:
        """Rows as the model takes them, and the warnings.

        Raises:
            InvalidRows: they break the contract; the places are those of the request.
        """
        try:
            if self.checked is not None:
                return self.checked, []
            if self.rows is not None:
                made = _tensors(predictor.contract, self.rows)
                if made is not None:
                    return made, []
                rows = list(self.rows) if hasattr(self.rows, "dtype") else self.rows
                checked, warnings = predictor.check(rows)
            else:
                checked, warnings = self._check_columns(predictor.contract)
        except InvalidRows as error:
            # A client is told of the first only; of a million places the others are no more than counted.
            told = error.problems[: InvalidRows.shown]
            raise InvalidRows([*self.moved(told), *error.problems[len(told) :]], error.status) from None
        return checked, self.moved(warnings)

    def _check_columns(self, contract: dict[str, Any]) -> tuple[Rows, list[Problem]]:
        columns = self.columns or []
        if not columns or not len(columns[0]):
            raise InvalidRows([problem("$.rows", "empty_rows")])
        if self.matrix is not None:
            from ..typed import matrix

            made = matrix(contract["inputs"], self.matrix)
            if made is not None:
                return made, []
        columns, warnings = check_columns(contract, columns)
        if contract["input"] in ("texts", "images"):
            return columns[0], warnings
        if len(columns[0]) >= MANY and any(hasattr(column, "dtype") for column in columns):
            return Columns(columns), warnings
        return list(zip(*map(plainly, columns), strict=True)), warnings

    def moved(self, problems: list[Problem]) -> list[Problem]:
        """The same problems at their places in the request."""
        found = []
        for entry in problems:
            parts = _PATH.fullmatch(entry.path)
            found.append(replace(entry, path=self.place(*parts.groups(default=""))) if parts else entry)
        return found

    def wire(self, contract: dict[str, Any]) -> list[Any]:
        """The rows as ``/predict`` takes them, as plain JSON data."""
        if self.rows is not None:
            return [plain(row) for row in self.rows]
        columns = [plainly(column) for column in self.columns or []]
        if contract["input"] in ("texts", "images"):
            return plain(columns[0]) if columns else []
        rows = [plain(row) for row in zip(*columns, strict=True)]
        if contract["input"] == "array":
            return rows
        names = [entry["name"] for entry in contract["inputs"]]
        return [dict(zip(names, row, strict=True)) for row in rows]


def _tensors(contract: dict[str, Any], rows: Any) -> Any:
    """An array of tensors as the model takes it; None where each row must be looked at."""
    if not hasattr(rows, "dtype"):
        return None
    from ..typed import tensors

    return tensors(contract, rows)


@dataclass
class Answer:
    """``outputs`` by name, one entry a row; ``body`` is the edited service's own JSON where it answered."""

    outputs: dict[str, Any]
    warnings: list[Problem]
    body: dict[str, Any] | None = None

    def notices(self, language: str) -> list[Any]:
        """Warnings as they travel."""
        if self.body is not None:
            found = self.body.get("warnings")
            return found if isinstance(found, list) else []
        return notices(self.warnings, language)

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(next(iter(self.outputs.values()), ()))


async def ask(call: Call, read: Callable[[], Given]) -> Answer:
    """The answers to what ``read`` makes of the body; a large one is read in a thread.

    Raises:
        InvalidRows: the rows break the contract, or an edited service refused them.
        Overloaded: too much is waiting.
        TimedOut: it took longer than the time limit.
    """
    # Of a packed body nobody knows yet how large it is.
    large = len(call.body) > ODD_BODY or call.packed
    engine = call.engine
    if not isinstance(engine, Engine):
        return await _through(call, await aside(read) if large else read())
    predictor = engine.predictor

    def prepare() -> tuple[Rows, list[Problem]]:
        return read().check(predictor)

    rows, warnings = await aside(prepare) if large else prepare()
    answers = engine.at_once(rows)
    return Answer(await engine.submit(rows) if answers is None else answers, warnings)


async def _through(call: Call, given: Given) -> Answer:
    """The edited service's own answer, where it has the shape of one."""
    told = await call.engine.answer_body(dumps({"rows": given.wire(call.contract)}), call.language)
    body = json.loads(told)
    if not isinstance(body, dict) or not isinstance(body.get("predictions"), list):
        detail = ", ".join(list(body)[:5]) if isinstance(body, dict) else type(body).__name__
        raise refused(501, "$", "edited_answer", detail=detail)
    count = len(body["predictions"])
    outputs = {
        name: values
        for name, values in body.items()
        if name not in ("classes", "warnings") and isinstance(values, list) and len(values) == count
    }
    return Answer(outputs, [], body)


async def written(call: Call, answer: Answer, write: Callable[[], bytes]) -> bytes:
    """``write()``, in a thread where the answer is long."""
    if answer.rows > LARGE_ROWS or len(call.body) > LARGE_BODY:
        found: bytes = await aside(write)
        return found
    return write()


async def aside(work: Callable[..., Any], *arguments: Any) -> Any:
    """``work`` in a thread."""
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
