"""A blob to a registry: as it is told to be there, by a mount, in one request where it is small, else piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ekiben.builders.oci.client import BROKEN, PAUSES, Answer, Client
from ekiben.builders.oci.half_sent import Note
from ekiben.errors import BuildFailed
from ekiben.words import _

#: Bytes of one piece of an upload; what is lost when the connection breaks.
PIECE = 8 << 20
#: A blob of no more bytes goes along with the request that asks for an upload; a registry that does not take
#: it so has lost no time.
_SMALL = 64 << 10

#: ``tick(bytes so far)``; what it raises stops the transfer.
Tick = Callable[[int], None]
#: ``hear(how)`` an upload fares: ``there``, ``mounted`` or ``sent`` at its end; ``broken`` while it waits for the
#: registry, then ``resumed`` or, where nothing of it was kept, ``again``. What it raises stops the transfer.
Hear = Callable[[str], None]

#: Registries that want an upload to be begun before its bytes come.
_one_by_one: set[str] = set()


def _silent(_how: str) -> None:
    """Nobody listens."""


def permitted(client: Client, repository: str) -> None:
    """Asks whether we may push there: an upload is begun, and dropped at once.

    Raises:
        BuildFailed: the registry cannot be reached, or refuses.
    """
    path = f"v2/{repository}/blobs/uploads/"
    answer = client.first("POST", path, repository=repository, actions="pull,push", body=b"")
    place = _place(answer, client)
    # To drop one is a right of its own; without it, the registry throws it away in its own time.
    with suppress(BuildFailed, *BROKEN):
        client.ask("DELETE", place, repository=repository, actions="delete", once=True)


def push(
    client: Client,
    repository: str,
    digest: str,
    file: Path,
    mount: str,
    tick: Tick,
    hear: Hear = _silent,
    *,
    new: bool = False,
) -> int:
    """Puts a blob into a repository; gives the bytes that had to be sent.

    ``mount`` is a repository of the same registry that may have it; the upload goes on where it was when
    the connection breaks or the registry is started again. A ``new`` one that is small is sent without asking
    whether it is there. What ``tick`` or ``hear`` raises ends it, and the registry is asked to drop what had come.
    A large one of which a process that is gone had sent a part goes on from there, if the registry kept it.

    Raises:
        BuildFailed: the registry cannot be reached, or refuses.
    """
    upload = _Upload(client, repository, digest, file, file.stat().st_size, tick, hear)
    if not (new and upload.size <= _SMALL) and upload.there():
        hear("there")
        return 0
    if not mount and upload.at_once():
        return upload.sent()
    if not upload.place and not upload.goes_on() and upload.begin(mount):
        hear("mounted")
        return 0
    return upload.finish()


@dataclass
class _Upload:
    """A blob on its way: ``done`` bytes of it have arrived at ``place``, an address that the registry gave."""

    client: Client
    repository: str
    digest: str
    file: Path
    size: int
    tick: Tick
    hear: Hear
    place: str = ""
    done: int = 0
    #: What was there before this push.
    before: int = 0

    @cached_property
    def note(self) -> Note | None:
        """What is written down of it; a blob of one piece is not worth it."""
        return Note(self.client.host, self.repository, self.digest) if self.size > PIECE else None

    def ask(self, method: str, path: str, actions: str = "pull,push", **more: Any) -> Answer:
        """A request about the repository."""
        return self.client.ask(method, path, repository=self.repository, actions=actions, **more)

    def there(self) -> bool:
        """Whether the repository has the blob."""
        return self.ask("HEAD", f"v2/{self.repository}/blobs/{self.digest}").status == 200

    def sent(self) -> int:
        """Its end: the bytes that were sent."""
        if self.done < self.size:
            self.tick(self.size)
        if self.note is not None:
            self.note.forget()
        self.hear("sent")
        return self.size - self.before

    def at_once(self) -> bool:
        """Sends a small blob in one request; a registry that does not take it so has begun an upload."""
        if self.size > _SMALL or self.client.host in _one_by_one:
            return False
        path = f"v2/{self.repository}/blobs/uploads/?{urlencode({'digest': self.digest})}"
        told = {"Content-Type": "application/octet-stream"}
        answer = self.ask("POST", path, body=self.file.read_bytes(), headers=told)
        if answer.status == 201:
            return True
        _one_by_one.add(self.client.host)
        self.place = answer.headers.get("location", "") if answer.status == 202 else ""
        return False

    def goes_on(self) -> bool:
        """Takes the upload of a process that is gone; False where there is none, or the registry forgot it."""
        self.place = self.note.place() if self.note is not None else ""
        # Registries refuse in many ways what is not theirs; whether it is us shows when one is begun.
        with suppress(BuildFailed):
            if self.place and self._known() and self.done <= self.size:
                self.before = self.done
                self.hear("resumed")
                return True
        self.place, self.done = "", 0
        return False

    def begin(self, mount: str = "") -> bool:
        """Asks for an upload; True where there need be none, as the repository has it from ``mount`` now."""
        query = f"?{urlencode({'mount': self.digest, 'from': mount})}" if mount else ""
        answer = self.ask("POST", f"v2/{self.repository}/blobs/uploads/{query}", also=mount, body=b"")
        if answer.status != 201:
            self.place, self.done, self.before = _place(answer, self.client), 0, 0
        return answer.status == 201

    def finish(self) -> int:
        """Sends the bytes; after a break it asks how many there are."""
        pauses, best = iter(PAUSES), self.done
        try:
            while True:
                try:
                    self._send()
                    return self.sent()
                except BROKEN as problem:
                    if (
                        self.done > best
                    ):  # a long one may break many times, as a token that runs out breaks it
                        pauses, best = iter(PAUSES), self.done
                    self._wait(pauses, problem)
                    if not self._known() and self.there():  # the answer to the last request was what broke
                        return self.sent()
                    if not self.place:
                        self.begin()
                    self.hear("resumed" if self.done else "again")
        except BaseException as problem:
            if self.note is not None and isinstance(problem, BuildFailed) and self.place:
                self.note.write(self.place, ours=False)  # the registry is away: the next push goes on
                raise
            if self.note is not None:
                self.note.forget()
            # Nothing half written stays; one that cannot be asked any more throws it away in its own time.
            with suppress(BuildFailed, *BROKEN):
                self.place and self.ask("DELETE", self.place, "delete", once=True)
            raise

    def _send(self) -> None:
        """The bytes that are lacking, the last of a short blob with the request that ends it."""
        body = b""
        if self.note is not None:
            self.note.write(self.place)
        with open(self.file, "rb") as blob:
            while self.done < self.size:
                blob.seek(self.done)
                body = blob.read(PIECE)
                if self.size <= PIECE:
                    break
                told = {"Content-Type": "application/octet-stream"}
                told["Content-Range"] = f"{self.done}-{self.done + len(body) - 1}"
                answer = self.ask("PATCH", self.place, body=body, headers=told, once=True)
                if answer.status >= 400:
                    raise ConnectionError(f"status {answer.status}")
                self.place, self.done, body = _place(answer, self.client), self.done + len(body), b""
                if self.note is not None:
                    self.note.write(self.place)
                self.tick(self.done)
        joint = "&" if "?" in self.place else "?"
        path = f"{self.place}{joint}{urlencode({'digest': self.digest})}"
        told = {"Content-Type": "application/octet-stream"}
        answer = self.ask("PUT", path, body=body, headers=told if body else None, once=True)
        if answer.status != 201:
            raise ConnectionError(f"status {answer.status} {answer.body[:200]!r}")

    def _known(self) -> bool:
        """Where it is, as the registry sees it, which may have forgotten the upload."""
        answer = self.ask("GET", self.place)
        if answer.status == 204 and "range" in answer.headers:
            last = int(answer.headers["range"].rpartition("-")[2])
            self.place, self.done = _place(answer, self.client, self.place), last + 1 if last else 0
            return True
        self.place, self.done = "", 0
        return False

    def _wait(self, pauses: Iterator[float], problem: BaseException) -> None:
        pause = next(pauses, None)
        if pause is None:
            raise BuildFailed(
                _("The upload broke off: {why}", why=problem),
                where=self.client.host,
                remedy=_("Try again."),
            ) from problem
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            self.hear("broken")
            time.sleep(min(left, 0.2))


def _place(answer: Answer, client: Client, known: str = "") -> str:
    place = answer.headers.get("location") or known
    if answer.status >= 400 or not place:
        raise BuildFailed(
            _("The registry takes no upload (it answers {status}).", status=answer.status),
            where=client.host,
            remedy=answer.body.decode("utf-8", "replace")[:300],
        )
    return place
