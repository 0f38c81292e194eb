"""A form's code may be a file or a package: kept, loaded, put into a project, each beside others of its kind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ekiben
import pytest
from ekiben import form_code
from ekiben.errors import NotConverted
from ekiben.project import render, write
from ekiben.testing import _imports
from models import iris
from rig.boxes import kept as captured

LOAD = "def load(folder, contract):\n    return lambda rows: {times} * len(rows)\n"


def package(folder: Path, times: int) -> Path:
    """A runner of two files, one of which is imported when it is called."""
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from . import early\n\ndef load(folder, contract):\n"
        "    from .late import count\n    return lambda rows: early.TIMES * count(rows)\n"
    )
    (folder / "early.py").write_text(f"TIMES = {times}\n")
    (folder / "late.py").write_text("from .early import TIMES\ncount = len\n")
    return folder


def kept(runner: Path, home: Path) -> Any:
    home.mkdir()
    form_code.keep(runner, home)
    return form_code.load(home)


def test_a_file_and_packages_beside_each_other(tmp_path):
    (tmp_path / "runner.py").write_text(LOAD.format(times=2))
    one = kept(tmp_path / "runner.py", tmp_path / "one")
    two = kept(package(tmp_path / "runner", 3), tmp_path / "two")
    three = kept(package(tmp_path / "other", 5), tmp_path / "three")
    assert [entry.load(tmp_path, {})([0, 0]) for entry in (one, two, three)] == [4, 6, 10]
    assert (tmp_path / "one" / "form.py").is_file() and (tmp_path / "two" / "form" / "late.py").is_file()


def test_a_package_whose_first_folder_is_gone(tmp_path):
    first = kept(package(tmp_path / "runner", 7), tmp_path / "compiled.0")
    shutil.move(tmp_path / "compiled.0", tmp_path / "compiled")
    again = form_code.load(tmp_path / "compiled")
    assert again is first and again.load(tmp_path, {})([0]) == 7


def test_what_is_missing_or_broken_is_told(tmp_path):
    with pytest.raises(NotConverted, match="missing"):
        form_code.load(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotConverted, match="missing"):
        form_code.keep(tmp_path / "empty", tmp_path)
    broken = package(tmp_path / "broken", 1)
    (broken / "early.py").write_text("raise OSError('no such library')\n")
    before = set(sys.modules)
    with pytest.raises(OSError, match="no such library"):
        kept(broken, tmp_path / "home")
    assert set(sys.modules) == before


def test_a_package_imports_its_own_files_and_none_beside_it(tmp_path):
    runner = package(tmp_path / "runner", 1)
    assert _imports(runner) == set()
    (runner / "late.py").write_text("from ..elsewhere import count\n")
    with pytest.raises(AssertionError, match=r"late\.py imports from its package"):
        _imports(runner)


def test_the_project_has_it_and_a_former_one_leaves(tmp_path):
    box = captured(*iris(), "code-of-a-form")
    box.project = write(render(box.model), tmp_path / "project")
    home = Path(box.model.folder) / "compiled"
    runtime = Path(box.project.folder) / "runtime"
    assert (runtime / "form" / "steps.py").read_bytes() == (home / "form" / "steps.py").read_bytes()
    # As a converter of a single file has it, and a box that was made when ours was one.
    shutil.rmtree(home / "form")
    (home / "form.py").write_text(
        "def load(folder, contract):\n"
        "    golden = contract['golden']['answers']\n"
        "    return lambda rows: {name: values[:len(rows)] for name, values in golden.items()}\n"
    )
    write(render(box.model), box.project.folder)
    assert not (runtime / "form").exists() and (runtime / "form.py").is_file()
    command = [sys.executable, "-m", "runtime.replay", box.model.folder, "--form"]
    done = subprocess.run(command, cwd=box.project.folder, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["trouble"], told["mismatches"]) == (0, "", []), done.stderr
    assert ekiben.open_box(box.model.tag).predictor.form == box.compiled.form
