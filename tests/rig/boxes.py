"""A box in a moment, for what is not about ``wrap``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ekiben.box import Box


def kept(model: Any, sample: Any, name: str, **options: Any) -> Box:
    """``wrap`` without its replay in a clean process, whose imports take seconds.

    The model is saved, loaded again, proven in this process and converted as ever; ``options`` are
    those of ``capture``.
    """
    import ekiben
    from ekiben.capture import capture

    record, _replay = capture(model, sample, name, **options)
    box = ekiben.open_box(record.tag)
    box.live = model
    return box
