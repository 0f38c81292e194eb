"""Requests to a registry: which scheme, who we are, and once more where it is worth it."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ekiben.builders.oci.credentials import login
from ekiben.builders.oci.reference import HUB
from ekiben.errors import BuildFailed
from ekiben.words import _

#: Seconds between two tries; a registry that is started again is back within their sum.
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
TIMEOUT = 60.0
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
_AGAIN = (408, 429, 500, 502, 503, 504)
#: What a connection that broke may raise.
BROKEN = (URLError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower case) and, where it was not streamed, the body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One registry. Plain HTTP is spoken with this machine only, and with ``EKIBEN_HTTP_REGISTRIES``."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._address = "registry-1.docker.io" if host == HUB else host
        self._headers: dict[str, str] = {}
        self._scheme = ""
        proxies = ProxyHandler({}) if _LOCAL.fullmatch(host) else ProxyHandler()
        self._opener: OpenerDirector = build_opener(
            proxies, HTTPSHandler(context=ssl.create_default_context())
        )

    def base(self, timeout: float = TIMEOUT) -> str:
        """``https://host``; found by trying where plain HTTP is allowed too.

        Raises:
            BuildFailed: it cannot be reached.
        """
        if not self._scheme:
            plain = self.host in os.environ.get("EKIBEN_HTTP_REGISTRIES", "").replace(",", " ").split()
            plain = plain or bool(_LOCAL.fullmatch(self.host))
            try:
                self._open(Request(f"https://{self._address}/v2/"), timeout)
                self._scheme = "https"
            except BROKEN as problem:
                reason = getattr(problem, "reason", problem)
                spoke_http = isinstance(reason, ssl.SSLError) and not isinstance(
                    reason, ssl.SSLCertVerificationError
                )
                if not plain or not (spoke_http or isinstance(reason, http.client.HTTPException)):
                    raise self._unreachable(problem) from problem
                self._scheme = "http"
        return f"{self._scheme}://{self._address}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        repository: str,
        actions: str = "pull",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        into: Callable[[IO[bytes]], None] | None = None,
        once: bool = False,
    ) -> Answer:
        """One request to ``path`` (or a whole address); ``into`` reads the body of a good answer.

        Tries again when the connection breaks or the registry is busy, unless ``once``. Statuses from 400
        on come back as they are, but for a refusal of who we are.

        Raises:
            BuildFailed: it cannot be reached, or refuses us.
        """
        url = urljoin(self.base() + "/", path)
        for pause in (*(() if once else PAUSES), None):
            try:
                answer = self._try(method, url, repository, actions, body, headers or {}, into)
                if answer.status not in _AGAIN or pause is None:
                    return answer
            except BROKEN as problem:
                if pause is None:
                    if once:
                        raise
                    raise self._unreachable(problem) from problem
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _try(
        self,
        method: str,
        url: str,
        repository: str,
        actions: str,
        body: bytes | None,
        headers: dict[str, str],
        into: Callable[[IO[bytes]], None] | None,
    ) -> Answer:
        scope = f"repository:{repository}:{actions}"
        for attempt in (1, 2):
            request = Request(url, data=body, headers=headers, method=method)
            if scope in self._headers:
                # Not sent along to where the registry keeps its blobs.
                request.add_unredirected_header("Authorization", self._headers[scope])
            answer = self._open(request, TIMEOUT, into)
            if answer.status != 401 or attempt == 2:
                break
            self._headers[scope] = self._authorization(answer.headers.get("www-authenticate", ""), scope)
        if answer.status in (401, 403):
            raise BuildFailed(
                _("The registry refuses {what}.", what=f"{repository} ({actions})"),
                where=self.host,
                remedy=_("Log in first: {command}", command=f"docker login {self.host}"),
            )
        return answer

    def _open(
        self, request: Request, timeout: float, into: Callable[[IO[bytes]], None] | None = None
    ) -> Answer:
        try:
            with self._opener.open(request, timeout=timeout) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                if into is not None:
                    into(response)
                    return Answer(response.status, headers, b"")
                return Answer(response.status, headers, response.read())
        except HTTPError as refused:
            headers = {name.lower(): value for name, value in refused.headers.items()}
            with refused:
                return Answer(refused.code, headers, refused.read(10_000))

    def _authorization(self, challenge: str, scope: str) -> str:
        known = login(self.host)
        kind, _space, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return known.basic if known else ""
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = {"service": told.get("service", ""), "scope": scope}
        if known and not known.user:
            form = {**query, "grant_type": "refresh_token", "client_id": "ekiben"}
            request = Request(told["realm"], data=urlencode({**form, "refresh_token": known.secret}).encode())
        else:
            request = Request(f"{told['realm']}?{urlencode(query)}")
            if known:
                request.add_unredirected_header("Authorization", known.basic)
        answer = self._open(request, TIMEOUT)
        if answer.status != 200:
            return ""
        tokens = json.loads(answer.body)
        return f"Bearer {tokens.get('token') or tokens.get('access_token', '')}"

    def _unreachable(self, problem: BaseException) -> BuildFailed:
        return BuildFailed(
            _(
                "The registry {host} cannot be reached: {why}",
                host=self.host,
                why=getattr(problem, "reason", problem),
            ),
            where=self.host,
            remedy=_("Check the network, or name another base: base=… or EKIBEN_BASE_IMAGE."),
        )
