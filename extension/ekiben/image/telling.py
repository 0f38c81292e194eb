"""What hears a builder: its words, and each layer that is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ekiben.records import LayerStep


class Told:
    """A builder's ``progress`` that hears of layers too (``protocols.LayerProgress``)."""

    def __init__(self, say: Callable[..., None], layer: Callable[[LayerStep], None] | None) -> None:
        self._say, self._layer = say, layer

    def __call__(self, *words: Any) -> None:
        self._say(*words)

    def layer(self, done: LayerStep) -> None:
        """Passes it on where somebody listens."""
        if self._layer is not None:
            self._layer(done)
