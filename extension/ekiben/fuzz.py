"""Edge cases made from the contract, against the service: no 5xx, no hang, no right row refused.

Hypothesis makes the rows and, when one goes wrong, shrinks it to the smallest that does. What was found
is kept in the project as ``regressions.json`` and sent first the next time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

from ekiben import paths
from ekiben.errors import MissingDependency
from ekiben.http import asking, direct
from ekiben.records import Contract, Field, Record
from ekiben.runtime.images import BANDS, encoded, size
from ekiben.runtime.values import INTEGER_LIMITS
from ekiben.words import _

#: A request that takes longer hangs (seconds).
HANG = 20.0


@dataclass(frozen=True)
class Failure(Record):
    """A request that went wrong: what was sent, the status (0: no answer) and what was expected."""

    body: Any
    status: int
    expected: str


@dataclass(frozen=True)
class FuzzReport(Record):
    """``requests`` that were sent; ``failures`` is empty when the service stood them all."""

    requests: int
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing went wrong."""
        return not self.failures


def fuzz(url: str, contract: Contract, folder: str | Path, *, examples: int = 200) -> FuzzReport:
    """Sends edge cases to the service at ``url``: half of them rows of the contract, half of them not.

    A row of the contract must be answered with 200, anything else with 200, 400 or 413, each within
    20 seconds. ``folder`` is the project's; its ``regressions.json`` is read and renewed.

    Raises:
        MissingDependency: hypothesis is not installed.
    """
    if not find_spec("hypothesis"):
        raise MissingDependency(_("hypothesis is not installed."), remedy="%pip install hypothesis")
    sent = 0
    failures: list[Failure] = []
    file = Path(folder) / "regressions.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []

    def attempt(body: Any, good: bool) -> Failure | None:
        nonlocal sent
        sent += 1
        status = _status(url, body)
        if status == 200 or (not good and status in (400, 413)):
            return None
        return Failure(body, status, "200" if good else "200, 400, 413")

    for entry in known:
        failed = attempt(entry["body"], entry["expected"] == "200")
        if failed:
            failures.append(failed)
    for rows, good in ((good_rows(contract), True), (wild_rows(contract), False)):
        failures.extend(_smallest(rows, partial(attempt, good=good), max(1, examples // 2)))
    kept = {
        json.dumps(entry, sort_keys=True): entry
        for entry in [*known, *(entry.to_json() for entry in failures)]
    }
    if kept:
        paths.write_atomic(file, json.dumps(list(kept.values()), ensure_ascii=False, indent=1))
    return FuzzReport(sent, tuple(failures))


def _smallest(rows: Any, attempt: Callable[[Any], Failure | None], examples: int) -> list[Failure]:
    """The smallest failing request that Hypothesis finds among ``examples``, or none."""
    import hypothesis

    last: list[Failure] = []

    def send(found: Any) -> None:
        failed = attempt({"rows": found})
        if failed:
            last[:] = [failed]
            raise _Found

    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        given: Any = hypothesis.given(rows)
        settings(given(send))()
    except _Found:
        return last
    return []


class _Found(Exception):
    """A request went wrong; Hypothesis makes it smaller."""


def good_rows(contract: Contract) -> Any:
    """Hypothesis: lists of one to three rows that the contract allows, its edges first."""
    from hypothesis import strategies as st

    form = contract.input
    row: Any
    if form == "texts":
        row = st.text(max_size=200)
    elif form == "images":
        row = _values(contract.inputs[0])
    elif form == "tensor":
        row = st.sampled_from(contract.golden.rows)
    else:
        values = [_values(field) for field in contract.inputs]
        names = [field.name for field in contract.inputs]
        row = st.tuples(*values).map(
            lambda found: list(found) if form == "array" else dict(zip(names, found, strict=True))
        )
    return st.lists(row, min_size=1, max_size=3)


def wild_rows(contract: Contract) -> Any:
    """Hypothesis: rows of the contract with anything at all in places, or anything at all."""
    from hypothesis import strategies as st

    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    anything = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )

    def spoil(parts: tuple[list[Any], int, Any]) -> list[Any]:
        rows, place, value = parts
        row = rows[0]
        if isinstance(row, dict) and row:
            key = list(row)[place % len(row)]
            return [{**row, key: value}, *rows[1:]]
        if isinstance(row, list) and row:
            return [[*row[: place % len(row)], value, *row[place % len(row) + 1 :]], *rows[1:]]
        return [value, *rows[1:]]

    spoiled = st.tuples(good_rows(contract), st.integers(0, 1000), anything).map(spoil)
    return spoiled | anything


def _values(field: Field) -> Any:
    from hypothesis import strategies as st

    found = _MAKERS[field.kind](field, st)
    return st.none() | found if field.nullable else found


def _numbers(field: Field, st: Any) -> Any:
    if field.minimum is None or field.maximum is None:
        return st.floats(-1e6, 1e6, width=32)
    low, high = float(field.minimum), float(field.maximum)
    return st.sampled_from([low, high]) | st.floats(low, high)


def _integers(field: Field, st: Any) -> Any:
    low, high = INTEGER_LIMITS.get(field.dtype.lower(), INTEGER_LIMITS["int64"])
    if isinstance(field.minimum, (int, float)) and isinstance(field.maximum, (int, float)):
        low, high = int(field.minimum), int(field.maximum)
    return st.sampled_from([low, high]) | st.integers(low, high)


def _categories(field: Field, st: Any) -> Any:
    return st.sampled_from(field.categories or ("",))


def _moments(field: Field, st: Any) -> Any:
    if not isinstance(field.minimum, str) or not isinstance(field.maximum, str):
        return st.just("2024-01-01T00:00:00" + ("+00:00" if "," in field.dtype else ""))
    low, high = datetime.fromisoformat(field.minimum), datetime.fromisoformat(field.maximum)
    zone = low.tzinfo
    moments = st.datetimes(low.replace(tzinfo=None), high.replace(tzinfo=None))
    return moments.map(lambda moment: moment.replace(tzinfo=zone).isoformat())


def _images(field: Field, st: Any) -> Any:
    """Black, white and noise, in each mode of the sample; a free side has its largest image's length."""
    from PIL import Image

    side = max(1, math.isqrt(int(field.maximum or 1)))
    height, width = (side if length < 0 else length for length in size(field.shape))

    def made(mode: str, seed: int) -> dict[str, str]:
        count = height * width * BANDS[mode]
        pixels = (
            bytes(count) if seed == 0 else b"\xff" * count if seed == 1 else Random(seed).randbytes(count)
        )
        if mode == "1":
            return encoded(Image.frombytes("L", (width, height), pixels).convert("1"))
        return encoded(Image.frombytes(mode, (width, height), pixels))

    return st.builds(made, st.sampled_from(field.modes), st.integers(0, 5))


_MAKERS: dict[str, Callable[[Field, Any], Any]] = {
    "number": _numbers,
    "integer": _integers,
    "boolean": lambda field, st: st.booleans(),
    "text": lambda field, st: st.text(max_size=60),
    "category": _categories,
    "datetime": _moments,
    "image": _images,
}


def _status(url: str, body: Any) -> int:
    request = Request(f"{url}/predict", json.dumps(body).encode(), asking())
    try:
        with direct(request, timeout=HANG) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return 0
