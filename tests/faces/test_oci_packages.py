"""The packages' layers of another kind of model: made of what is there, and the same as made afresh."""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

import pytest
from ekiben.builders.oci import bytecode, layers, packages
from ekiben.builders.oci.layers import Stored
from ekiben.builders.oci.reachable import Wanted
from rig.projects import REQUIREMENTS, nothing


@pytest.fixture
def requirements(fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]) -> Path:
    """Two small packages; a home without any layer, pip as the person has it."""
    monkeypatch.setenv("HOME", person["HOME"])
    monkeypatch.setattr(tempfile, "tempdir", str(fresh_home))
    file = fresh_home / "requirements.txt"
    file.write_text(REQUIREMENTS)
    return file


def made(requirements: Path, *roots: str) -> tuple[Stored, ...]:
    version = platform.python_version()
    return packages.made(requirements, version, "linux/amd64", nothing, imported=Wanted(roots))


def test_another_kind_of_model_installs_nothing_and_is_the_same_to_the_byte(
    requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = made(requirements, "jinja2")
    shutil.rmtree(layers.folder())
    before = made(requirements, "markupsafe")
    assert before[0] == fresh[0] and before[1].digest != fresh[1].digest
    compiled: list[Path] = []
    whole = bytecode._compile

    def compile_some(folder: Path, home: str, tick: object, chosen: list[Path]) -> None:
        compiled.extend(file.relative_to(folder) for file in chosen)
        whole(folder, home, nothing, chosen)

    def never(*_anything: object) -> None:
        raise AssertionError("nothing is installed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_install", never)
        patch.setattr(bytecode, "_compile", compile_some)
        after = made(requirements, "jinja2")
    assert after == fresh
    assert {file.parts[0] for file in compiled} == {"jinja2"}, (
        "markupsafe is imported by it, and compiled already"
    )
    assert layers.blob(after[1].digest).read_bytes()


def test_sources_that_differ_have_bytecode_of_their_own(fresh_home: Path) -> None:
    folder = fresh_home / "site"
    folder.mkdir()
    found = []
    for text in ("answer = 1\n", "answer = 2\n", "answer = 1\n"):
        (folder / "one.py").write_text(text)
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        bytecode.make(folder, "app", nothing)
        (one,) = bytecode.entries(folder, "app")
        assert isinstance(one.source, Path)
        found.append(one.source.read_bytes())
    assert found[0] == found[2] != found[1]
    # The same source at another place tells of that place.
    shutil.rmtree(folder / "__pycache__")
    bytecode.make(folder, "app/lib", nothing)
    assert b"/app/lib/one.py" in next(folder.rglob("*.pyc")).read_bytes()
