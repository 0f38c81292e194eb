"""Processes that are killed while an image is made or its base comes: nothing of them stays."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from ekiben import jobs, registry
from ekiben.builders.oci import layers, layout, remote, upload
from ekiben.builders.oci.client import Client
from rig.projects import base, nothing, small
from rig.registry import Registry
from test_image import in_container

#: Builds and is killed when the words of a step begin with what it is told.
_KILLED = """
import os, signal, sys
from ekiben import registry, scratch
from ekiben.records import Project
import json
project = Project.from_json(json.loads(sys.argv[1]))
def progress(step, steps, message):
    if message.startswith(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
registry.builder("oci").assemble(project, f"ekiben-candidate:{scratch.name()}", sys.argv[3], progress)
"""


@pytest.fixture
def ready(
    hub: Registry, fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]
) -> Any:
    """A project, the base to build it on, and an empty folder for temporary ones."""
    monkeypatch.setenv("HOME", person["HOME"])
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    under = base(f"{hub.address}/base:1", "amd64")
    project = small(fresh_home / "one")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return project, under, tmp_path / "tmp"


def argv(project: Any, under: str, step: str) -> list[str]:
    import json

    return [sys.executable, "-c", _KILLED, json.dumps(project.to_json()), "", under, step]


@in_container
@pytest.mark.parametrize("step", ["Installing", "Packing the model"])
def test_a_build_that_is_killed_leaves_nothing_behind_its_job(ready: Any, step: str) -> None:
    project, under, temporary = ready
    job = jobs.start("build", "small:1", argv(project, under, step))
    (*_steps, last) = jobs.follow(job.id)
    assert last["event"] == "error" and str(-signal.SIGKILL) in last["error"]
    psutil.wait_procs([psutil.Process(job.pid)] if psutil.pid_exists(job.pid) else [], 30)
    assert list(temporary.iterdir()) == []
    jobs.forget(job.id)


@in_container
def test_a_build_that_is_killed_with_all_around_it_is_tidied_up_by_the_next(ready: Any) -> None:
    project, under, temporary = ready
    done = subprocess.run(argv(project, under, "Installing"), check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(temporary.glob("ekiben-build-*")), "it was in the middle"
    parts = layers.folder() / "parts"
    mark = next(temporary.glob("ekiben-build-*")).name.removeprefix("ekiben-build-")
    for left in (parts / mark, layout.home() / f".{mark}", layout.place(f"ekiben-candidate:{mark}")):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("half")  # as a kill a moment later leaves them
    from ekiben import scratch

    scratch.sweep()  # as every build of an image begins
    registry.builder("oci").assemble(project, "small:1", under, nothing)
    assert list(temporary.iterdir()) == [] and list(parts.iterdir()) == []
    assert [one.name for one in layout.home().iterdir()] == [layout.place("small:1").name]


@in_container
def test_a_registry_that_is_killed_while_the_base_comes_is_asked_again(
    hub: Registry, tmp_path: Path, fresh_home: Path
) -> None:
    file = tmp_path / "layer"
    file.write_bytes(os.urandom(64 << 20))
    digest = layout.digest_of(file.read_bytes())
    upload.push(Client(hub.address), "base", digest, file, "", nothing)
    places: list[int] = []
    again = threading.Timer(0.5, hub.start)

    def tick(done: int) -> None:
        places.append(done)
        if done >= 8 << 20 and again.ident is None:
            hub.kill()
            again.start()

    remote.fetch(Client(hub.address), "base", digest, tmp_path / "back", tick)
    again.join()
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert any(later < earlier for earlier, later in itertools.pairwise(places)), "begun anew"
