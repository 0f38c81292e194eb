"""The other peer: the Dockerfile of ``mlflow models build-docker``, built by Podman on the same base.

``mlflow models generate-dockerfile`` writes what ``build-docker`` builds. Its base is replaced by ours, and
its step that installs nginx by apt is left out: the rig's base has no apt, and this favours MLflow.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from rig import Rig
from serving import environments

from images.ours import engine_size

_SAVE = """import sys, mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
table, target = load_iris(return_X_y=True, as_frame=True)
needs = sys.argv[2:]
model = LogisticRegression(max_iter=500).fit(table, target)
mlflow.sklearn.save_model(model, sys.argv[1], serialization_format="cloudpickle", pip_requirements=needs)
"""


class MLflow:
    """MLflow in an environment of its own, with the same scikit-learn and pandas.

    Raises:
        NotInstalled: it cannot be had.
    """

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig, self.folder = rig, folder
        self.registry = rig.base.partition("/")[0]
        folder.mkdir(parents=True)
        needs = environments.versions("scikit-learn", "pandas")
        place = environments.prepare("mlflow-image", ["mlflow", *needs], lambda _message: None)
        self.program = place / "bin" / "mlflow"
        self._run([str(place / "bin" / "python"), "-c", _SAVE, "saved", *needs])

    def cold(self, name: str) -> float:
        """With nothing kept: the Dockerfile written, built and pushed; seconds."""
        target = f"{self.registry}/{name}"
        began = time.perf_counter()
        self._run([str(self.program), "models", "generate-dockerfile", "-m", "saved", "-d", "out", *_LOCAL])
        file = self.folder / "out" / "Dockerfile"
        text = re.sub(r"^FROM .*$", f"FROM {self.rig.base}", file.read_text(), flags=re.MULTILINE)
        # An instruction, which goes on after a backslash; without those that speak of apt.
        steps = re.findall(r"^(?:.*\\\n)*.*\n?", text, flags=re.MULTILINE)
        file.write_text("".join(step for step in steps if not (step.startswith("RUN") and "apt" in step)))
        self.rig.run("rmi", "-a", "-f")
        self.rig.run("build", "--no-cache", "-q", "-t", target, str(self.folder / "out"))
        self.rig.run("push", "-q", target)
        return time.perf_counter() - began

    def size(self, name: str) -> int:
        """Bytes of the image laid out, as the engine counts them."""
        return engine_size(self.rig, f"{self.registry}/{name}")

    def _run(self, argv: list[str]) -> None:
        done = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{argv[:3]}:\n{done.stdout[-1000:]}\n{done.stderr[-1500:]}")


_LOCAL = ("--env-manager", "local")


def found(rig: Rig, folder: Path) -> MLflow | None:
    """It, where it can be had here; None, told, where not."""
    try:
        return MLflow(rig, folder)
    except environments.NotInstalled as problem:
        print(f"  mlflow is left out: {problem}", file=sys.stderr)
        return None
