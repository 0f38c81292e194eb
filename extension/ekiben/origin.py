"""Where the model that is being wrapped comes from: the notebook, and the git revision that it lies in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ekiben.records import Origin

#: Set for the kernel by ``ekiben build notebook.ipynb``: ``{"notebook": path, "parameters": {…}}``.
RUN = "EKIBEN_RUN"
#: Seconds that git has for an answer; a larger work tree goes without.
_PATIENCE = 5.0


def here(namespace: Mapping[str, Any] | None = None) -> Origin:
    """The origin of what runs in this process; what cannot be found out is left empty."""
    run = json.loads(os.environ.get(RUN) or "{}")
    path = run.get("notebook") or _notebook(namespace or {})
    parameters = {str(name): str(value) for name, value in (run.get("parameters") or {}).items()}
    file = Path(path).expanduser() if path else None
    folder = file.parent if file is not None and file.parent.is_dir() else Path.cwd()
    root = _git(folder, "rev-parse", "--show-toplevel")
    if not root:
        return Origin(notebook=file.name if file else "", parameters=parameters)
    revision = _git(folder, "rev-parse", "--verify", "HEAD") or ""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Origin(
        notebook=_inside(file, Path(root)) if file else "",
        revision=revision,
        dirty=bool(revision) and changed != "",
        repository=_plain(_git(folder, "remote", "get-url", "origin") or ""),
        parameters=parameters,
    )


def notebook() -> str:
    """The path of the notebook whose kernel this is, as Jupyter tells it; empty elsewhere."""
    told = os.environ.get("JPY_SESSION_NAME", "")
    return told if told.endswith(".ipynb") else ""


def _notebook(namespace: Mapping[str, Any]) -> str:
    """The running notebook's path: Jupyter tells it to the kernel, VS Code to the notebook."""
    told = namespace.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    if str(told).endswith((".ipynb", ".py", ".md")):
        return str(told)
    script = (
        getattr(sys.modules.get("__main__"), "__file__", None) if "get_ipython" not in namespace else None
    )
    return str(script) if script and str(script).endswith(".py") else ""


def _inside(file: Path, root: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return file.name


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where there is no git, no work tree or no answer in time."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _plain(address: str) -> str:
    """An address without user and password; a path of this machine is nobody else's business."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "ssh", "git"):
        host = parts.hostname or ""
        host = f"{host}:{parts.port}" if parts.port else host
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    if "@" in address and ":" in address.rpartition("@")[2]:
        return address.rpartition("@")[2].replace(":", "/", 1)  # git@host:team/repository
    return ""
