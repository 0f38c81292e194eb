"""A local engine as a place for finished images: loaded there, started there, named there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from ekiben import scratch
from ekiben.builders.engine import Engine
from ekiben.builders.engines import Docker, Podman
from ekiben.builders.oci import layout
from ekiben.errors import BuildFailed
from ekiben.records import Image
from ekiben.shell import ask
from ekiben.words import _

#: Folders that Podman can name an image by; a random name may end in "_", which no reference may.
_NAMEABLE = re.compile(r"(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+")


def engine() -> Engine | None:
    """The engine that works here, Podman before Docker; None where neither does."""
    return next((one for one in (Podman(), Docker()) if one.problem() is None), None)


def load(folder: Path, reference: str, tick: Callable[[], None]) -> str:
    """Puts a layout into the local engine; gives the engine's name, empty where there is none.

    Podman reads the folder itself and only what it has not yet; others get an archive.

    Raises:
        BuildFailed: the engine does not take it.
    """
    found = engine()
    if found is None:
        return ""
    with scratch.folder("build") as place:
        link = place / "image"
        if isinstance(found, Podman) and _NAMEABLE.fullmatch(str(link)):
            # Podman names what it pulls by its folder, so the folder has a name that may be one.
            link.symlink_to(folder)
            told = _finish(["podman", "pull", "--quiet", f"oci:{link}:{reference}"], tick, reference)
            identity = told.splitlines()[-1]
            ask(["podman", "tag", identity, reference])
            ask(["podman", "untag", identity, f"localhost{link}"])
            return found.name
        file = place / "image.tar"
        layout.archive(folder, reference, file)
        _finish([found.name, "load", "--quiet", "--input", str(file)], tick, reference)
    return found.name


def _finish(argv: list[str], tick: Callable[[], None], reference: str) -> str:
    """The output of an engine's command, which always comes to its end: an engine that is killed while it
    stores a layer leaves a store that it cannot read. What ``tick`` raises is raised then.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        while True:
            try:
                out, errors = process.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                tick()
    except BaseException:
        out, _errors = process.communicate()
        if process.returncode == 0 and argv[1] == "pull":
            ask([argv[0], "rmi", out.splitlines()[-1]])
        elif process.returncode == 0:
            remove(reference)
        raise
    if process.returncode:
        lines = "\n".join((errors or out).splitlines()[-10:])
        raise BuildFailed(
            _("{engine} does not take the image:\n{lines}", engine=argv[0], lines=lines), where=argv[0]
        )
    return out


def rename(before: str, reference: str) -> None:
    """The same name in the engine, where it has the image."""
    found = _holder(before)
    if found is not None:
        ask([found.name, "tag", before, reference])
        ask([found.name, "rmi", before])


def start(image: Image, port: int) -> str:
    """Starts the image where an engine has it; empty where none does."""
    found = _holder(image.reference)
    return f"{found.name} {found.start(image, port)}" if found else ""


def died(container: str) -> str | None:
    """The end of the log of a container that ended by itself; None while it runs."""
    found, name = _named(container)
    return found.died(name)


def stop(container: str) -> str:
    """Stops and removes the container; gives its log."""
    found, name = _named(container)
    return found.stop(name)


def remove(reference: str) -> None:
    """Takes the image from the engine, where it has it."""
    found = _holder(reference)
    if found is not None:
        found.remove(reference)


def command(reference: str) -> str:
    """How a person runs the image with the engine that has it; empty where none does."""
    found = _holder(reference)
    return f"{found.name} run --rm -p 3000:3000 {reference}" if found else ""


def _holder(reference: str) -> Engine | None:
    found = engine()
    if found is None:
        return None
    try:
        ask([found.name, "image", "inspect", "--format", "{{.Id}}", reference])
    except BuildFailed:
        return None
    return found


def _named(container: str) -> tuple[Engine, str]:
    kind, _space, name = container.partition(" ")
    return (Podman() if kind == "podman" else Docker()), name
