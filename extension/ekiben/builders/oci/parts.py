"""The user's part of an image: the service's code, the model, and how the image starts."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekiben import __version__, paths
from ekiben.builders.oci import layers
from ekiben.builders.oci.layers import Entry, Stored
from ekiben.builders.oci.packages import SITE, compiled
from ekiben.builders.oci.remote import MANIFEST, Base
from ekiben.errors import NotFound
from ekiben.records import Project
from ekiben.words import _

#: The user in the image. The group is root's, because clusters that choose a user of their own give it
#: that group; it owns nothing but its home.
USER, GROUP = 1000, 0
HOME = "home/ekiben"
STORE = f"{HOME}/bentoml"
#: What BentoML looks for in its home; it cannot make them where the image is read-only.
_ROOMS = ("bentos", "envs", "models", "tmp")
_LEFT_OUT = {"README.md", "test_golden.py", "bentofile.yaml"}
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Subject:
    """What an image is made of."""

    tag: str
    project: Path
    files: tuple[str, ...]
    model: Path
    service: str
    python: str
    created: str

    @property
    def notes(self) -> dict[str, Any]:
        """The model's own record."""
        data: dict[str, Any] = json.loads((self.model / "model.json").read_text(encoding="utf-8"))
        return data


def subject(project: Project) -> Subject:
    """The parts of a written project.

    Raises:
        NotFound: the model is not in the store, or the project has no recipe.
    """
    import yaml

    name, _colon, version = project.model.partition(":")
    model = paths.home().parent / "models" / name / version
    recipe = Path(project.folder) / "bentofile.yaml"
    for file, message in (
        (model / "model.json", _("The model {tag} is not in the BentoML store.", tag=project.model)),
        (recipe, _("The project has no bentofile.yaml.")),
    ):
        if not file.is_file():
            raise NotFound(message, where=str(file), remedy=_("Wrap the model again."))
    notes = json.loads((model / "model.json").read_text(encoding="utf-8"))
    return Subject(
        tag=project.model,
        project=Path(project.folder),
        files=tuple(sorted({*project.files, *project.copies} - _LEFT_OUT)),
        model=model,
        service=yaml.safe_load(recipe.read_text(encoding="utf-8"))["service"],
        python=notes["python"],
        created=notes.get("created", ""),
    )


def code_layer(of: Subject, python: str, tick: Callable[[], None]) -> Stored:
    """The project under ``/app`` with its bytecode, and the home that the service may write to."""
    contents = {path: (of.project / path).read_bytes() for path in of.files}
    same = python.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    hashes = [(path, hashlib.sha256(text).hexdigest()) for path, text in contents.items()]
    key = layers.key_of("code", hashes, _ROOMS, same and sys.version)
    found = layers.known(key)
    if found is not None:
        return found
    entries = [Entry(f"app/{path}", text) for path, text in contents.items()]
    entries += [Entry(path, mode=0o775, owner=USER) for path in (HOME, STORE)]
    entries += [Entry(f"{STORE}/{room}", mode=0o775, owner=USER) for room in _ROOMS]
    scratch = Path(tempfile.mkdtemp(prefix="ekiben-build-"))
    try:
        for path, text in contents.items():
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).write_bytes(text)
        if same:
            entries += compiled(scratch, "app")
        return layers.make(key, entries, "the service", tick)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def model_layer(of: Subject, tick: Callable[[], None]) -> Stored:
    """The model's folder of the store, where BentoML finds it in the image."""
    home = f"{STORE}/models/{of.model.parent.name}"
    files = sorted(file for file in of.model.rglob("*") if file.is_file())
    seen = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = layers.key_of("model", of.notes.get("digest"), seen)
    found = layers.known(key)
    if found is not None:
        return found
    entries = [Entry(f"{home}/latest", of.model.name.encode(), owner=USER)]
    for file in files:
        entries.append(
            Entry(f"{home}/{of.model.name}/{file.relative_to(of.model).as_posix()}", file, owner=USER)
        )
    entries += [Entry(path, mode=0o775, owner=USER) for path in (HOME, STORE, f"{STORE}/models", home)]
    return layers.make(key, entries, f"the model {of.tag}", tick)


def config(of: Subject, base: Base, made: tuple[Stored, ...], platform: str) -> dict[str, Any]:
    """The image's configuration: who runs what, where, and what is written on it."""
    system, _slash, machine = platform.partition("/")
    under = base.config.get("config") or {}
    values = {
        "PYTHONPATH": f"/{SITE}:/app",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": f"/{HOME}",
        "BENTOML_HOME": f"/{STORE}",
        "BENTOML_DO_NOT_TRACK": "True",
        # Where the root is read-only and /tmp no place of its own, shared memory still is one.
        "TMPDIR": "/tmp",
        "TEMP": "/dev/shm",
        "PORT": "3000",
    }
    kept = [entry for entry in under.get("Env") or [] if entry.partition("=")[0] not in values]
    contract = hashlib.sha256((of.project / "contract.json").read_bytes()).hexdigest()
    labels = {
        **(under.get("Labels") or {}),
        "org.opencontainers.image.created": of.created,
        "org.opencontainers.image.title": of.tag,
        "org.opencontainers.image.base.name": str(base.reference),
        "org.opencontainers.image.base.digest": base.digest,
        "io.ekiben.model": of.tag,
        "io.ekiben.contract": f"sha256:{contract}",
        "io.ekiben.version": __version__,
    }
    history = list(base.config.get("history") or [])
    history += [{"created": of.created, "created_by": f"ekiben: {layer.made_by}"} for layer in made]
    return {
        "architecture": machine,
        "os": system,
        "created": of.created,
        "config": {
            "User": f"{USER}:{GROUP}",
            "WorkingDir": "/app",
            "Env": kept + [f"{name}={value}" for name, value in values.items()],
            "Entrypoint": ["python3", "-m", "runtime.serve", of.service, "--host", "0.0.0.0"],
            "ExposedPorts": {"3000/tcp": {}},
            "Labels": labels,
            "StopSignal": "SIGTERM",
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [*base.config["rootfs"]["diff_ids"], *(layer.diff for layer in made)],
        },
        "history": history,
    }


def manifest(of: Subject, base: Base, made: tuple[Stored, ...], told: bytes) -> dict[str, Any]:
    """The manifest on a configuration's bytes ``told``."""
    below = [
        {
            "mediaType": layers.GZIP if "gzip" in layer["mediaType"] else _plain(layer["mediaType"]),
            "digest": layer["digest"],
            "size": layer["size"],
        }
        for layer in base.manifest["layers"]
    ]
    above = [{"mediaType": layer.media, "digest": layer.digest, "size": layer.bytes} for layer in made]
    digest = f"sha256:{hashlib.sha256(told).hexdigest()}"
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": digest, "size": len(told)},
        "layers": below + above,
        "annotations": {
            "org.opencontainers.image.created": of.created,
            "org.opencontainers.image.base.name": str(base.reference),
            "org.opencontainers.image.base.digest": base.digest,
        },
    }


def _plain(media: str) -> str:
    return layers.TAR if media.startswith("application/vnd.docker") else media
