"""Manifests and blobs of a registry, fetched with their digest checked; and names that are set."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ekiben.builders.oci import layers
from ekiben.builders.oci.client import Answer, Client
from ekiben.builders.oci.reference import Reference
from ekiben.errors import BuildFailed
from ekiben.words import _

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPT = ", ".join((INDEX, MANIFEST, f"{_DOCKER}.list.v2+json", f"{_DOCKER}.v2+json"))
#: ``tick(bytes so far)``; what it raises stops the transfer.
Tick = Callable[[int], None]


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
        fitting = [entry for entry in manifest["manifests"] if _platform(entry) == platform]
        if not fitting:
            raise _none_for(wanted, platform)
        digest, manifest = _manifest(client, wanted, fitting[0]["digest"])
    _readable(wanted, manifest)
    told = manifest["config"]["digest"]
    config: dict[str, Any] = json.loads(
        _by_digest(client, wanted, f"v2/{wanted.repository}/blobs/{told}", told)
    )
    if f"{config.get('os')}/{config.get('architecture')}" != platform:
        raise _none_for(wanted, platform)
    return Base(wanted, digest, manifest, config)


def _platform(entry: dict[str, Any]) -> str:
    """``linux/amd64``; an index may list what is for no platform."""
    told = entry.get("platform") or {}
    return f"{told.get('os')}/{told.get('architecture')}"


def _readable(wanted: Reference, manifest: dict[str, Any]) -> None:
    """Refuses what is no image, or one whose layers cannot be read here.

    Raises:
        BuildFailed: with the reason.
    """
    try:
        kinds = [str(layer["mediaType"]) for layer in (*manifest["layers"], manifest["config"])]
        media = next((one for one in kinds if one.endswith(("zstd", "+encrypted", "tar+bz2"))), "")
    except (KeyError, TypeError):
        media = str(manifest.get("mediaType") or manifest.get("schemaVersion") or "?")
    if media:
        raise BuildFailed(
            _("{base} is of a kind that cannot be built on: {media}", base=str(wanted), media=media),
            where=str(wanted),
            remedy=_("Name another base: base=… or EKIBEN_BASE_IMAGE."),
        )


def _none_for(wanted: Reference, platform: str) -> BuildFailed:
    return BuildFailed(
        _("{base} has no image for {platform}.", base=str(wanted), platform=platform),
        where=str(wanted),
        remedy=_("Name another base: base=… or EKIBEN_BASE_IMAGE."),
    )


def _manifest(client: Client, wanted: Reference, tag: str) -> tuple[str, dict[str, Any]]:
    path = f"v2/{wanted.repository}/manifests/{tag}"
    if tag.startswith("sha256:"):
        return tag, json.loads(_by_digest(client, wanted, path, tag))
    told = client.ask("GET", path, repository=wanted.repository, headers={"Accept": _ACCEPT})
    digest = _checked(told, wanted, "")
    manifest: dict[str, Any] = json.loads(told.body)
    return digest, manifest


def _by_digest(client: Client, wanted: Reference, path: str, digest: str) -> bytes:
    """A small document of a base; what has a digest never changes, so it is asked for once and kept."""
    file = layers.blob(digest)
    with suppress(FileNotFoundError):
        body = file.read_bytes()
        os.utime(file)
        return body
    told = client.ask("GET", path, repository=wanted.repository, headers={"Accept": _ACCEPT})
    _checked(told, wanted, digest)
    with layers.part() as part:
        part.write_bytes(told.body)
        layers.keep(part, digest)
    return told.body


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
        if getattr(body, "length", 0):
            raise ConnectionError(f"{digest}: the registry broke off after {done} bytes")

    told = client.ask("GET", f"v2/{repository}/blobs/{digest}", repository=repository, into=save)
    if told.status != 200 or f"sha256:{hashed.hexdigest()}" != digest:
        raise BuildFailed(
            _("What came is not what was asked for: {digest}", digest=digest), where=client.host
        )


def listed(client: Client, target: Reference) -> frozenset[str]:
    """The blobs of the image that the name means now: a registry keeps what a manifest speaks of.

    Raises:
        BuildFailed: the registry cannot be reached, or refuses.
    """
    path, told = f"v2/{target.repository}/manifests/{target.wanted}", {"Accept": MANIFEST}
    answer = client.first("GET", path, repository=target.repository, actions="pull,push", headers=told)
    try:
        manifest = json.loads(answer.body) if answer.status == 200 else {}
        return frozenset(one["digest"] for one in (*manifest["layers"], manifest["config"]))
    except (ValueError, KeyError, TypeError):
        return frozenset()  # there is none, or it is no image's


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
