"""The smallest project that an image can be built of, and the smallest base: no engine is needed for them."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from ekiben.builders.oci import layers, layout, remote, upload
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.layers import Entry
from ekiben.builders.oci.reference import parse
from ekiben.records import Project

#: Stands in the environment of a build, and nowhere in the image.
SECRET = "not-for-an-image-9f3a"
REQUIREMENTS = "jinja2==3.1.6\nmarkupsafe==3.0.2\n"
_LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")
_FILES = {
    "service.py": "answer = 42\n",
    "contract.json": "{}",
    "requirements.txt": REQUIREMENTS,
    "bentofile.yaml": "service: service:answer\n",
    "runtime/serve.py": "print('ekiben')\n",
}


def small(folder: Path, tag: str = "small:1", size: int = 0) -> Project:
    """Written into ``folder``, its model into the store of ``BENTOML_HOME`` with ``size`` random bytes.

    The bytes are one random piece again and again, further apart than gzip looks.
    """
    for path, text in _FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    store = Path(os.environ["BENTOML_HOME"]) / "models" / tag.replace(":", "/")
    store.mkdir(parents=True)
    name, _colon, version = tag.partition(":")
    notes = {
        "name": name,
        "version": version,
        "python": platform.python_version(),
        "created": "2026-01-01T00:00:00+00:00",
        "digest": f"{tag}{size}",
    }
    (store / "model.json").write_text(json.dumps(notes))
    piece = os.urandom(min(size, 1 << 20))
    with open(store / "weights", "wb") as file:
        while file.tell() < size:
            file.write(piece[: size - file.tell()])
    return Project(name=tag.partition(":")[0], files=dict(_FILES), model=tag, folder=str(folder))


def nothing(*_anything: object) -> None:
    """Hears progress and says nothing."""


def base(reference: str, machine: str, *entries: Entry) -> str:
    """Pushes a base of one layer, which holds the names of a C library and ``entries``; gives its reference."""
    target = parse(reference)
    client = Client(target.host)
    there = [Entry(f"usr/lib/{name}", b"") for name in ("libc.so.6", "libpthread.so.0", *_LOADERS)]
    layer = layers.make(layers.key_of("test", machine, str(entries)), [*there, *entries], "base", nothing)
    config = layout.canonical(
        {
            "os": "linux",
            "architecture": machine,
            "config": {"Env": [f"PYTHON_VERSION={platform.python_version()}"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff]},
        }
    )
    told = layers.folder() / "config"
    told.write_bytes(config)
    digest = layout.digest_of(config)
    upload.push(client, target.repository, layer.digest, layers.blob(layer.digest), "", nothing)
    upload.push(client, target.repository, digest, told, "", nothing)
    told.unlink()
    manifest = {
        "schemaVersion": 2,
        "mediaType": remote.MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest,
            "size": len(config),
        },
        "layers": [{"mediaType": layer.media, "digest": layer.digest, "size": layer.bytes}],
    }
    remote.name(client, target, layout.canonical(manifest))
    return reference
