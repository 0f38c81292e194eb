"""`ekiben images`, `save`, `load`, `push` and `remove` on one small image, as the READMEs name them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ekiben import registry
from ekiben.builders.oci import remote
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import parse
from ekiben.image import kept
from ekiben.records import Image, Replay, Tolerance
from rig.projects import base, nothing, small
from rig.registry import Registry
from test_image import in_container


@pytest.fixture
def made(hub: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]) -> Image:
    """A built image; that it was proven is written by hand, for its model is none that could answer."""
    monkeypatch.setenv("HOME", person["HOME"])
    monkeypatch.setenv("PATH", str(fresh_home / "no-engine"))
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    monkeypatch.chdir(fresh_home)
    project = small(fresh_home / "one")
    built = registry.builder("oci").build(project, "small:1", base(f"{hub.address}/base:1", "amd64"), nothing)
    replay = Replay("image", 48, 0.0, Tolerance(), 1.0)
    record = Image.from_json({**built.to_json(), "replay": replay.to_json()})
    kept.keep(record)
    return record


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ekiben", *words], capture_output=True, text=True)


@in_container
def test_they_list_save_push_and_remove(made: Image, hub: Registry, fresh_home: Path) -> None:
    listed = run("images", "--json")
    assert [one["reference"] for one in json.loads(listed.stdout)] == ["small:1"]
    assert run("save", "small:1", "clf.tar").stdout.strip().endswith("clf.tar")
    with tarfile.open(fresh_home / "clf.tar") as archive:
        assert "manifest.json" in archive.getnames()
    pushed = run("push", "small:1", f"{hub.address}/team/clf:1")
    assert pushed.returncode == 0 and f"Pushed {hub.address}/team/clf:1" in pushed.stderr
    there = remote.resolve(Client(hub.address), parse(f"{hub.address}/team/clf:1"), "linux/amd64")
    assert there.digest == made.digest
    loaded = run("load", "small:1")
    assert loaded.returncode != 0 and "  → " in loaded.stderr, "no engine is here: told with the remedy"
    removed = run("remove", "small:1")
    assert removed.returncode == 0 and "Removed small:1" in removed.stderr
    assert json.loads(run("images", "--json").stdout) == []
    again = run("save", "small:1", "again.tar")
    assert again.returncode == 1 and "small:1" in again.stderr and not (fresh_home / "again.tar").exists()
