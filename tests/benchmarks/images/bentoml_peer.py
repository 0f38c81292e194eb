"""The peer: ``bentoml build`` and ``bentoml containerize`` with Podman, as lean as BentoML lets it be.

The same pinned packages, base image and registry; ``distro="none"`` (no compiler, no git); the bytecode is
compiled in the image, as BentoML's recipe does. Nothing is locked, which spares the peer a resolution.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rig import Rig

from images.ours import engine_size

_SERVICE = """import bentoml
import joblib
import pandas as pd


@bentoml.service(image=bentoml.images.Image(base_image={base!r}, distro="none", python_version={python!r}))
class Bench:
    kept = bentoml.models.BentoModel("bench-peer:latest")

    def __init__(self) -> None:
        self.model = joblib.load(self.kept.path_of("model.joblib"))

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> list[int]:
        return self.model.predict(rows).tolist()
"""
_RECIPE = """service: "service:Bench"
name: bench-peer
include: ["service.py"]
python: {requirements_txt: ./requirements.txt, lock_packages: false}
"""
PACKAGES = ("bentoml", "scikit-learn", "pandas", "joblib")


class BentoML:
    """A BentoML home, project and Podman store."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig, self.folder = rig, folder
        self.registry = rig.base.partition("/")[0]
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        (self.project / "service.py").write_text(_SERVICE.format(base=rig.base, python=python))
        (self.project / "bentofile.yaml").write_text(_RECIPE)
        pinned = "".join(f"{name}=={version(name)}\n" for name in PACKAGES)
        (self.project / "requirements.txt").write_text(pinned)

    def wrap(self, made: tuple[Any, Any]) -> None:
        """The model into BentoML's store; not part of what is measured."""
        import bentoml
        import joblib

        with bentoml.models.create("bench-peer") as entry:
            joblib.dump(made[0], entry.path_of("model.joblib"))

    def cold(self, name: str) -> float:
        """With nothing kept: no image, no cache."""
        self.rig.run("rmi", "-a", "-f")
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        return self.build(name)

    def build(self, name: str) -> float:
        """The bento made, the image built and pushed; seconds."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        target = f"{self.registry}/{name}"
        began = time.perf_counter()
        told = self._run("build", ".", "--output", "tag")
        tag = next(line for line in told.splitlines() if "__tag__:" in line).partition("__tag__:")[2].strip()
        self._run("containerize", tag, "--backend", "podman", "-t", target)
        self.rig.run("push", "-q", target)
        return time.perf_counter() - began

    def size(self, name: str) -> int:
        """Bytes of the image laid out, as the engine counts them."""
        return engine_size(self.rig, f"{self.registry}/{name}")

    def _run(self, *arguments: str) -> str:
        # Podman's build keeps its caches in TMPDIR, so they are this peer's own.
        env = {**os.environ, "TMPDIR": str(self.folder / "tmp"), "BENTOML_DO_NOT_TRACK": "True"}
        done = subprocess.run(
            [sys.executable, "-m", "bentoml", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=env,
            cwd=self.project,
        )
        if done.returncode:
            raise RuntimeError(f"bentoml {arguments[0]}:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        return done.stdout
