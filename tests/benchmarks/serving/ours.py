"""Our own service: wrapped in a process like a kernel, started as ``ekiben`` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import forms
from .models import Model
from .peers import Failed
from .processes import free_port
from .sitting import Served

NAME = "ekiben"
HERE = Path(__file__).resolve().parent


def environment(work: Path) -> dict[str, str]:
    """A store and a runtime folder of its own; no processors are hidden from it."""
    return {
        "BENTOML_HOME": str(work / "bentoml"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONPATH": str(HERE.parent),
        "EKIBEN_LANG": "en",
    }


@dataclass(frozen=True)
class Wrapped:
    """Where the project and the saved model lie, and what is served."""

    told: dict[str, Any]
    work: Path

    @property
    def onnx(self) -> Path | None:
        """The model as one graph, where ours serves such; trees of ours name leaves alone and are none."""
        return next(iter(sorted(Path(self.told["folder"]).rglob("graph.onnx"))), None)

    @property
    def running(self) -> str:
        """What form of the model serves, as its folder tells."""
        manifest = json.loads((Path(self.told["folder"]) / "model.json").read_text(encoding="utf-8"))
        compiled = manifest.get("compiled")
        if isinstance(compiled, dict):
            return str(compiled.get("form") or compiled.get("name") or "compiled")
        return str(compiled or manifest.get("storage") or "native")

    def served(self) -> Served:
        port = free_port()
        command = [sys.executable, "-m", "runtime.serve", self.told["service"], "--port", str(port)]
        return Served(
            NAME, command, Path(self.told["project"]), environment(self.work), forms.ROWS, port, formed=True
        )


def wrap(model: Model, work: Path, *, starts: bool = False) -> Wrapped:
    """Wraps the model in a fresh Python.

    Raises:
        Failed: it refuses.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "runtime").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "serving.wrapping", str(model.folder), *(["--starts"] if starts else [])]
    done = subprocess.run(
        command,
        cwd=work,
        env={**os.environ, **environment(work)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise Failed(f"wrap: {(done.stderr or done.stdout).strip()[-600:]}")
    return Wrapped(json.loads(lines[-1]), work)


def loop(model: Model, wrapped: Wrapped, rows: int, seconds: float) -> dict[str, Any]:
    """Figures of the predictor alone, in a loop."""
    command = [
        sys.executable, str(HERE / "servers" / "loop_ours.py"), wrapped.told["folder"], str(rows),
        str(seconds), str(model.folder),
    ]  # fmt: skip
    return measured_loop(command, Path(wrapped.told["project"]), environment(wrapped.work))


def measured_loop(command: list[str], cwd: Path, env: dict[str, str]) -> dict[str, Any]:
    """Runs a loop of ``servers/loop_*.py`` on the server's core.

    Raises:
        Failed: it failed.
    """
    from .processes import pinned

    done = subprocess.run(
        pinned(command, "server"),
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise Failed(f"loop: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
