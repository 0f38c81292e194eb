"""The user's part of an image: the service's code, the model, and how the image starts."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.builders.labels import labels as labels_of
from ekiben.builders.oci import bytecode, layers, reachable
from ekiben.builders.oci.layers import Entry, Stored
from ekiben.builders.oci.native import HOME as LIBRARIES
from ekiben.builders.oci.native import NATIVE
from ekiben.builders.oci.packages import SITE
from ekiben.builders.oci.reachable import Wanted
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

    @cached_property
    def contents(self) -> dict[str, bytes]:
        """The project's files by path, as they lie on the disk now."""
        return {path: (self.project / path).read_bytes() for path in self.files}

    @cached_property
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
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Subject(
        tag=project.model,
        project=Path(project.folder),
        files=tuple(sorted({*project.files, *project.copies} - _LEFT_OUT)),
        model=model,
        service=yaml.load(recipe.read_text(encoding="utf-8"), loader)["service"],
        python=notes["python"],
        created=notes.get("created", ""),
    )


#: Docker looks by itself; the specification of OCI keeps the name for it, and clusters have probes of their own.
#: Times are nanoseconds.
_HEALTH = {
    "Test": ["CMD", "python3", "-m", "runtime.health"],
    "Interval": 30_000_000_000,
    "Timeout": 5_000_000_000,
    "StartPeriod": 60_000_000_000,
    "Retries": 3,
}
#: Never imported whole: of these only what the runtime and the other packages import of them.
_AS_NAMED = {"h2", "httptools", "msgspec", "numpy", "pandas", "psutil", "uvloop"}
#: What the service imports for BentoML's own routes, and for traces, where somebody asks for them.
_BENTOML = {"bentoml", "opentelemetry-api", "pydantic", "starlette"}
_NOT_PACKAGES = frozenset({"runtime", *sys.stdlib_module_names})
#: What of the runtime is of one model only.
_OF_THE_MODEL = ("runtime/adapter.py", "runtime/as_made.py", "runtime/made_for.py")


def runtime_layer(of: Subject, python: str, tick: Callable[[], None]) -> Stored:
    """The runtime under ``/app`` with its bytecode: the same in every service of this release."""
    same = python.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    files = [path for path in of.files if _shared(path)]
    return _code(of, files, same, "the runtime", tick)


def code_layer(of: Subject, tick: Callable[[], None]) -> Stored:
    """The rest of the project under ``/app``, and the home that the service may write to.

    It is made anew with every model and is a few files, so it has no bytecode: Python is quicker with them
    than a compiler is started.
    """
    files = [path for path in of.files if not _shared(path)]
    return _code(of, files, False, "the service", tick)


def direct(of: Subject) -> frozenset[str] | None:
    """The distributions that the service, its form and what it falls back on import themselves.

    None where the model's record does not tell.
    """
    listed = of.notes.get("direct")
    form = of.notes.get("compiled") or {}
    return frozenset(reachable.named([*listed, *(form.get("direct") or ())])) if listed else None


def imported(of: Subject) -> Wanted | None:
    """What the service imports of its packages; None where the model's record does not tell.

    Where a compiled form serves, what only the native object needs is there to fall back on. Where that
    is left out, so that the image is small, BentoML's own routes are compiled when they are first asked.
    """
    form = of.notes.get("compiled") or {}
    compiled = bool(form.get("form") and form.get("serves", True))
    direct = set((form if compiled else of.notes).get("direct") or ())
    if not direct:
        return None
    needed, all_of_it = form.get("requirements", ()), of.notes.get("requirements", ())
    spare = reachable.named(all_of_it) - reachable.named(needed) if compiled else set()
    texts = {path: body.decode() for path, body in of.contents.items() if path[-3:] == ".py"}
    edited = texts["service.py"] != texts.get("runtime/as_made.py", texts["service.py"])
    if "NATIVE = False" in texts.get("runtime/made_for.py", "") and not edited:
        spare |= _BENTOML
    names = {
        name
        for path, text in texts.items()
        if _shared(path) or path == "runtime/adapter.py"
        for name in _named(text, Path(path).parent.as_posix().replace("/", "."))
        if name.partition(".")[0] not in _NOT_PACKAGES
    }
    return Wanted(tuple(sorted(direct - _AS_NAMED - spare)), tuple(sorted(spare)), tuple(sorted(names)))


@cache  # the runtime is the same from one rebuild to the next
def _named(text: str, package: str) -> tuple[str, ...]:
    return tuple(reachable.imports(text, package, everywhere=True))


def _shared(path: str) -> bool:
    return path.startswith("runtime/") and path not in _OF_THE_MODEL


def _code(of: Subject, files: list[str], compiling: bool, made_by: str, tick: Callable[[], None]) -> Stored:
    contents = {path: of.contents[path] for path in files}
    hashes = [(path, hashlib.sha256(text).hexdigest()) for path, text in contents.items()]
    key = layers.key_of("code", made_by, hashes, _ROOMS, compiling and sys.version)
    found = layers.known(key)
    if found is not None:
        return found
    entries = [Entry(f"app/{path}", text) for path, text in contents.items()]
    entries += [Entry(path, mode=0o775, owner=USER) for path in (HOME, STORE)]
    entries += [Entry(f"{STORE}/{room}", mode=0o775, owner=USER) for room in _ROOMS]
    with scratch.folder("build") as place:
        for path, text in contents.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(text)
        if compiling:
            bytecode.make(place, "app", tick)
            entries += bytecode.entries(place, "app")
        return layers.make(key, entries, made_by, tick)


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
    libraries = [layer.made_by for layer in made if layer.made_by.startswith(NATIVE)]
    if libraries:
        before = dict(entry.split("=", 1) for entry in under.get("Env") or []).get("LD_LIBRARY_PATH")
        values["LD_LIBRARY_PATH"] = f"/{LIBRARIES}:{before}" if before else f"/{LIBRARIES}"
    kept = [entry for entry in under.get("Env") or [] if entry.partition("=")[0] not in values]
    # The base's own would tell of it as if it were this image's.
    above = {k: v for k, v in (under.get("Labels") or {}).items() if not k.startswith("org.opencontainers.")}
    labels = {
        **above,
        **labels_of(of.notes, of.contents["contract.json"]),
        "org.opencontainers.image.base.name": str(base.reference),
        "org.opencontainers.image.base.digest": base.digest,
        **({"io.ekiben.libraries": libraries[0].removeprefix(NATIVE)} if libraries else {}),
    }
    history = list(base.config.get("history") or [])
    for layer in made:
        told = {"comment": layer.told} if layer.told else {}
        history.append({"created": of.created, "created_by": f"ekiben: {layer.made_by}", **told})
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
            "Healthcheck": _HEALTH,
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
