"""Why a server was not reached, in a person's words instead of the system's numbers."""

from __future__ import annotations

import socket
from urllib.error import HTTPError, URLError

from ekiben.words import _


def why(problem: BaseException) -> str:
    """The reason of what urllib or a socket raised; a part of a sentence about the server."""
    wrapped = isinstance(problem, URLError) and not isinstance(problem, HTTPError)
    reason = getattr(problem, "reason", problem) if wrapped else problem
    if isinstance(reason, socket.gaierror):
        return _("its host name cannot be resolved")
    if isinstance(reason, ConnectionRefusedError):
        return _("nothing listens at that address")
    if isinstance(reason, TimeoutError):
        return _("it does not answer in time")
    return str(reason) or type(problem).__name__
