"""Documents about an image, as OCI artifacts that refer to it: in the layout, and in a registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders.oci import layout, remote, upload
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import Reference

#: The configuration of an artifact that has none, as the image specification 1.1 asks.
_EMPTY = b"{}"
_NOTHING = "application/vnd.oci.empty.v1+json"
#: What is written into the folder beside the layout's own files, for people.
_NAMES = {"application/vnd.cyclonedx+json": "sbom.cdx.json"}


def attach(folder: Path, media: str, content: bytes) -> None:
    """Adds a document to the image of a layout; one of the same kind is replaced."""
    subject = layout.manifest_text(folder)
    manifest = layout.canonical(
        {
            "schemaVersion": 2,
            "mediaType": remote.MANIFEST,
            "artifactType": media,
            "config": _described(_NOTHING, _EMPTY),
            "layers": [_described(media, content)],
            "subject": _described(remote.MANIFEST, subject),
        }
    )
    for text in (_EMPTY, content, manifest):
        layout.blob(folder, layout.digest_of(text)).write_bytes(text)
    if media in _NAMES:
        (folder / _NAMES[media]).write_bytes(content)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    index["manifests"] = [one for one in index["manifests"] if one.get("artifactType") != media]
    index["manifests"].append({**_described(remote.MANIFEST, manifest), "artifactType": media})
    paths.write_atomic(folder / "index.json", json.dumps(index))


def _described(media: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media, "digest": layout.digest_of(content), "size": len(content)}


def attached(folder: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The descriptors of the artifacts in a layout, with their manifests."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for entry in index["manifests"]:
        if "artifactType" in entry:
            yield entry, layout.blob(folder, entry["digest"]).read_bytes()


def send(client: Client, target: Reference, folder: Path) -> int:
    """Pushes the artifacts of a layout; gives the bytes of their blobs that had to be sent.

    A registry without the referrers API (distribution 2) gets the index that the distribution
    specification 1.1 has for it: a tag made of the image's digest.
    """
    sent = 0
    unknown = []
    for entry, text in attached(folder):
        manifest = json.loads(text)
        for blob in (manifest["config"], *manifest["layers"]):
            file = layout.blob(folder, blob["digest"])
            sent += upload.push(client, target.repository, blob["digest"], file, "", lambda _done: None)
        digest = Reference(target.host, target.repository, "", entry["digest"])
        if not remote.name(client, digest, text).headers.get("oci-subject"):
            unknown.append(entry)
    if unknown:
        subject = layout.digest_of(layout.manifest_text(folder))
        tag = Reference(target.host, target.repository, subject.replace(":", "-"))
        index = {"schemaVersion": 2, "mediaType": remote.INDEX, "manifests": unknown}
        remote.name(client, tag, layout.canonical(index), remote.INDEX)
    return sent
