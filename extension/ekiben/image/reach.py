"""Whether a server answers at all, asked beside other work, so that nobody waits for one that is out of reach."""

from __future__ import annotations

import contextvars
import os
import ssl
import threading
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ekiben.network import why
from ekiben.words import _

_OSV = "https://api.osv.dev/v1/query"
#: Seconds that it has for its first word.
FIRST = 5.0


def source() -> str:
    """Whose advisories are asked for: the address of an OSV server, or ``off`` (``EKIBEN_ADVISORIES``)."""
    return os.environ.get("EKIBEN_ADVISORIES", "") or _OSV


class Reach:
    """A question to the server of ``url``, begun at once. Whatever it answers, it is there."""

    def __init__(self, url: str) -> None:
        self._url, self._why = url, _("the source of advisories did not answer in time")
        self._until = time.monotonic() + FIRST
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._ask,), daemon=True)
        self._thread.start()

    def why_not(self) -> str:
        """Why it is out of reach; empty where it is not. Waits ``FIRST`` seconds from the beginning at most."""
        self._thread.join(max(self._until - time.monotonic(), 0.0))
        return self._why

    def _ask(self) -> None:
        try:
            with urlopen(Request(self._url, method="HEAD"), timeout=FIRST):
                self._why = ""
        except HTTPError as told:
            told.close()
            self._why = ""
        except (OSError, ValueError) as problem:
            reason = problem.reason if isinstance(problem, URLError) else problem
            # Whether its certificate is to be trusted, those who ask it judge by their own authorities.
            self._why = "" if isinstance(reason, ssl.SSLError) else why(problem)
