"""Images for real: built by an engine, started, replayed; and nothing left when they come to nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from ekiben import image, jobs, paths, project, registry
from ekiben.capture import load_model
from ekiben.errors import (
    BuildFailed,
    Cancelled,
    EngineMissing,
    InvalidName,
    NotFound,
    ReplayMismatch,
    ServiceFailed,
)
from ekiben.image import proving
from ekiben.records import Contract, Job, Model, Project
from rig import Rig
from rig.registry import Registry

if TYPE_CHECKING:
    from ekiben.box import Box

container = [pytest.mark.container, pytest.mark.slow]


def in_container(test: Any) -> Any:
    """The marks of a test that needs an engine."""
    for mark in container:
        test = mark(test)
    return test


@pytest.mark.parametrize(
    "reference", ["iris", "iris:1", "team/iris:1.0-rc", "localhost:5000/a/b_c:X", "example.org/a/b"]
)
def test_names_of_images(reference: str) -> None:
    image.check_reference(reference)


@pytest.mark.parametrize(
    "reference", ["", "Iris:1", "iris:", "iris:a b", "-t", "a//b", "iris:1\n", "iris:" + "x" * 129]
)
def test_no_names_of_images(reference: str) -> None:
    with pytest.raises(InvalidName) as caught:
        image.check_reference(reference)
    assert "iris:1" in caught.value.remedy


def test_no_engine_says_which_and_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EKIBEN_BASE_IMAGE", "127.0.0.1:9/python:3")
    with pytest.raises(EngineMissing) as caught:
        image.choose(None, Project(name="iris", files={}, model="iris:1", folder="/projects/iris"))
    assert all(f"{name} is not installed" in caught.value.message for name in ("podman", "docker", "buildah"))
    assert "127.0.0.1:9 cannot be reached" in caught.value.message
    assert "/projects/iris" in caught.value.remedy
    assert caught.value.exit_status == 3
    with pytest.raises(EngineMissing) as caught:
        image.choose("docker")
    assert "podman" not in caught.value.message
    with pytest.raises(EngineMissing, match="nerdctl is not installed"):
        image.choose("nerdctl")
    with pytest.raises(NotFound, match="orbit"):
        image.choose("orbit")


def test_an_engine_that_is_there_and_does_not_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    problem = registry.builder("docker").problem()
    assert problem is not None
    assert "Cannot connect to the Docker daemon" in problem.message
    assert "docker version" in problem.remedy
    assert set(image.engines()) >= {"podman", "docker", "buildah", "oci"}


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The temporary folder of this test, to see that it is left empty."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def wrapped(iris_box: Box) -> tuple[Project, Model]:
    """The written project and the model."""
    return iris_box.project, iris_box.model


@pytest.fixture(scope="module")
def proven(container_rig: Rig, iris_box: Box) -> Iterator[tuple[image.BuiltImage, list[Job]]]:
    """A proven image, built as a job, with the job as it was shown on the way."""
    shown: list[Job] = []
    built = image.build_job(
        iris_box.model.tag,
        "ekiben-test/iris:1",
        image.Options(engine=container_rig.engine, fresh=True),
        show=shown.append,
    )
    yield built, shown
    built.remove()
    assert built.reference not in [entry.reference for entry in image.images()]
    assert not any("ekiben-test/iris:1" in name for name in container_rig.names())


@in_container
def test_a_build_is_shown_step_by_step_and_proven(
    proven: tuple[image.BuiltImage, list[Job]], container_rig: Rig, iris_box: Box
) -> None:
    built, shown = proven
    golden = len(iris_box.contract.golden.rows)
    assert built.replay is not None
    assert (built.replay.station, built.replay.rows, built.replay.passed) == ("image", golden, True)
    assert built.environment is not None and built.environment.passed
    assert any("fresh environment" in job.message for job in shown)
    assert built.record.digest.startswith("sha256:")
    assert built.record.model == iris_box.model.tag
    # Lean: no compiler, no git. With them it is over 1,300 MB.
    assert 100e6 < built.record.bytes < 900e6
    assert sum(layer.bytes for layer in built.record.layers) == pytest.approx(built.record.bytes, rel=0.05)
    assert all(layer.digest for layer in built.record.layers)
    progress = [job.step for job in shown]
    assert progress == sorted(progress)
    assert len({job.message for job in shown}) > 6
    last = shown[-1]
    assert last.step == last.steps
    assert str(golden) in last.message
    assert any(built.reference in name for name in container_rig.names())
    assert not any("candidate" in name for name in container_rig.names())
    assert container_rig.containers() == ""
    assert built.record in image.images()
    assert f"proven {golden}/{golden}" in built._repr_html_()
    text = jobs.log(last.id, tail=10_000)
    assert "STEP 1/" in text or "[1/" in text
    assert "Service " in text, "the container's own log belongs to the job's"


@in_container
def test_what_an_engine_built_is_saved_pushed_and_known_by_its_packages(
    proven: tuple[image.BuiltImage, list[Job]], container_rig: Rig, hub: Registry, tmp_path: Path
) -> None:
    built, _shown = proven
    _leaves_and_comes_back(built, container_rig, hub, tmp_path)
    purls = [one.get("purl", "") for one in built.sbom["components"]]
    assert any(one.startswith("pkg:deb/debian/libc6@") for one in purls)
    assert any(one.startswith("pkg:pypi/scikit-learn@") for one in purls)


def _leaves_and_comes_back(built: image.BuiltImage, rig: Rig, hub: Registry, folder: Path) -> None:
    """Saved as a file that loads, refused as a folder; pushed under another name and pulled."""
    file = built.save(folder / "image.tar")
    with tarfile.open(file) as archive:
        assert "manifest.json" in archive.getnames()
    assert [path.name for path in folder.iterdir() if "image" in path.name] == ["image.tar"]
    before = rig.names()
    assert built.reference in rig.run("load", "-i", str(file))
    assert rig.names() == before
    with pytest.raises(BuildFailed, match="one file"):
        built.save(folder / "layout")
    name = f"{hub.address}/team/engine:1"
    with pytest.raises(BuildFailed, match="could not push"):
        built.push("127.0.0.1:9/team/engine:1")
    lines: list[str] = []
    pusher: Any = registry.builder(built.record.engine)
    assert pusher.push(built.record, lines.append, name) is None, "engines do not tell how much"
    assert re.search(r" · layer \d+ of \d+ · \d+ s$", lines[-1]), lines
    built.push(name)
    assert rig.names() == before, "the name is the registry's alone"
    rig.run("pull", "-q", *rig.plain, name)
    try:
        config = json.loads(rig.run("image", "inspect", name))[0]["Config"]
        assert config["Labels"]["io.ekiben.model"] == built.record.model
    finally:
        rig.run("rmi", name)


@in_container
def test_the_image_answers_by_hand_without_telemetry(
    proven: tuple[image.BuiltImage, list[Job]], container_rig: Rig, iris_box: Box
) -> None:
    built, _shown = proven
    builder = registry.builder(container_rig.engine)
    port = image.free_port()
    name = builder.start(built.record, port)
    try:
        image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 300)
        rows = iris_box.contract.golden.rows
        request = Request(
            f"http://127.0.0.1:{port}/predict",
            json.dumps({"rows": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=120) as response:
            assert (
                json.loads(response.read())["predictions"] == iris_box.contract.golden.answers["predictions"]
            )
        inside = container_rig.run("exec", name, "env")
        assert "BENTOML_DO_NOT_TRACK=True" in inside
        labels = json.loads(container_rig.run("image", "inspect", built.reference))[0]["Config"]["Labels"]
        assert labels["io.ekiben.model"] == iris_box.model.tag
        assert labels["org.opencontainers.image.created"] == iris_box.model.created
        tools = container_rig.run("exec", name, "sh", "-c", "command -v gcc git || echo neither")
        assert tools.strip() == "neither"
    finally:
        builder.stop(name)
    assert container_rig.containers() == ""


def tampered(model: Model) -> Model:
    """The model with one golden answer changed."""
    answers = dict(model.contract.golden.answers)
    others = [label for label in model.contract.classes or () if label != answers["predictions"][3]]
    answers["predictions"] = [*answers["predictions"][:3], others[0], *answers["predictions"][4:]]
    golden = replace(model.contract.golden, answers=answers)
    changed: Contract = replace(model.contract, golden=golden)
    return replace(model, contract=changed)


@in_container
def test_an_unproven_image_never_gets_the_name(
    proven: tuple[image.BuiltImage, list[Job]],
    wrapped: tuple[Project, Model],
    container_rig: Rig,
    scratch: Path,
) -> None:
    built, _shown = proven
    before = container_rig.names()
    with pytest.raises(ReplayMismatch) as caught:
        image.build(wrapped[0], tampered(wrapped[1]), built.reference, engine=container_rig.engine)
    (row,) = caught.value.replay.mismatches
    assert (row.row, row.output) == (3, "predictions")
    assert row.expected != row.got
    assert caught.value.replay.station == "image"
    # The proven image of that name is still the one that the engine gives for it.
    (kept,) = [one for one in image.images() if one.wanted == built.reference]
    assert (
        container_rig.names() - before == {f"localhost/{kept.reference}"} or container_rig.engine == "docker"
    )
    assert kept.reference == f"ekiben-unproven:{kept.digest.removeprefix('sha256:')[:12]}"
    assert kept.replay is not None and kept.replay.mismatches == caught.value.replay.mismatches
    assert "ekiben remove " + kept.reference in caught.value.remedy
    image.find(kept.digest).remove()
    assert container_rig.names() == before
    assert kept not in image.images()
    assert registry.builder(container_rig.engine).look(built.reference, "").digest == built.record.digest  # type: ignore[attr-defined]
    assert container_rig.containers() == ""
    assert list(scratch.iterdir()) == []


@in_container
def test_an_interrupted_build_leaves_nothing(
    proven: tuple[image.BuiltImage, list[Job]],
    iris_box: Box,
    container_rig: Rig,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EKIBEN_BUILD_OPTIONS", "no-cache")
    before = container_rig.names()
    seen: list[Job] = []

    def interrupt(job: Job) -> None:
        seen.append(job)
        if "packages" in job.message:
            raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        chosen = image.Options(engine=container_rig.engine)
        image.build_job(iris_box.model.tag, "ekiben-test/iris:2", chosen, show=interrupt)
    job = jobs.find(seen[-1].id)
    assert job.state == "cancelled"
    assert not paths.alive(job.pid, job.birth)
    assert container_rig.names() == before
    assert container_rig.containers() == ""
    assert list(scratch.iterdir()) == []


@in_container
def test_what_progress_raises_stops_the_build(
    wrapped: tuple[Project, Model], container_rig: Rig, scratch: Path
) -> None:
    before = container_rig.names()

    def stop(step: int, steps: int, message: str) -> None:
        if step > 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        image.build(*wrapped, "ekiben-test/iris:3", engine=container_rig.engine, progress=stop)
    assert container_rig.names() == before
    assert container_rig.containers() == ""
    assert list(scratch.iterdir()) == []


@in_container
def test_an_engine_that_gives_up_tells_its_own_words(
    wrapped: tuple[Project, Model], container_rig: Rig, scratch: Path
) -> None:
    nowhere = container_rig.base.rpartition("/")[0] + "/no-such-base:1"
    with pytest.raises(BuildFailed) as caught:
        image.build(*wrapped, "ekiben-test/iris:4", engine=container_rig.engine, base=nowhere)
    assert "no-such-base" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "base=" in caught.value.remedy
    assert list(scratch.iterdir()) == []


@in_container
def test_a_service_that_does_not_start_in_the_image(
    proven: tuple[image.BuiltImage, list[Job]],
    wrapped: tuple[Project, Model],
    container_rig: Rig,
    tmp_path: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(wrapped[0].folder, folder)
    service = folder / "service.py"
    code = "import os\nif os.environ.get('BENTOML_CONTAINERIZED'):\n    raise RuntimeError('only outside')\n"
    head, _quotes, rest = service.read_text().partition('"""\n\n')
    service.write_text(f'{head}"""\n\n{code}{rest}')
    before = container_rig.names()
    monkeypatch.setattr(proving, "READY", 30.0)
    broken = replace(wrapped[0], folder=str(folder))
    with pytest.raises(ServiceFailed) as caught:
        image.build(broken, wrapped[1], "ekiben-test/iris:5", engine=container_rig.engine)
    assert "only outside" in caught.value.message
    (kept,) = [one for one in image.images() if one.wanted == "ekiben-test/iris:5"]
    assert kept.replay is None and "only outside" in kept.findings[-1].message
    image.BuiltImage(kept).remove()
    assert container_rig.names() == before
    assert container_rig.containers() == ""


def test_an_image_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="ekiben-unproven:0123") as caught:
        image.find("ekiben-unproven:0123")
    assert "ekiben images" in caught.value.remedy


def test_the_command_tells_errors_as_events() -> None:
    command = [sys.executable, "-m", "ekiben.image", "no-such-model", "x:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert (event["event"], event["type"]) == ("error", "NotFound")
    assert event["remedy"]


@in_container
def test_buildah_builds_and_proves_too(
    wrapped: tuple[Project, Model], container_rig: Rig, hub: Registry, tmp_path: Path
) -> None:
    problem = registry.builder("buildah").problem()
    if problem is not None:
        # `make machine` installs it; continuous integration always runs this.
        told = f"{problem.message} {problem.remedy}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    made = image.build(*wrapped, "ekiben-test/iris:6", engine="buildah")
    try:
        assert made.replay is not None
        assert made.replay.passed
        assert made.engine == "buildah"
        assert made.bytes > 100e6
        _leaves_and_comes_back(image.BuiltImage(made), container_rig, hub, tmp_path)
    finally:
        image.BuiltImage(made).remove()


def test_the_model_of_a_build_comes_from_the_store(iris_box: Box) -> None:
    model = load_model(iris_box.model.tag)
    assert project.render(model).files == iris_box.project.files
    assert image.default_base(model).startswith(
        os.environ.get("EKIBEN_BASE_IMAGE") or "docker.io/library/python:3."
    )
