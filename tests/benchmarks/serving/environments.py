"""A virtual environment for each peer, made by uv on first use and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ekiben.pip_settings import settings, uv_has_its_own
from uv import find_uv_bin


class NotInstalled(Exception):
    """A peer's packages cannot be had; says why."""


def cache() -> Path:
    """``$XDG_CACHE_HOME/ekiben-bench``, or the like."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base and sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    return Path(base or Path.home() / ".cache") / "ekiben-bench"


def versions(*names: str) -> list[str]:
    """Requirements with the versions of this environment, so that one model file fits everywhere."""
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def prepare(name: str, requirements: Sequence[str], say: Callable[[str], None]) -> Path:
    """The environment's folder; made where it is not there.

    Raises:
        NotInstalled: uv cannot install the requirements.
    """
    whole = json.dumps([sorted(requirements), sys.version, sys.platform])
    target = cache() / "environments" / f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:10]}"
    if (target / "ready.json").is_file():
        return target
    shutil.rmtree(target, ignore_errors=True)  # half of one
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [] if uv_has_its_own() else settings().for_uv()
    uv = find_uv_bin()
    began = time.monotonic()
    log = target.parent / f"{target.name}.log"
    with log.open("wb") as output:
        for command in (
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(target)],
            [uv, "pip", "install", "--python", str(target / "bin" / "python"), *options, *requirements],
        ):
            child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=target.parent)
            try:
                while child.poll() is None:
                    say(f"installing {name} · {time.monotonic() - began:.0f} s")
                    time.sleep(0.5)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            if child.returncode:
                shutil.rmtree(target, ignore_errors=True)
                raise NotInstalled(_reason(log.read_text(encoding="utf-8", errors="replace")))
    (target / "ready.json").write_text(json.dumps(list(requirements)), encoding="utf-8")
    return target


def _reason(log: str) -> str:
    lines = [line.strip(" ×╰─▶│") for line in log.splitlines() if line.strip()]
    return "not installed: " + " ".join(lines)[-300:]
