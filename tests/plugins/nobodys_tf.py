"""A user's own TensorFlow module, whose class does not travel."""

from __future__ import annotations

from typing import Any

import tensorflow


class Gauge(tensorflow.Module):
    """Two outputs; the first by name is what it predicts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.slope = tensorflow.Variable(tensorflow.random.stateless_normal([width, 1], seed=(1, 2)))

    def __call__(self, rows: Any) -> dict[str, Any]:
        level = rows @ self.slope
        return {"predictions_of": tensorflow.sign(level), "level": level}
