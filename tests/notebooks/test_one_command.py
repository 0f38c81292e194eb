"""One command from a notebook to a registry: ``ekiben build notebook.ipynb -t HOST/NAME:TAG -p … --push --json``.

Each way that it may end has its exit status and its last event.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ekiben import image
from ekiben.builders.oci import layout, remote
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import parse
from ekiben.capture import load_model
from ekiben.errors import BuildFailed
from rig import Rig
from rig.osv import advisory, answering
from rig.registry import Registry
from test_train import TRAIN, written

pytestmark = [pytest.mark.papermill, pytest.mark.container, pytest.mark.slow]

WRAP = "box = ekiben.wrap(clf, X, name='trained-image')\nother = ekiben.wrap(clf, X, name='another')"
#: A model that answers otherwise where its home is the image's.
HOMESICK = """
import os
from sklearn.base import BaseEstimator, ClassifierMixin
class Homesick(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_, self.inner_ = [0, 1, 2], LogisticRegression(max_iter=500).fit(X, y)
        return self
    def predict(self, X):
        away = os.environ.get("HOME") == "/home/ekiben"
        return (self.inner_.predict(X) + away) % 3
box = ekiben.wrap(Homesick().fit(X, y), X, name="homesick")
"""


def build(*arguments: str, cwd: Path) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and the events of ``ekiben build … --json``."""
    command = [sys.executable, "-m", "ekiben", "build", *arguments, "--no-fresh", "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events, done.stderr[-3000:]
    return done.returncode, events


@pytest.fixture(scope="module")
def host(container_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The registry of the base image where that is on this machine, else one of these tests."""
    home = container_rig.base.partition("/")[0]
    if home.startswith("127.0.0.1"):
        yield home
        return
    found = Registry(tmp_path_factory.mktemp("hub")).start()
    yield found.address
    found.stop()


def test_from_the_notebook_to_the_registry(tmp_path: Path, container_rig: Rig, host: str) -> None:
    notebook = written(tmp_path, TRAIN, WRAP)
    name = f"{host}/team/trained:1"
    arguments = ["train.ipynb", "-t", name, "-p", "alpha", "0.1", "--push"]
    status, events = build(*arguments, cwd=tmp_path)
    assert (status, events[-1]["event"], events[-1]["type"]) == (2, "error", "InvalidName")
    assert "trained-image, another" in events[-1]["error"] and events[-1]["remedy"].startswith(
        "Name one: --box"
    )

    known = advisory("jinja2", "TEST-2026-3", "CVE-2026-0003", "99.1")
    with answering({("jinja2", ""): [known]}) as source, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EKIBEN_ADVISORIES", source.url)
        status, events = build(*arguments, "--box", "trained-image", cwd=tmp_path)
    assert status == 0, events[-1]
    assert [event["event"] for event in events if event["event"] not in ("step", "layer")] == [
        "model",
        "done",
    ]
    steps = [(event["step"], event["steps"]) for event in events if event["event"] == "step"]
    assert [step for step, _all in steps] == sorted(step for step, _all in steps)
    assert any("cell 5" in event.get("message", "") for event in events)
    told = {event["name"]: event for event in events if event["event"] == "layer"}
    tag = next(event["model"] for event in events if event["event"] == "model")
    pushed = told[f"the model {tag}"]
    assert pushed["how"] == "sent" and pushed["bytes"] > 0 and pushed["seconds"] >= 0
    assert events[-1]["result"]["audit"]["vulnerabilities"][0]["fixed"] == ["99.1"]
    built = image.find(name)
    try:
        assert built.record.proven and tag.startswith("trained-image:")
        labels = layout.config_of(layout.place(name))["config"]["Labels"]
        assert labels["io.ekiben.parameter.alpha"] == "0.1"
        assert labels["io.ekiben.notebook"].endswith(notebook.name)
        # What the registry has is it, and answers as the notebook.
        found = remote.resolve(Client(host), parse(name), "linux/amd64")
        assert found.digest == built.record.digest == events[-1]["result"]["digest"]
        container_rig.run("rmi", "-f", name)
        container_rig.run("pull", "-q", *container_rig.plain, name)
        builder, port = image.choose("oci"), image.free_port()
        running = builder.start(built.record, port)
        try:
            image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 300)
            assert image.replay_http(f"http://127.0.0.1:{port}", load_model(tag).contract).passed
        finally:
            builder.stop(running)
        _refused(tag, tmp_path)
    finally:
        built.remove()


def _refused(tag: str, folder: Path) -> None:
    """A registry that wants a login says so before anything is run or built."""
    guarded = Registry(folder).with_password().start()
    try:
        name = f"{guarded.address}/team/refused:1"
        for what in (tag, "train.ipynb"):
            status, events = build(what, "-t", name, "--push", cwd=folder)
            assert (status, events[-1]["event"], events[-1]["type"]) == (1, "error", "BuildFailed")
            assert "refuses team/refused (pull,push)" in events[-1]["error"]
            assert events[-1]["remedy"] == f"Log in first: docker login {guarded.address}"
            assert {event["event"] for event in events[:-1]} <= {"step"}
            assert not any("cell" in event["message"] for event in events[:-1])
        assert not any(one.reference == name for one in image.images())
    finally:
        guarded.stop()


def test_a_proof_that_fails_is_not_pushed(tmp_path: Path, container_rig: Rig, host: str) -> None:
    written(tmp_path, TRAIN, HOMESICK)
    name = f"{host}/team/homesick:1"
    status, events = build("train.ipynb", "-t", name, "--push", cwd=tmp_path)
    last = events[-1]
    assert (status, last["event"], last["type"]) == (4, "error", "ReplayMismatch"), last
    assert last["replay"]["station"] == "image" and last["replay"]["mismatches"]
    (kept,) = [one for one in image.images() if one.wanted == name]
    assert kept.reference in last["remedy"] and not kept.proven
    with pytest.raises(BuildFailed, match="404"):
        remote.resolve(Client(host), parse(name), "linux/amd64")
    image.BuiltImage(kept).remove()


def test_a_cell_that_fails_is_named_and_nothing_is_built(
    tmp_path: Path, container_rig: Rig, host: str
) -> None:
    written(tmp_path, TRAIN, "1 / (alpha - 0.1)")
    status, events = build("train.ipynb", "-t", f"{host}/x:1", "-p", "alpha", "0.1", "--push", cwd=tmp_path)
    last = events[-1]
    assert (status, last["event"], last["type"]) == (1, "error", "NotReproduced")
    assert (last["where"], last["error"].splitlines()[0]) == (
        "train.ipynb, 4",
        "Cell 4 fails in a fresh kernel: ZeroDivisionError",
    )
    assert {event["event"] for event in events[:-1]} == {"step"}
