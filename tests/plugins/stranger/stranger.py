"""A library of models that knows nothing of ekiben."""

from __future__ import annotations

from typing import Any


class Threshold:
    """Says whether the first number of a row lies above a limit."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def above(self, rows: Any) -> list[bool]:
        return [bool(row[0] > self.limit) for row in rows]
