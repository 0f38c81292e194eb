"""The packages as a user meets them: built from a clean checkout, installed where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LAB = "ekiben-0.1.0.data/data/share/jupyter/labextensions/ekiben"
FIVE_LINES = """
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=500).fit(X, y)

import ekiben
box = ekiben.wrap(model, X, name="iris")
here = list(box.predict(X[:3]).outputs["predictions"])
with box.serve() as server:
    there = list(server.predict(X[:3]).outputs["predictions"])
assert here == there == list(model.predict(X[:3])), (here, there)
print("the same three answers")
"""


@pytest.fixture(scope="module")
def without_node(tmp_path_factory: pytest.TempPathFactory, person: dict[str, str]) -> dict[str, str]:
    """The person's environment with a PATH that has what a build may want, but no Node."""
    tools = tmp_path_factory.mktemp("tools")
    for name in ("sh", "env", "git", "uname", "ldd", "getconf"):
        if found := shutil.which(name, path=person["PATH"]):
            (tools / name).symlink_to(found)
    environment = person | {"PATH": str(tools), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    assert not any(shutil.which(name, path=environment["PATH"]) for name in ("node", "npm"))
    return environment


@pytest.fixture(scope="module")
def checkout(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source tree as git would hand it out: nothing that was built."""
    kept_out = shutil.ignore_patterns(
        ".git",
        ".venv",
        "node_modules",
        "lib",
        "labextension",
        "static",
        "dist",
        "__pycache__",
        "*.tsbuildinfo",
        ".*_cache",
    )
    return Path(shutil.copytree(repository, tmp_path_factory.mktemp("checkout") / "ekiben", ignore=kept_out))


@pytest.fixture(scope="module")
def packages(checkout: Path, without_node: dict[str, str]) -> tuple[Path, Path]:
    """(wheel, sdist), the wheel made from the sdist, on a machine without Node."""
    done = subprocess.run(
        [sys.executable, "-m", "build", str(checkout)], env=without_node, capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert done.stderr.count("npm ci") + done.stdout.count("npm ci") >= 1
    (wheel,), (sdist,) = (checkout / "dist").glob("*.whl"), (checkout / "dist").glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_has_all_that_the_product_needs(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[0]) as wheel:
        names = set(wheel.namelist())
        metadata = Parser().parsestr(wheel.read("ekiben-0.1.0.dist-info/METADATA").decode())
    needed = {
        "ekiben/py.typed",
        "ekiben/static/widget.js",
        "ekiben/locale/zh_CN/LC_MESSAGES/ekiben.json",
        "ekiben/runtime/__init__.py",
        f"{LAB}/package.json",
        f"{LAB}/install.json",
        "ekiben-0.1.0.data/data/etc/jupyter/jupyter_server_config.d/ekiben.json",
        "ekiben-0.1.0.dist-info/licenses/LICENSE",
    }
    assert needed - names == set()
    assert any(name.startswith("ekiben/templates/") for name in names)
    assert any(name.startswith(f"{LAB}/static/remoteEntry") for name in names)
    assert any(name.startswith(f"{LAB}/schemas/") for name in names)
    assert not [name for name in names if name.endswith((".ts", ".tsbuildinfo")) or "node_modules" in name]
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert not [
        line for line in metadata.get_all("Requires-Dist", []) if "jupyterlab" in line and "extra" not in line
    ]


def test_the_sdist_brings_the_bundle_and_the_sources(packages: tuple[Path, Path]) -> None:
    with tarfile.open(packages[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    needed = {
        "LICENSE",
        "Makefile",
        "README.md",
        "extension/hatch_build.py",
        "extension/package-lock.json",
        "extension/src/wire.ts",
        "extension/ekiben/static/widget.js",
        "extension/ekiben/labextension/package.json",
        "notebooks/01-first-service.ipynb",
        "tests/conftest.py",
        "binder/requirements.txt",
    }
    assert needed - names == set()
    assert not [name for name in names if "node_modules" in name]


def environment_of(folder: Path, variables: dict[str, str]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=variables)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def test_the_sdist_installs_without_node(
    packages: tuple[Path, Path], without_node: dict[str, str], tmp_path: Path
) -> None:
    python = environment_of(tmp_path / "venv", without_node)
    pip = [str(python), "-m", "pip", "install", "--no-deps", "-v", str(packages[1])]
    done = subprocess.run(pip, env=without_node, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "npm ci" not in done.stdout + done.stderr, "the sdist's own bundle was not taken"
    assert "nodejs" not in done.stdout + done.stderr
    assert (tmp_path / "venv/share/jupyter/labextensions/ekiben/package.json").is_file()
    assert (tmp_path / "venv/etc/jupyter/jupyter_server_config.d/ekiben.json").is_file()


def test_an_editable_install_brings_the_lab_side(
    packages: tuple[Path, Path], checkout: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    python = environment_of(tmp_path / "venv", without_node)
    pip = [str(python), "-m", "pip", "install", "-q", "--no-deps", "-e", str(checkout)]
    subprocess.run(pip, env=without_node, check=True)
    said = subprocess.run(
        [str(python), "-c", "import ekiben; print(ekiben.__file__)"],
        env=without_node,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(said.stdout.strip()) == checkout / "extension/ekiben/__init__.py"
    assert (tmp_path / "venv/share/jupyter/labextensions/ekiben/package.json").is_file()


def test_the_wheel_runs_the_five_lines_in_a_clean_environment(
    packages: tuple[Path, Path], without_node: dict[str, str], tmp_path: Path
) -> None:
    python = environment_of(tmp_path / "venv", without_node)
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", f"{packages[0]}[sklearn]"], env=without_node, check=True
    )
    places = {"BENTOML_HOME": "bentoml", "JUPYTER_RUNTIME_DIR": "runtime", "HOME": "home"}
    variables = without_node | {name: str(tmp_path / place) for name, place in places.items()}
    done = subprocess.run(
        [str(python), "-c", FIVE_LINES], env=variables, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "the same three answers"


def test_without_the_front_end_when_asked(
    checkout: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    bare = shutil.copytree(
        checkout,
        tmp_path / "bare",
        ignore=shutil.ignore_patterns("static", "labextension", "dist", "node_modules"),
    )
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "out"), str(bare)]
    subprocess.run(pip, env=without_node | {"EKIBEN_SKIP_FRONTEND": "1"}, check=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert "ekiben/__init__.py" in names
    assert f"{LAB}/package.json" not in names
