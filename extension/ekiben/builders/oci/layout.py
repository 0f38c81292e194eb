"""Images as OCI layout folders under ``<BENTOML_HOME>/ekiben/images-oci``, and as archives."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import tarfile
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.builders.oci import layers
from ekiben.builders.oci.remote import MANIFEST

_NAME = "org.opencontainers.image.ref.name"


def home() -> Path:
    """Where the images lie."""
    return paths.home() / "images-oci"


def place(reference: str) -> Path:
    """The folder of an image."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", reference)[:80]
    return home() / f"{safe}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}"


def write(reference: str, config: bytes, manifest: dict[str, Any]) -> Path:
    """Writes the image; its layers must be among the kept ones. The folder is there whole or not at all."""
    part = home() / f".{scratch.name()}"
    try:
        for layer in manifest["layers"]:
            layers.put(layers.blob(layer["digest"]), blob(part, layer["digest"]))
        text = canonical(manifest)
        for content in (config, text):
            blob(part, digest_of(content)).write_bytes(content)
        (part / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
        _index(part, reference, text)
        _swap(part, place(reference))
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place(reference)


def clear() -> None:
    """Removes what killed builds left: images half written, and candidates that were never named."""
    scratch.clear(home())


def rename(before: str, reference: str) -> Path:
    """Gives an image another name; one that had it is gone then."""
    part = place(before)
    _index(part, reference, manifest_text(part))
    _swap(part, place(reference))
    return place(reference)


def remove(reference: str) -> None:
    """Takes the image away; its layers stay among the kept ones."""
    shutil.rmtree(place(reference), ignore_errors=True)


def blob(folder: Path, digest: str) -> Path:
    """The file of a digest in a layout."""
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def digest_of(content: bytes) -> str:
    """``sha256:…`` of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def canonical(data: dict[str, Any]) -> bytes:
    """JSON that is the same to the byte for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def manifest_text(folder: Path) -> bytes:
    """The manifest of a layout as it is stored."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return blob(folder, index["manifests"][0]["digest"]).read_bytes()


def config_of(folder: Path) -> dict[str, Any]:
    """The image's configuration."""
    manifest = json.loads(manifest_text(folder))
    data: dict[str, Any] = json.loads(blob(folder, manifest["config"]["digest"]).read_bytes())
    return data


def archive(folder: Path, reference: str, target: Path) -> None:
    """The image as one file that ``docker load`` and ``podman load`` take, and that is an OCI layout too."""
    manifest = json.loads(manifest_text(folder))
    legacy = [
        {
            "Config": f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}",
            "RepoTags": [reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"],
            "Layers": [f"blobs/sha256/{one['digest'].removeprefix('sha256:')}" for one in manifest["layers"]],
        }
    ]
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                tar.add(file, file.relative_to(folder).as_posix())
            described = part.with_name(f"{part.name}.json")
            try:
                described.write_text(json.dumps(legacy), encoding="utf-8")
                tar.add(described, "manifest.json")
            finally:
                described.unlink(missing_ok=True)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def copy(folder: Path, target: Path) -> None:
    """The layout at another place, files of its own; it is there whole or not at all."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        shutil.copytree(folder, part)
        if target.is_dir():
            target.rmdir()
        os.rename(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _index(folder: Path, reference: str, manifest: bytes) -> None:
    entry = {
        "mediaType": MANIFEST,
        "digest": digest_of(manifest),
        "size": len(manifest),
        "annotations": {_NAME: reference},
    }
    index = {"schemaVersion": 2, "manifests": [entry]}
    paths.write_atomic(folder / "index.json", json.dumps(index))


def _swap(part: Path, target: Path) -> None:
    """Puts a whole folder in the place of another."""
    old = home() / f".{scratch.name()}"
    try:
        os.rename(target, old)
    except FileNotFoundError:
        old = Path()
    os.rename(part, target)
    if old != Path():
        shutil.rmtree(old, ignore_errors=True)
