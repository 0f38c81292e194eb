"""Built where nothing is allowed: a container's user 12345 without capabilities, on a root that it cannot write to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ekiben import image
from ekiben.records import Image
from rig import Rig
from test_image import in_container

if TYPE_CHECKING:
    from ekiben.box import Box

USER = 12345

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def confined(
    container_rig: Rig, iris_box: Box, repository: Path, person: dict[str, str], tmp_path: Path
) -> Run:
    """Runs this ekiben in a container of the rig, without an engine in it.

    The packages and the store's models are lent to read; ``/scratch`` is all that can be written to, and each
    of ``small`` is a place there of so many bytes.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    models = tmp_path / "models"
    shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "models", models)
    for path in models.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # BentoML keeps some for its user alone
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    lent = {
        repository: "/repository",
        sysconfig.get_path("purelib"): "/packages",
        models: "/models",
        uv: "/tools/uv",
    }
    values = {
        "PYTHONPATH": "/repository/extension:/packages",
        "PATH": "/tools:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/scratch/home",
        "TMPDIR": "/scratch/tmp",
        "UV_CACHE_DIR": "/scratch/uv",
        "BENTOML_HOME": "/scratch/bentoml",
        "JUPYTER_RUNTIME_DIR": "/scratch/jupyter",
        "PYTHONDONTWRITEBYTECODE": "1",
        "EKIBEN_LANG": "en",
    }
    begin = "umask 077; mkdir -p $HOME $BENTOML_HOME $TMPDIR $JUPYTER_RUNTIME_DIR; ln -s /models $BENTOML_HOME/models; "

    def run(then: str, **small: str) -> subprocess.CompletedProcess[str]:
        command = [
            container_rig.engine,
            "run",
            "--rm",
            "--network",
            "host",
            "--user",
            str(USER),
            "--read-only",
        ]
        command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-v", f"{scratch}:/scratch"]
        command += [part for source, target in lent.items() for part in ("-v", f"{source}:{target}:ro")]
        command += [part for name, value in values.items() for part in ("-e", f"{name}={value}")]
        command += [
            part
            for name, size in small.items()
            for part in ("--tmpfs", f"/scratch/{name}:size={size},mode=1777")
        ]
        return subprocess.run(
            [*command, container_rig.base, "sh", "-c", begin + then],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """The last event of a job."""
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@in_container
def test_a_cold_build_without_any_right_is_the_same_image(
    confined: Run, built: Image, container_rig: Rig, iris_box: Box
) -> None:
    name = f"{built.reference.rpartition(':')[0]}:confined"
    job = f"exec python3 -m ekiben.image {iris_box.model.tag} {name} --engine oci"
    done = confined(f"{job} --base {container_rig.base} --push")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    made = Image.from_json(told(done)["result"])
    assert made.replay is not None and made.replay.passed
    assert made.digest == built.digest, "another folder, cache, user and umask"
    assert any("without isolation" in finding.message for finding in made.findings)
    container_rig.run("pull", "-q", *container_rig.plain, name)
    port = image.free_port()
    container = container_rig.run("run", "-d", "--network", "host", "-e", f"PORT={port}", name).strip()
    try:
        image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 300)
        assert image.replay_http(f"http://127.0.0.1:{port}", iris_box.contract).passed
    finally:
        container_rig.run("rm", "-f", container)
        container_rig.run("rmi", name)


@in_container
@pytest.mark.parametrize(
    "small",
    [{"bentoml": "30m"}, {"tmp": "60m"}, {"bentoml": "110m"}],
    ids=["the base", "the wheels", "a layer"],
)
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    confined: Run, container_rig: Rig, iris_box: Box, small: dict[str, str]
) -> None:
    job = f"python3 -m ekiben.image {iris_box.model.tag} full:1 --engine oci --base {container_rig.base}"
    look = "find $TMPDIR $BENTOML_HOME/ekiben/layers/parts $BENTOML_HOME/ekiben/images-oci -mindepth 1 >&2"
    done = confined(f"{job}; status=$?; {look}; exit $status", **small)
    event = told(done)
    assert done.returncode == 1
    assert event["error"] == "There is no space left on the disk."
    assert "Make room" in str(event["remedy"])
    assert str(event["where"]).startswith("/scratch/")
    left = [line for line in done.stderr.splitlines() if line.startswith("/scratch/")]
    assert left == []
