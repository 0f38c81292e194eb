"""The dependencies as two layers: wheels for the image's platform, and their bytecode."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ekiben.builders.oci import layers
from ekiben.builders.oci.layers import Entry, Stored
from ekiben.errors import BuildFailed, Cancelled, MissingDependency
from ekiben.pip_settings import settings, uv_has_its_own
from ekiben.shell import watch
from ekiben.words import _

#: Where packages lie in the image.
SITE = "app/site-packages"
#: The oldest C library that wheels may ask for: Debian 10, RHEL 8.
WHEELS = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}
_DROPPED = {".lock", "uv_cache.json"}

Say = Callable[[int, str], None]


def made(requirements: Path, python: str, platform: str, say: Say) -> tuple[Stored, ...]:
    """The layers of a requirements file for a Python (``3.11.2``) on a platform.

    ``say(k, message)`` is called twice a second, k being 0 for the packages and 1 for the bytecode. There
    is no layer of bytecode where this Python is of another minor version: what it compiled would be of no use.

    Raises:
        BuildFailed: a package cannot be had as a wheel for that platform.
        MissingDependency: there is no uv.
    """
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    wanted = sorted(line for line in lines if line and not line.startswith("#"))
    options = [] if uv_has_its_own() else settings().for_uv()
    key = layers.key_of("packages", wanted, python, platform, options)
    compiles = python.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    code_key = layers.key_of("bytecode", key, sys.version)
    packages, code = layers.known(key), layers.known(code_key) if compiles else None
    if packages is not None and (code is not None or not compiles):
        return (packages, code) if code else (packages,)
    scratch = Path(tempfile.mkdtemp(prefix="ekiben-build-"))
    try:
        target = scratch / "site-packages"
        _install(requirements, target, python, platform, options, len(wanted), say)
        entries = list(_entries(target))
        stop = threading.Event()

        def check() -> None:
            if stop.is_set():
                raise Cancelled(_("The build was cancelled."))

        # Packing is C code without the interpreter's lock, and compiling is another process.
        with ThreadPoolExecutor(1) as pool:
            packing = pool.submit(layers.make, key, entries, "Python packages", check)
            try:
                if compiles:
                    _compile(target, f"/{SITE}", lambda: say(1, _("Compiling the packages")))
                while not packing.done():
                    say(1, _("Packing the packages"))
                    time.sleep(0.2)
            except BaseException:
                stop.set()
                raise
        packages = packing.result()
        if not compiles:
            return (packages,)
        made_by = "bytecode of the packages"
        return packages, layers.make(
            code_key, bytecode(target, SITE), made_by, lambda: say(1, _("Packing the bytecode"))
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def bytecode(folder: Path, home: str) -> Iterator[Entry]:
    """The compiled files under ``folder``, which lies at ``home`` in the image."""
    for file in folder.rglob("__pycache__/*.pyc"):
        yield Entry(f"{home}/{file.relative_to(folder).as_posix()}", file)


def compiled(folder: Path, home: str) -> list[Entry]:
    """As ``bytecode``, compiled first."""
    _compile(folder, f"/{home}", lambda: None)
    return list(bytecode(folder, home))


def _compile(folder: Path, home: str, tick: Callable[[], None]) -> None:
    """Bytecode that is trusted without a look at its source, whose time is not known beforehand."""
    command = [sys.executable, "-s", "-S", "-m", "compileall", "-qq", "-j", str(min(4, os.cpu_count() or 1))]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", home, str(folder)]
    # Tests of packages are a third of their code and are hardly ever imported.
    command += ["-x", r"[/\\]tests?[/\\]"]
    # A hash seed of its own for each run would shuffle the sets in the bytecode. Files that do not compile
    # (templates, code for other versions) are left as they are, so the status says nothing.
    watch(command, lambda line: None, tick, env={"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"})


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
    for file in target.rglob("*"):
        path = file.relative_to(target)
        if file.is_dir() or path.parts[0] == "bin" or path.name in _DROPPED or file.suffix == ".pyc":
            continue
        source: Path | bytes = file
        if path.name == "RECORD" and path.parent.suffix == ".dist-info":
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
