"""The packages as a user meets them: built from a clean checkout, installed where nothing else is."""

from __future__ import annotations

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
        # What other tests write meanwhile may be gone again before it is copied.
        ".hypothesis",
        "test-results",
    )
    return Path(shutil.copytree(repository, tmp_path_factory.mktemp("checkout") / "ekiben", ignore=kept_out))


@pytest.fixture(scope="module")
def packages(checkout: Path, without_node: dict[str, str]) -> tuple[Path, Path]:
    """(wheel, sdist), the wheel made from the sdist, on a machine without Node."""
    assert "npm ci" in ran([sys.executable, "-m", "build", str(checkout)], without_node)
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


def ran(command: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    """What the command said; fails with the end of it."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def installed(folder: Path, environment: dict[str, str], *arguments: str) -> tuple[str, str]:
    """The Python of a new virtual environment into which pip put ``arguments``, and pip's words."""
    ran([sys.executable, "-m", "venv", str(folder)], environment)
    python = str(folder / "bin" / "python")
    return python, ran([python, "-m", "pip", "install", *arguments], environment)


def test_the_sdist_installs_without_node(
    packages: tuple[Path, Path], without_node: dict[str, str], tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    _, said = installed(venv, without_node, "--no-deps", "-v", str(packages[1]))
    assert "npm ci" not in said and "nodejs" not in said, "the sdist's own bundle was not taken"
    assert (venv / "share/jupyter/labextensions/ekiben/package.json").is_file()
    assert (venv / "etc/jupyter/jupyter_server_config.d/ekiben.json").is_file()


def test_an_editable_install_brings_the_lab_side(
    packages: tuple[Path, Path], checkout: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    python, _ = installed(venv, without_node, "--no-deps", "-e", str(checkout))
    place = ran([python, "-c", "import ekiben; print(ekiben.__file__)"], without_node, tmp_path)
    assert Path(place.strip()) == checkout / "extension/ekiben/__init__.py"
    assert (venv / "share/jupyter/labextensions/ekiben/package.json").is_file()


def test_the_wheel_runs_the_five_lines_in_a_clean_environment(
    packages: tuple[Path, Path], without_node: dict[str, str], tmp_path: Path
) -> None:
    python, _ = installed(tmp_path / "venv", without_node, f"{packages[0]}[sklearn]")
    places = {"BENTOML_HOME": "bentoml", "JUPYTER_RUNTIME_DIR": "runtime", "HOME": "home"}
    variables = without_node | {name: str(tmp_path / place) for name, place in places.items()}
    assert "the same three answers\n" in ran([python, "-c", FIVE_LINES], variables, tmp_path)


def test_without_the_front_end_when_asked(
    checkout: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    built = shutil.ignore_patterns("static", "labextension", "dist", "node_modules")
    bare = shutil.copytree(checkout, tmp_path / "bare", ignore=built)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "out"), str(bare)]
    ran(pip, without_node | {"EKIBEN_SKIP_FRONTEND": "1"})
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert "ekiben/__init__.py" in names
    assert f"{LAB}/package.json" not in names
