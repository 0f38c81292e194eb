"""What every handler shares: language, errors, authorization."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ekiben import words
from ekiben.errors import EkibenError

MAX_LINES = 10_000


class EkibenHandler(APIHandler):
    """An authenticated JSON handler."""

    auth_resource = "ekiben"

    def reply(self, data: object) -> None:
        """Finishes with ``data`` as JSON."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(data))

    def lines(self) -> int:
        """The ``tail`` argument: 1 to 10,000 lines, 200 unless told."""
        asked = self.get_query_argument("tail", "200")
        return min(max(int(asked), 1), MAX_LINES) if asked.isdecimal() else 200


class Polled(EkibenHandler):
    """A list that the panel asks for again and again: it does not keep an idle server awake."""

    _track_activity = False


def preferred(header: str) -> str:
    """The language of an ``Accept-Language`` header that ekiben speaks; English when it has none."""
    ranked: list[tuple[float, str]] = []
    for entry in header.split(","):
        tag, _semicolon, parameter = entry.partition(";")
        quality = parameter.partition("q=")[2].strip() or "1"
        try:
            ranked.append((-float(quality), tag.strip().lower()))
        except ValueError:
            continue  # a malformed entry says nothing
    ranked.sort(key=lambda entry: entry[0])
    for _weight, tag in ranked:
        if tag.startswith("zh"):
            return "zh_CN"
        if tag.startswith("en"):
            break
    return "en"


def guarded(
    method: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Only for people who are logged in and allowed; errors become JSON in their language."""

    @wraps(method)
    async def inner(self: EkibenHandler, *arguments: str) -> None:
        with words.speaking(preferred(self.request.headers.get("Accept-Language", ""))):
            try:
                await method(self, *arguments)
            except EkibenError as error:
                self.set_status(error.http_status)
                self.reply(error.to_json())

    # The decorators' own types know no coroutine and no argument.
    protected: Any = web.authenticated(authorized(inner))
    return cast(Callable[..., Awaitable[None]], protected)
