"""A local module with a class of nobody's library; it travels with the service."""

from __future__ import annotations

import numpy
from PIL import Image


class Mean:
    """Has ``predict``, and nothing else that says what it is."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return [self.weight * sum(row.values()) / len(row) for row in rows]


def shade(images: list[Image.Image]) -> list[str]:
    """Pictures to words."""
    return ["dark" if numpy.asarray(image).mean() < 64 else "light" for image in images]


def weigh(cards: list[dict]) -> list[float]:
    """A number from a card's weight and the photograph on it."""
    return [float(card["weight"]) + float(numpy.asarray(card["photo"]).mean()) for card in cards]
