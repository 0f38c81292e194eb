"""Requests to a registry: which scheme, who we are, and once more where it is worth it."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ekiben.builders.oci import kept_open
from ekiben.builders.oci.credentials import login
from ekiben.builders.oci.reference import HUB, here, plain
from ekiben.builders.oci.unreachable import unreachable
from ekiben.errors import BuildFailed
from ekiben.words import _

#: Seconds between two tries; a registry that is started again is back within their sum.
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
TIMEOUT = 60.0
#: Seconds that a registry may ask us to wait.
PATIENCE = 60.0
_AGAIN = (408, 429, 500, 502, 503, 504)
#: What a connection that broke may raise.
BROKEN = (URLError, http.client.HTTPException, OSError)
#: And what is this machine's disk instead.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)


def trust(host: str) -> ssl.SSLContext:
    """The authorities that certificates of ``host`` are checked against: the system's (``SSL_CERT_FILE``), and
    a company's own where Docker and Podman look for it, ``certs.d/HOST[:PORT]/*.crt``.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (Path("/etc/docker"), Path("/etc/containers"), home / "containers")
    own = [file for place in places for file in sorted((place / "certs.d" / host).glob("*.crt"))]
    return _context(
        os.environ.get("SSL_CERT_FILE"), tuple((str(file), file.stat().st_mtime_ns) for file in own)
    )


@lru_cache(maxsize=8)
def _context(_system: str | None, own: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    """Reading the system's authorities takes 20 ms, which a small push notices."""
    context = ssl.create_default_context()
    for file, _time in own:
        context.load_verify_locations(file)
    return context


#: Which scheme a registry was found to speak.
_spoken: dict[str, str] = {}


def _seconds(told: str) -> float:
    """A ``Retry-After``; 0 where it is a date or not there."""
    return float(told) if told.isdigit() else 0.0


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower case) and, where it was not streamed, the body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Redirects(HTTPRedirectHandler):
    """A ``HEAD`` stays one where it is led elsewhere; urllib makes a ``GET`` of it, which fetches the whole blob.

    308 is taken before Python 3.11 too.
    """

    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: Request, fp: Any, code: int, *told: Any) -> Request | None:
        """The request to the other address."""
        made = super().redirect_request(req, fp, 307 if code == 308 else code, *told)
        if made is not None:
            made.method = req.get_method()
        return made


class Client:
    """One registry. Plain HTTP is spoken with this machine only, and with ``EKIBEN_HTTP_REGISTRIES``.

    ``pushing`` tells what it is for, as what helps where it cannot be reached depends on that.
    """

    def __init__(self, host: str, *, pushing: bool = False) -> None:
        self.host, self._pushing = host, pushing
        self._address = "registry-1.docker.io" if host == HUB else host
        self._headers: dict[tuple[str, ...], str] = {}
        self._scheme = ""
        proxies = ProxyHandler({}) if here(host) else ProxyHandler()
        self._opener: OpenerDirector = build_opener(
            proxies, _Redirects(), kept_open.Plain(), kept_open.Secure(trust(host))
        )

    def base(self) -> str:
        """``https://host``; found by trying where plain HTTP is allowed too.

        Raises:
            BuildFailed: it cannot be reached.
        """
        if not self._scheme:
            known = _spoken.get(self.host, "")
            self._scheme = known if known == "https" or plain(self.host) else ""
        return f"{self._scheme}://{self._address}" if self._scheme else self.reach()

    def reach(self, timeout: float = TIMEOUT) -> str:
        """As ``base``, and it answers now.

        Raises:
            BuildFailed: it cannot be reached.
        """
        try:
            self._open(Request(f"https://{self._address}/v2/"), timeout)
            self._scheme = "https"
        except BROKEN as problem:
            reason = getattr(problem, "reason", problem)
            spoke_http = isinstance(reason, ssl.SSLError) and not isinstance(
                reason, ssl.SSLCertVerificationError
            )
            if not plain(self.host) or not (spoke_http or isinstance(reason, http.client.HTTPException)):
                raise self._unreachable(problem) from problem
            self._scheme = "http"
        _spoken[self.host] = self._scheme
        return f"{self._scheme}://{self._address}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        repository: str,
        actions: str = "pull",
        also: str = "",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        into: Callable[[IO[bytes]], None] | None = None,
        once: bool = False,
    ) -> Answer:
        """One request to ``path`` (or a whole address); ``into`` reads the body of a good answer.

        ``also`` is another repository that the request reads. Tries again when the connection breaks or the
        registry is busy, unless ``once``. Statuses from 400 on come back as they
        are, but for a refusal of who we are.

        Raises:
            BuildFailed: it cannot be reached, or refuses us.
        """
        url = self._address_of(path)
        scopes = (f"repository:{repository}:{actions}", *((f"repository:{also}:pull",) if also else ()))
        for pause in (*(() if once else PAUSES), None):
            try:
                answer = self._try(method, url, scopes, body, headers or {}, into)
                if answer.status not in _AGAIN or pause is None:
                    return answer
                pause = max(pause, min(_seconds(answer.headers.get("retry-after", "")), PATIENCE))
            except BROKEN as problem:
                if getattr(problem, "errno", None) in DISK:
                    raise
                if pause is None:
                    if once:
                        raise
                    raise self._unreachable(problem) from problem
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _address_of(self, path: str) -> str:
        """The whole address of a path, or of an address that the registry gave.

        One behind a proxy that ends TLS may tell its own as plain HTTP: what we say to it stays encrypted.
        """
        ours = urlsplit(self.base())
        told = urlsplit(urljoin(f"{self.base()}/", path))
        same = told.netloc in (ours.netloc, f"{ours.hostname}:443") and ours.scheme == "https"
        return told._replace(scheme=ours.scheme, netloc=ours.netloc).geturl() if same else told.geturl()

    def first(self, method: str, path: str, **more: Any) -> Answer:
        """As ``ask``, for the first request of some work: a registry that is not there at all is told at once.

        Raises:
            BuildFailed: it cannot be reached, or refuses us.
        """
        try:
            return self.ask(method, path, once=True, **more)
        except BROKEN:
            self.reach()
            return self.ask(method, path, **more)

    def _try(
        self,
        method: str,
        url: str,
        scopes: tuple[str, ...],
        body: bytes | None,
        headers: dict[str, str],
        into: Callable[[IO[bytes]], None] | None,
    ) -> Answer:
        # Not sent along to where the registry keeps its blobs, be it by a redirect or by an address it gives.
        ours = urlsplit(url).netloc == urlsplit(self.base()).netloc
        for attempt in (1, 2):
            request = Request(url, data=body, headers=headers, method=method)
            if ours and scopes in self._headers:
                request.add_unredirected_header("Authorization", self._headers[scopes])
            answer = self._open(request, TIMEOUT, into)
            if answer.status != 401 or attempt == 2 or not ours:
                break
            challenge = answer.headers.get("www-authenticate", "")
            self._headers[scopes] = self._authorization(challenge, scopes)
        if answer.status in (401, 403):
            _kind, name, actions = scopes[0].split(":")
            raise BuildFailed(
                _("The registry refuses {what}.", what=f"{name} ({actions})"),
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
                answer = Answer(response.status, headers, b"" if into else response.read())
                kept_open.give_back(response)
                return answer
        except HTTPError as refused:
            headers = {name.lower(): value for name, value in refused.headers.items()}
            with refused:
                answer = Answer(refused.code, headers, refused.read(10_000))
                kept_open.give_back(refused.fp)
                return answer

    def _authorization(self, challenge: str, scopes: tuple[str, ...]) -> str:
        known = login(self.host)
        kind, _space, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return known.basic if known else ""
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        service, realm = told.get("service", ""), urlsplit(told.get("realm", ""))
        if realm.scheme != "https" and not (realm.scheme == "http" and plain(realm.netloc)):
            raise BuildFailed(
                _(
                    "The registry sends logins to an address without TLS: {realm}",
                    realm=realm.geturl() or "–",
                ),
                where=self.host,
                remedy=_(
                    "Ask who runs it; EKIBEN_HTTP_REGISTRIES allows plain HTTP with the hosts it names."
                ),
            )
        if known and not known.user:
            form = {"service": service, "scope": " ".join(scopes), "grant_type": "refresh_token"}
            form |= {"client_id": "ekiben", "refresh_token": known.secret}
            request = Request(told["realm"], data=urlencode(form).encode())
        else:
            query = [("service", service), *(("scope", scope) for scope in scopes)]
            request = Request(f"{told['realm']}?{urlencode(query)}")
            if known:
                request.add_unredirected_header("Authorization", known.basic)
        answer = self._open(request, TIMEOUT)
        if answer.status != 200:
            return ""
        try:
            tokens = json.loads(answer.body)
            return f"Bearer {tokens.get('token') or tokens.get('access_token', '')}"
        except (ValueError, AttributeError):
            return ""  # a page of some proxy; the registry then says that it refuses us

    def _unreachable(self, problem: BaseException) -> BuildFailed:
        _spoken.pop(self.host, None)
        return unreachable(self.host, self._address, problem, pushing=self._pushing)
