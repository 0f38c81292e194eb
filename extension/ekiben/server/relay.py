"""Brings a question of the page to a service and its answer back.

Only the body, the language and the service's own key go on, no cookie and no other header: the Jupyter
token never reaches a service.
"""

from __future__ import annotations

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from ekiben.errors import ServiceFailed
from ekiben.http import asking
from ekiben.words import _

MAX_BODY = 16 * 1024 * 1024  # bytes; a form sends kilobytes, a pasted table a few megabytes
SECONDS = 30.0


async def ask(url: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and JSON body that the service at ``url`` answers; POST when there is a ``body``.

    Raises:
        ServiceFailed: it has no address yet, does not answer within 30 seconds, or not with JSON.
    """
    if not url:
        raise ServiceFailed(_("The service is still starting."), remedy=_("Wait a moment, and ask again."))
    request = HTTPRequest(
        url.rstrip("/") + path,
        method="GET" if body is None else "POST",
        body=body,
        headers=asking(),
        connect_timeout=5.0,
        request_timeout=SECONDS,
        follow_redirects=False,
    )
    try:
        response = await AsyncHTTPClient().fetch(request, raise_error=False)
    except (HTTPClientError, OSError) as error:
        raise ServiceFailed(
            _("The service does not answer: {error}", error=error),
            where=url,
            remedy=_("Look at its log, then start it again."),
        ) from error
    if "json" not in response.headers.get("Content-Type", ""):
        raise ServiceFailed(
            _("The service answered {status} without JSON.", status=response.code),
            where=url + path,
            remedy=_("Look at its log, then start it again."),
        )
    return response.code, response.body
