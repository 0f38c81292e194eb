"""A local module with a class of nobody's library; it travels with the service."""

from __future__ import annotations


class Mean:
    """Has ``predict``, and nothing else that says what it is."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return [self.weight * sum(row.values()) / len(row) for row in rows]
