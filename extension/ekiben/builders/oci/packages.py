"""The dependencies as two layers: wheels for the image's platform, and the bytecode of what is imported of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from ekiben import paths, scratch
from ekiben.builders.oci import bytecode, layers, reachable, shared_objects, slimming, unreached
from ekiben.builders.oci.aside import Aside
from ekiben.builders.oci.layers import Entry, Link, Stored
from ekiben.builders.oci.reachable import Wanted
from ekiben.builders.oci.shared_objects import Linked
from ekiben.errors import BuildFailed, MissingDependency
from ekiben.pip_settings import settings, uv_has_its_own
from ekiben.shell import lines_log, watch
from ekiben.words import _

#: Where packages lie in the image.
SITE = "app/site-packages"
#: The oldest C library that wheels may ask for: Debian 10, RHEL 8.
WHEELS = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}
_DROPPED = {".lock", "uv_cache.json"}

Say = Callable[[int, str], None]


def made(
    requirements: Path,
    python: str,
    platform: str,
    say: Say,
    check: Callable[[list[Linked]], None] = lambda linked: None,
    imported: Wanted | None = None,
    direct: frozenset[str] | None = None,
) -> tuple[Stored, ...]:
    """The layers of a requirements file for a Python (``3.11.2``) on a platform.

    ``say(k, message)`` is called twice a second, k being 0 for the packages and 1 for the bytecode.
    ``check`` hears the shared objects of the wheels before anything is made of them, and may raise. There
    is no layer of bytecode where this Python is of another minor version: what it compiled would be of no use.
    ``imported`` tells what the service imports; the rest has no bytecode. None: everything has. ``direct`` are the
    distributions that it imports itself, on every way that it may go.

    Raises:
        BuildFailed: a package cannot be had as a wheel for that platform.
        MissingDependency: there is no uv.
    """
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    wanted = sorted(line for line in lines if line and not line.startswith("#"))
    options = [] if uv_has_its_own() else settings().for_uv()
    whole = os.environ.get("EKIBEN_WHOLE_PACKAGES", "")
    asked = None if direct is None else sorted(direct & unreached.ASKED)
    key = layers.key_of("packages", wanted, python, platform, options, whole, asked)
    compiles = python.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    imported = None if whole else imported
    code_key = layers.key_of("bytecode", key, sys.version, imported and asdict(imported))
    packages, code = layers.known(key), layers.known(code_key) if compiles else None
    linked = _linked(key)
    if packages is not None and linked is not None and (code is not None or not compiles):
        check(linked)
        return (packages, code) if code else (packages,)
    with scratch.folder("build") as place:
        target = place / "site-packages"
        if packages is not None and linked is not None:
            # Another kind of model on the same packages: what is compiled differs, and nothing else.
            check(linked)
            _sources(packages, target, lambda: say(1, _("Compiling the packages")))
            return packages, _bytecode(target, imported, code_key, say)
        _install(requirements, target, python, platform, options, len(wanted), say)
        check(_linked(key, target) or [])
        told = slimming.told(slimming.slim(target, direct))
        lines_log.info("Python packages: %s", told or "nothing left out")
        entries = list(_entries(target))
        # Packing is C code without the interpreter's lock, and compiling is another process.
        with Aside(
            lambda stop: layers.make(key, entries, "Python packages", stop, told, parts_at=SITE)
        ) as packing:
            code = _bytecode(target, imported, code_key, say) if compiles else None
            packages = packing.result(lambda: say(1, _("Packing the packages")))
        return (packages, code) if code else (packages,)


def _sources(packages: Stored, target: Path, tick: Callable[[], None]) -> None:
    """Lays out what compiling reads, the modules and the records, as the layer of the packages has them."""
    with tarfile.open(layers.blob(packages.digest)) as archive:
        for member in archive:
            tick()
            if not member.isdir() and (member.name.endswith(".py") or member.name.endswith("/RECORD")):
                body = archive.extractfile(member)
                assert body is not None
                file = target / PurePosixPath(member.name).relative_to(SITE)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(body.read())


def _bytecode(target: Path, imported: Wanted | None, key: str, say: Say) -> Stored:
    """The layer of the bytecode of what is imported of the packages in ``target``; None: of all."""
    every = list(target.rglob("*.py"))
    files = every if imported is None else reachable.files(target, imported)
    about = f"{len(files)} of {len(every)} modules" if imported else ""
    bytecode.make(target, SITE, lambda: say(1, _("Compiling the packages")), files)
    made_by = "bytecode of the packages"
    lines_log.info("%s: %s", made_by, about or "all of it")

    def packing() -> None:
        say(1, _("Packing the bytecode"))

    return layers.make(key, bytecode.entries(target, SITE), made_by, packing, about, parts_at=SITE)


def _linked(key: str, target: Path | None = None) -> list[Linked] | None:
    """The shared objects of the wheels as they were noted; from ``target``, noted for the next time."""
    note = layers.folder() / "keys" / f"{layers.key_of('linked', key)}.json"
    if target is not None:
        linked = shared_objects.scan(target)
        paths.write_atomic(note, json.dumps([asdict(one) for one in linked]))
        return linked
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        return [Linked(one["path"], one["name"], tuple(one["needed"])) for one in told]
    except (FileNotFoundError, ValueError):
        return None


def _install(
    requirements: Path,
    target: Path,
    python: str,
    platform: str,
    options: list[str],
    count: int,
    say: Say,
) -> None:
    began = time.monotonic()

    def tick() -> None:
        seconds = int(time.monotonic() - began)
        say(0, _("Installing {n} packages · {seconds} s", n=count, seconds=seconds))

    tick()
    command = [_uv(), "pip", "install", "--target", str(target), "--requirement", str(requirements)]
    command += ["--python-version", python, "--python-platform", WHEELS[platform]]
    command += ["--only-binary", ":all:", "--python", sys.executable, "--no-progress", *options]
    status, last = watch(command, lambda line: None, tick, env={"NO_COLOR": "1"}, cwd=str(target.parent))
    if status and any("os error 28" in line or "No space left" in line for line in last):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    if status:
        raise BuildFailed(
            _("The packages cannot be had as wheels for {platform}:", platform=platform)
            + "\n"
            + "\n".join(last[-12:]),
            where="requirements.txt",
            remedy=_('Name versions that have wheels, or build with an engine: engine="podman".'),
        )


def _entries(target: Path) -> Iterator[Entry]:
    """What uv installed, without what belongs to this machine: programs and uv's own notes."""
    files = [
        file
        for file in target.rglob("*")
        if file.is_file()
        and file.relative_to(target).parts[0] != "bin"
        and file.name not in _DROPPED
        and file.suffix != ".pyc"
    ]
    copies = {} if os.environ.get("EKIBEN_WHOLE_PACKAGES") else slimming.copies(files)
    for file in files:
        path = file.relative_to(target)
        source: Path | bytes | Link = file
        if file in copies:
            source = Link(f"{SITE}/{copies[file].relative_to(target).as_posix()}")
        elif path.name == "RECORD" and path.parent.suffix == ".dist-info":
            source = _without_programs(file.read_bytes())
        mode = 0o755 if os.access(file, os.X_OK) and file.suffix != ".py" else 0o644
        yield Entry(f"{SITE}/{path.as_posix()}", source, mode)


def _without_programs(record: bytes) -> bytes:
    """Their first line names this Python, so their hashes would differ from machine to machine."""
    kept = (
        line
        for line in record.splitlines(keepends=True)
        if not line.startswith((b"bin/", b"../../bin/")) and b"uv_cache.json" not in line
    )
    return b"".join(kept)


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        found = shutil.which("uv")
        if found is None:
            raise MissingDependency(_("uv is not installed."), remedy="%pip install uv") from error
        return found
