"""Binder can make an image of the repository: repo2docker itself says how it would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def test_repo2docker_writes_a_dockerfile(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "binder", tmp_path / "binder")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in said
    assert (repository / "binder/runtime.txt").read_text().strip() == "python-3.11"


def test_it_installs_the_repository_with_its_lab_side(repository: Path) -> None:
    lines = (repository / "binder/requirements.txt").read_text().split()
    assert lines == [".[lab,papermill,zh]"]
