"""The layers of CONTRIBUTING.md hold, and the tool that holds them sees a break."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder / "extension"), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def copy_of(repository: Path, folder: Path) -> Path:
    shutil.copy(repository / "pyproject.toml", folder)
    ignored = shutil.ignore_patterns("labextension", "static", "__pycache__", "locale")
    shutil.copytree(repository / "extension" / "ekiben", folder / "extension" / "ekiben", ignore=ignored)
    return folder / "extension" / "ekiben"


def test_the_layers_hold(repository: Path) -> None:
    done = lint(repository)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_ground_that_reaches_up_is_seen(repository: Path, tmp_path: Path) -> None:
    package = copy_of(repository, tmp_path)
    with (package / "codec.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    import ekiben.registry\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "ekiben.codec -> ekiben.registry" in done.stdout


def test_a_core_that_imports_jupyter_is_seen(repository: Path, tmp_path: Path) -> None:
    package = copy_of(repository, tmp_path)
    with (package / "registry.py").open("a") as file:
        file.write("\n\nimport jupyter_server\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "ekiben.registry -> jupyter_server" in done.stdout


def test_a_module_without_a_place_is_seen(repository: Path, tmp_path: Path) -> None:
    package = copy_of(repository, tmp_path)
    (package / "helpers.py").write_text("")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "helpers" in done.stdout


def test_no_file_is_long(repository: Path) -> None:
    files = [p for kind in ("*.py", "*.ts") for p in (repository / "extension").rglob(kind)]
    ours = [p for p in files if not {"node_modules", "labextension", "lib"} & set(p.parts)]
    long = {str(p.relative_to(repository)): n for p in ours if (n := len(p.read_text().splitlines())) > 500}
    assert long == {}
