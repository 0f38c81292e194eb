"""Where a model comes from, with a real git work tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ekiben import origin
from ekiben.builders.labels import labels


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's time for git."""
    monkeypatch.setattr(origin, "_PATIENCE", 120.0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/train.ipynb").write_text("{}")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    git(tmp_path, "remote", "add", "origin", "https://me:secret@example.org:8443/team/models.git")
    return tmp_path


def test_a_notebook_in_a_work_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tree / "deep/train.ipynb"))
    found = origin.here({"get_ipython": None})
    assert found.notebook == "deep/train.ipynb"
    assert found.revision == git(tree, "rev-parse", "HEAD")
    assert not found.dirty
    assert found.repository == "https://example.org:8443/team/models.git", "no login travels"
    (tree / "deep/train.ipynb").write_text("{ }")
    assert origin.here({"get_ipython": None}).dirty
    git(tree, "remote", "set-url", "origin", "git@example.org:team/models.git")
    assert origin.here({}).repository == "example.org/team/models.git"
    git(tree, "remote", "set-url", "origin", str(tree))
    assert origin.here({}).repository == "", "a folder of this machine says nothing elsewhere"


def test_a_run_with_parameters_outside_a_work_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = {"notebook": str(tmp_path / "train.ipynb"), "parameters": {"alpha": 0.1}}
    monkeypatch.setenv(origin.RUN, json.dumps(run))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = origin.here({})
    assert (found.notebook, found.revision, found.dirty) == ("train.ipynb", "", False)
    assert found.parameters == {"alpha": "0.1"}


def test_without_git(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tree / "deep/train.ipynb"))
    monkeypatch.setenv("PATH", str(tree))
    assert origin.here({"get_ipython": None}).notebook == "train.ipynb"


def test_the_notebook_of_a_service_is_what_jupyter_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, known in (("deep/train.ipynb", "deep/train.ipynb"), ("console-1", ""), ("", "")):
        monkeypatch.setenv("JPY_SESSION_NAME", told)
        assert origin.notebook() == known
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert origin.notebook() == ""


def test_labels_hold_only_what_is_known() -> None:
    notes = {"name": "iris", "version": "v1", "created": "2026-01-01T00:00:00+00:00"}
    plain = labels(notes, b"{}")
    assert plain["org.opencontainers.image.title"] == "iris:v1"
    assert "org.opencontainers.image.revision" not in plain and "io.ekiben.dirty" not in plain
    told = labels({**notes, "origin": {"revision": "abc", "parameters": {"alpha": "0.1"}}}, b"{}")
    assert told["io.ekiben.parameter.alpha"] == "0.1"
    assert (told["org.opencontainers.image.revision"], told["io.ekiben.dirty"]) == ("abc", "false")
    assert labels(notes, b"{}") == plain != labels(notes, b"{ }")
