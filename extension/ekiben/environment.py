"""The golden examples in a fresh virtual environment that has what the project asks for, and nothing else.

The environment is made by uv from ``requirements.txt`` alone and kept under
``<BENTOML_HOME>/ekiben/environments``, one for each list of requirements, so that the second proof
takes the time of a replay. A module that the kernel had by chance is missing there, and is named.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from ekiben import paths
from ekiben.capture import replay_told
from ekiben.distributions import homes, name_of
from ekiben.errors import MissingDependency, RequirementsFailed
from ekiben.pip_settings import settings, uv_has_its_own
from ekiben.protocols import Progress
from ekiben.records import Model, Project, Replay
from ekiben.shell import watch
from ekiben.words import _

#: Environments that are kept; the one used longest ago goes first. Files are shared with uv's cache.
KEPT = 4
STEPS = 3
#: One that was used within this many seconds may be in use.
_IN_USE = 3600.0
#: What a person's shell may have set, and what would let this Python's own packages in.
_CLEAN = {"PYTHONPATH": "", "PYTHONHOME": "", "PYTHONNOUSERSITE": "1", "BENTOML_DO_NOT_TRACK": "True"}


def replay(project: Project, model: Model, progress: Progress | None = None) -> Replay:
    """Replays in the environment of the written ``project``, which is made first where it is not there.

    ``progress`` is called twice a second; what it raises ends the work with all its processes.

    Raises:
        RequirementsFailed: the packages cannot be installed, or the model does not load with them.
        ReplayMismatch: an answer differs.
    """

    def tell(step: int, message: str) -> None:
        if progress is not None:
            progress(step, STEPS, message)

    python = prepare(Path(project.folder) / "requirements.txt", tell)
    rows = _("Replaying {n} golden examples in the fresh environment", n=len(model.contract.golden.rows))
    tell(3, rows)
    command = ["-m", "runtime.replay", model.folder]
    status, last = inside(python, command, lambda: tell(3, rows), project.folder)
    try:
        return replay_told("environment", status, last, model.contract.tolerance)[0]
    except ValueError as error:
        raise RequirementsFailed(
            _("The saved model does not load in a fresh environment:") + "\n" + "\n".join(last[-12:]),
            where=project.folder,
            remedy=_lean("\n".join(last)),
        ) from error


def inside(python: Path, arguments: list[str], tick: Callable[[], None], cwd: str) -> tuple[int, list[str]]:
    """Runs the interpreter of an environment where nothing else comes in; gives its status and its last lines."""
    return watch([str(python), "-s", *arguments], lambda line: None, tick, env=_CLEAN, cwd=cwd)


def prepare(requirements: Path, tell: Callable[[int, str], None]) -> Path:
    """The interpreter of the environment for a requirements file; made where it is not there.

    Raises:
        RequirementsFailed: uv cannot install them; with the end of its log.
        MissingDependency: there is no uv.
    """
    text = requirements.read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    options = [] if uv_has_its_own() else settings().for_uv()
    target = folder() / _digest(wanted, options)
    marker = target / "ready.json"
    if marker.is_file() and _python(target).exists():
        os.utime(marker)
        return _python(target)
    uv = _uv()
    part = target.with_name(f".{target.name}.{secrets.token_hex(3)}")
    part.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    pinned = sum(not line.startswith("-") for line in wanted)
    try:
        making = _("Making a fresh environment")
        _uv_run(
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(part)],
            lambda: tell(1, making),
        )
        command = [
            uv,
            "pip",
            "install",
            "--python",
            str(_python(part)),
            "--requirement",
            str(requirements),
            *options,
        ]
        _uv_run(
            command,
            lambda: tell(
                2, _("Installing {n} packages · {seconds} s", n=pinned, seconds=int(time.monotonic() - began))
            ),
        )
        told = {"requirements": wanted, "seconds": round(time.monotonic() - began, 1)}
        paths.write_atomic(part / "ready.json", json.dumps(told, indent=1))
        if target.exists() and not marker.is_file():
            shutil.rmtree(target)  # half of one, from a time when the machine went down
        try:
            part.rename(target)
        except OSError:
            if not marker.is_file():  # else another process was quicker
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _prune(target)
    return _python(target)


def folder() -> Path:
    """Where the environments lie."""
    return paths.home() / "environments"


def _digest(wanted: list[str], options: list[str]) -> str:
    machine = [sys.version, sysconfig.get_platform(), os.path.realpath(sys.executable)]
    whole = json.dumps([sorted(wanted), options, machine])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _python(place: Path) -> Path:
    return place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        found = shutil.which("uv")
        if found is None:
            raise MissingDependency(_("uv is not installed."), remedy="%pip install uv") from error
        return found


def _uv_run(command: list[str], tick: Callable[[], None]) -> None:
    tick()
    # Its own folder: a pyproject.toml beside the notebook says nothing of the service.
    status, last = watch(command, lambda line: None, tick, env={**_CLEAN, "NO_COLOR": "1"}, cwd=str(folder()))
    if status:
        raise RequirementsFailed(
            _("The requirements cannot be installed in a fresh environment:") + "\n" + "\n".join(last[-15:]),
            where="requirements.txt",
            remedy=_remedy("\n".join(last)),
        )


def _remedy(log: str) -> str:
    if re.search(r"No solution found|no version of|not found in the package registry", log):
        return _("A version that is installed here cannot be had: install a released one, and wrap again.")
    if re.search(r"dns error|error sending request|Connection refused|timed out|Failed to fetch", log):
        return _("Check the network and pip's index settings; fresh=False goes on without this proof.")
    return _("Mend what the log says; fresh=False goes on without this proof.")


def _lean(log: str) -> str:
    """What is missing there, by the name that installs it."""
    missing = re.findall(r"No module named '([\w.]+)'", log)
    if not missing:
        return _("Mend what the log says, and wrap again.")
    module = missing[-1]
    names = [name_of(home) for home in homes(module)]
    if names:
        return _(
            "The model imports {module} where it was not seen: ekiben.wrap(…, requirements={names})",
            module=module,
            names=names,
        )
    return _(
        "No installed package gives {module}: keep it beside the notebook, or install it.", module=module
    )


def _prune(current: Path) -> None:
    """Takes away what was used longest ago, and parts that a killed process left."""
    known = [(_used(place), place) for place in folder().iterdir() if place.is_dir() and place != current]
    whole = sorted((pair for pair in known if not pair[1].name.startswith(".")), reverse=True)
    parts = [pair for pair in known if pair[1].name.startswith(".")]
    for used, place in (*whole[KEPT - 1 :], *parts):
        if time.time() - used > _IN_USE:
            shutil.rmtree(place, ignore_errors=True)


def _used(place: Path) -> float:
    marker = place / "ready.json"
    return (marker if marker.is_file() else place).stat().st_mtime
