"""Whatever may go wrong with a request, as the problem that its client is told."""

from __future__ import annotations

import logging

from .engine import Overloaded, TimedOut
from .problems import InvalidRows, problem


def refusal(error: Exception) -> InvalidRows:
    """``error`` with a status: 400, 413 and the like as it is; 503, 504; anything else is 500 and logged."""
    if isinstance(error, InvalidRows):
        if error.status == 500:
            logging.getLogger("ekiben").error("%s", error)
        return error
    if isinstance(error, Overloaded):
        return InvalidRows([problem("$", "overloaded", seconds=error.retry_after)], status=503)
    if isinstance(error, TimedOut):
        return InvalidRows([problem("$", "too_slow")], status=504)
    logging.getLogger("ekiben").error("The model failed on a request.", exc_info=error)
    return InvalidRows([problem("$", "failed", kind=type(error).__name__)], status=500)


def retry(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says when to come again."""
    return ((b"retry-after", str(error.retry_after).encode()),) if isinstance(error, Overloaded) else ()
