"""Rows to a service over HTTP, its refusals as ekiben's errors."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ekiben.errors import InvalidRows, ServiceFailed
from ekiben.runtime.keys import sent
from ekiben.words import _, language

#: Opens an address of this machine. A proxy that the environment names would look for it on its own.
direct = build_opener(ProxyHandler({})).open


def post_rows(url: str, rows: list[Any], timeout: float = 60.0) -> dict[str, Any]:
    """The answer of the service at ``url`` to ``rows`` as they travel.

    Raises:
        InvalidRows: it answered 400 or 413.
        ServiceFailed: it did not answer, or answered anything else.
    """
    headers = asking()
    request = Request(f"{url}/predict", json.dumps({"rows": rows}).encode(), headers)
    try:
        with direct(request, timeout=timeout) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer
    except HTTPError as error:
        text = error.read()
        if error.code in (400, 413) and text.startswith(b"{"):
            raise invalid(json.loads(text)) from error
        _keyless(url, error)
        raise ServiceFailed(
            _("The service answered {status}.", status=error.code),
            where=url,
            remedy=_("Its log says more: server.log()."),
        ) from error
    except (URLError, OSError) as error:
        raise ServiceFailed(
            _("The service does not answer: {reason}", reason=str(getattr(error, "reason", error))),
            where=url,
            remedy=_("Serve it again: box.serve()."),
        ) from error


def get_json(url: str, timeout: float = 5.0) -> dict[str, Any]:
    """What a service answers at ``url``.

    Raises:
        ServiceFailed: it does not answer with 200.
    """
    try:
        with direct(Request(url, headers=asking()), timeout=timeout) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer
    except (URLError, OSError) as error:
        _keyless(url, error)
        raise ServiceFailed(
            _("The service does not answer: {reason}", reason=str(getattr(error, "reason", error))),
            where=url,
            remedy=_("Serve it again: box.serve()."),
        ) from error


def _keyless(url: str, error: Exception) -> None:
    """Raises where the service asks for a key that was not sent."""
    if isinstance(error, HTTPError) and error.code == 401:
        raise ServiceFailed(
            _("The service asks for an API key."),
            where=url,
            remedy=_("Set EKIBEN_API_KEY or EKIBEN_API_KEY_FILE here as well."),
        ) from error


def asking() -> dict[str, str]:
    """The headers of a request with JSON; with the API key where the environment has one here too."""
    headers = {"Content-Type": "application/json", "Accept-Language": language().replace("_", "-")}
    return {**headers, **sent(os.environ)}


def invalid(body: dict[str, Any]) -> InvalidRows:
    """The error that the body of a refusal tells."""
    problems = tuple(body.get("problems", ()))
    message = problems[0]["message"] if problems else str(body.get("error", ""))
    more = int(body.get("count", 1)) - 1
    if more > 0:
        message += " " + _("({n} more)", n=more)
    return InvalidRows(message, problems=problems, remedy=problems[0]["remedy"] if problems else "")
