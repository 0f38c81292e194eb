"""Manifests and blobs of a registry: fetched with their digest checked, pushed piece by piece."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from ekiben.builders.oci.client import BROKEN, PAUSES, Answer, Client
from ekiben.builders.oci.reference import Reference
from ekiben.errors import BuildFailed
from ekiben.words import _

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPT = ", ".join((INDEX, MANIFEST, f"{_DOCKER}.list.v2+json", f"{_DOCKER}.v2+json"))
#: Bytes of one piece of an upload; what is lost when the connection breaks.
PIECE = 8 << 20

#: ``tick(bytes so far)``; what it raises stops the transfer.
Tick = Callable[[int], None]
#: ``hear(how)`` an upload fares: ``there``, ``mounted`` or ``sent`` at its end; ``broken`` while it waits for the
#: registry, then ``resumed`` or, where nothing of it was kept, ``again``. What it raises stops the transfer.
Hear = Callable[[str], None]


def _silent(_how: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Base:
    """A base image: its manifest's digest, the manifest and the image's configuration."""

    reference: Reference
    digest: str
    manifest: dict[str, Any]
    config: dict[str, Any]


def resolve(client: Client, wanted: Reference, platform: str) -> Base:
    """The image ``wanted`` for ``platform`` (``linux/amd64``).

    Raises:
        BuildFailed: the registry has none, or none for that platform.
    """
    digest, manifest = _manifest(client, wanted, wanted.wanted)
    if "manifests" in manifest:
        fitting = [
            entry
            for entry in manifest["manifests"]
            if f"{entry['platform'].get('os')}/{entry['platform'].get('architecture')}" == platform
        ]
        if not fitting:
            raise _none_for(wanted, platform)
        digest, manifest = _manifest(client, wanted, fitting[0]["digest"])
    told = client.ask(
        "GET",
        f"v2/{wanted.repository}/blobs/{manifest['config']['digest']}",
        repository=wanted.repository,
    )
    _checked(told, wanted, manifest["config"]["digest"])
    config: dict[str, Any] = json.loads(told.body)
    if f"{config.get('os')}/{config.get('architecture')}" != platform:
        raise _none_for(wanted, platform)
    return Base(wanted, digest, manifest, config)


def _none_for(wanted: Reference, platform: str) -> BuildFailed:
    return BuildFailed(
        _("{base} has no image for {platform}.", base=str(wanted), platform=platform),
        where=str(wanted),
        remedy=_("Name another base: base=… or EKIBEN_BASE_IMAGE."),
    )


def _manifest(client: Client, wanted: Reference, tag: str) -> tuple[str, dict[str, Any]]:
    path = f"v2/{wanted.repository}/manifests/{tag}"
    told = client.ask("GET", path, repository=wanted.repository, headers={"Accept": _ACCEPT})
    digest = _checked(told, wanted, tag if tag.startswith("sha256:") else "")
    manifest: dict[str, Any] = json.loads(told.body)
    return digest, manifest


def _checked(told: Answer, wanted: Reference, digest: str) -> str:
    if told.status != 200:
        raise BuildFailed(
            _("The registry has no {base} (it answers {status}).", base=str(wanted), status=told.status),
            where=wanted.host,
            remedy=_("Name another base: base=… or EKIBEN_BASE_IMAGE."),
        )
    found = "sha256:" + hashlib.sha256(told.body).hexdigest()
    if digest and found != digest:
        raise BuildFailed(
            _("What came is not what was asked for: {digest}", digest=digest), where=wanted.host
        )
    return found


def fetch(client: Client, repository: str, digest: str, target: Path, tick: Tick) -> None:
    """Streams a blob into the file ``target``, which must have that digest."""
    hashed = hashlib.sha256()

    def save(body: IO[bytes]) -> None:
        nonlocal hashed
        hashed, done = hashlib.sha256(), 0
        with open(target, "wb") as file:
            while piece := body.read(1 << 20):
                file.write(piece)
                hashed.update(piece)
                done += len(piece)
                tick(done)

    told = client.ask("GET", f"v2/{repository}/blobs/{digest}", repository=repository, into=save)
    if told.status != 200 or f"sha256:{hashed.hexdigest()}" != digest:
        raise BuildFailed(
            _("What came is not what was asked for: {digest}", digest=digest), where=client.host
        )


def push(
    client: Client, repository: str, digest: str, file: Path, mount: str, tick: Tick, hear: Hear = _silent
) -> int:
    """Puts a blob into a repository; gives the bytes that had to be sent.

    ``mount`` is a repository of the same registry that may have it; the upload goes on where it was when
    the connection breaks or the registry is started again. What ``tick`` or ``hear`` raises ends it, and the
    registry is asked to drop what had come.
    """
    size = file.stat().st_size

    def ask(method: str, path: str, actions: str = "pull,push", **more: Any) -> Answer:
        return client.ask(method, path, repository=repository, actions=actions, **more)

    def begin(mount: str = "") -> Answer:
        query = {"mount": digest, "from": mount} if mount else {}
        return ask("POST", f"v2/{repository}/blobs/uploads/?{urlencode(query)}", also=mount, body=b"")

    def there() -> bool:
        return ask("HEAD", f"v2/{repository}/blobs/{digest}").status == 200

    if there():
        hear("there")
        return 0
    answer = begin(mount)
    if answer.status == 201:
        hear("mounted")
        return 0
    pauses = iter(PAUSES)
    place, done = _place(answer, client), 0
    try:
        with open(file, "rb") as blob:
            while True:
                try:
                    while done < size:
                        blob.seek(done)
                        piece = blob.read(PIECE)
                        told = {"Content-Type": "application/octet-stream"}
                        told["Content-Range"] = f"{done}-{done + len(piece) - 1}"
                        answer = ask("PATCH", place, body=piece, headers=told, once=True)
                        if answer.status >= 400:
                            raise ConnectionError(f"status {answer.status}")
                        place, done = _place(answer, client), done + len(piece)
                        tick(done)
                    joint = "&" if "?" in place else "?"
                    answer = ask("PUT", f"{place}{joint}{urlencode({'digest': digest})}", body=b"", once=True)
                    if answer.status == 201:
                        hear("sent")
                        return size
                    raise ConnectionError(f"status {answer.status} {answer.body[:200]!r}")
                except BROKEN as problem:
                    pause = next(pauses, None)
                    if pause is None:
                        raise BuildFailed(
                            _("The upload broke off: {why}", why=problem),
                            where=client.host,
                            remedy=_("Try again."),
                        ) from problem
                    _wait(pause, hear)
                    # Where it is, as the registry sees it; it may have forgotten.
                    answer = ask("GET", place)
                    if answer.status == 204 and "range" in answer.headers:
                        last = int(answer.headers["range"].rpartition("-")[2])
                        place, done = _place(answer, client, place), last + 1 if last else 0
                    elif there():  # the answer to the last request was what broke
                        hear("sent")
                        return size
                    else:
                        place, done = _place(begin(), client), 0
                    hear("resumed" if done else "again")
    except BaseException:
        # Nothing half written stays; one that cannot be asked any more throws it away in its own time.
        with suppress(BuildFailed, *BROKEN):
            ask("DELETE", place, "delete", once=True)
        raise


def _wait(seconds: float, hear: Hear) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        hear("broken")
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


def name(client: Client, target: Reference, manifest: bytes, media: str = MANIFEST) -> Answer:
    """Puts the manifest under its tag: from now on the name means this image."""
    answer = client.ask(
        "PUT",
        f"v2/{target.repository}/manifests/{target.wanted}",
        repository=target.repository,
        actions="pull,push",
        body=manifest,
        headers={"Content-Type": media},
    )
    if answer.status != 201:
        raise BuildFailed(
            _("The registry does not take the manifest (it answers {status}).", status=answer.status),
            where=str(target),
            remedy=answer.body.decode("utf-8", "replace")[:300],
        )
    return answer
