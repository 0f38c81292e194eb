"""The tutorials are run whole, in a fresh kernel, as a reader would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from ekiben import image as images
from ekiben import service
from ekiben.builders.oci import remote
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import parse
from rig import Rig
from rig.registry import Registry

pytestmark = pytest.mark.papermill

FIRST = "01-first-service.ipynb"
BEHIND = "02-what-stays-behind.ipynb"
IMAGE = "03-image-without-docker.ipynb"


def run(repository: Path, folder: Path, name: str, **parameters: Any) -> dict[str, str]:
    """Executes a tutorial; what each tagged cell printed or showed, as text."""
    source = repository / "notebooks" / name
    if parameters:
        known = papermill.inspect_notebook(str(source))
        assert set(parameters) <= set(known), "the tutorial has no such parameter"
    papermill.execute_notebook(
        str(source), str(folder / name), parameters=parameters, kernel_name="python3", cwd=str(folder),
        progress_bar=False, execution_timeout=1800,
    )  # fmt: skip
    shown: dict[str, str] = {}
    for cell in nbformat.read(folder / name, as_version=4).cells:
        text = "\n".join(_text(output) for output in cell.get("outputs", []))
        assert "Warning" not in text, text
        shown |= dict.fromkeys(cell.metadata.get("tags", []), text)
    return shown


def test_every_tutorial_is_run_and_read_about(repository):
    """Each is in both READMEs, has its words in both languages, and no output of somebody's machine."""
    found = sorted(path.name for path in (repository / "notebooks").glob("*.ipynb"))
    assert found == [FIRST, BEHIND, IMAGE]
    for name in found:
        for readme in ("README.md", "README.zh-CN.md"):
            assert f"notebooks/{name}" in (repository / readme).read_text(encoding="utf-8")
        cells = nbformat.read(repository / "notebooks" / name, as_version=4).cells
        for cell in cells:
            words = cell.source if cell.cell_type == "markdown" else "一"
            assert any("\u4e00" <= letter <= "\u9fff" for letter in words), words
            assert not cell.get("outputs")


def test_what_stays_behind_is_told(repository, tmp_path):
    shown = run(repository, tmp_path, BEHIND)
    assert "model was fitted on what scaler makes of people" in shown["forgotten"]
    assert "box = ekiben.wrap(make_pipeline(scaler, model), people)" in shown["forgotten"]
    for taken in ("RETIRED", "working", "Features", "burden.py"):
        assert taken in shown["carried"]
    assert "stayed in the notebook" in shown["file"] and "files=['limits.txt']" in shown["file"]
    assert "prediction" in shown["named"]
    assert "scikit-learn==" in shown["requirements"] and "jupyter" not in shown["requirements"]
    assert "Numbers beyond a range are refused." in shown["contract"]
    assert "$.rows[0].age: 180" in shown["refused"] and "18 to 100" in shown["refused"]
    assert shown["verify"].count("48/48") >= 2 and "✗" not in shown["verify"]


def clients(shown: dict[str, str]) -> None:
    """Three ways to ask, one answer."""
    answers = [line.partition("[")[2] for line in shown["clients"].splitlines() if "[" in line]
    assert answers == ["'Barolo', 'Grignolino', 'Barbera']"] * 3


def test_without_a_registry_the_image_is_left_out_and_other_clients_are_answered(
    repository, tmp_path, monkeypatch
):
    monkeypatch.setenv("EKIBEN_BASE_IMAGE", "127.0.0.1:9/python:3")
    shown = run(repository, tmp_path, IMAGE)
    assert "127.0.0.1:9" in shown["build"] and "→" in shown["build"]
    assert shown["proof"].count("48/48") >= 2 and "✗" not in shown["proof"]
    clients(shown)


@pytest.mark.container
@pytest.mark.slow
def test_an_image_without_an_engine_is_pushed_and_a_notebook_is_built(
    repository, tmp_path, container_rig: Rig
):
    """The third tutorial to a registry, then the command that it names, on the second one."""
    (tmp_path / "hub").mkdir()
    home = Registry(tmp_path / "hub").start()
    try:
        shown = run(
            repository, tmp_path, IMAGE,
            image_name="ekiben-test/wine:1", base_image=container_rig.base, registry=home.address,
        )  # fmt: skip
        assert "<ekiben image ekiben-test/wine:1" in shown["build"] and "proven 48/48" in shown["build"]
        assert "never imported" in shown["layers"].lower() and "numpy" in shown["layers"]
        assert "bytes sent" in shown["push"]
        clients(shown)
        name = f"{home.address}/team/approval:1"
        command = f"build {BEHIND} --box approval -t {name} --push --no-fresh --base {container_rig.base}"
        shutil.copy(repository / "notebooks" / BEHIND, tmp_path)
        done = subprocess.run(
            [sys.executable, "-m", "ekiben", *command.split()],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for pushed in (f"{home.address}/ekiben-test/wine:1", name):
            assert remote.resolve(Client(home.address), parse(pushed), "linux/amd64").digest
        for built in ("ekiben-test/wine:1", name):
            images.find(built).remove()
    finally:
        home.stop()


def _text(output: Any) -> str:
    data = output.get("data", {})
    return "".join([output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")])


def test_without_an_engine_everything_but_the_image_is_proven(repository, tmp_path, monkeypatch):
    """No engine on the PATH: the build cell says so and the notebook goes on to its end."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("python3", "env", "sh", "uname"):
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    # Nor a registry with a base image: the builder that needs no engine has nothing to build on.
    monkeypatch.setenv("EKIBEN_BASE_IMAGE", "127.0.0.1:9/python:3")
    before = {server.record.id for server in service.running()}  # other tests' own
    shown = run(repository, tmp_path, FIRST)
    assert "accuracy 0.9" in shown["train"]
    assert "<ekiben box clf:" in shown["wrap"]
    assert "virginica" in shown["predict"]
    assert '$.rows[0]["petal width (cm)"]' in shown["refuse"]
    assert "http://127.0.0.1:" in shown["serve"]
    assert "38 rows over HTTP, as in the notebook: True" in shown["compare"]
    assert "podman" in shown["build"] and "docker" in shown["build"]
    assert shown["verify"].count("48/48") >= 2
    assert "✗" not in shown["verify"]
    assert {server.record.id for server in service.running()} <= before


@pytest.mark.container
@pytest.mark.slow
def test_with_an_engine_the_image_is_built_and_proven(repository, tmp_path, container_rig: Rig):
    """The whole tutorial, to a container that answers as the notebook did."""
    name = "ekiben-test/tutorial:1"
    shown = run(repository, tmp_path, FIRST, image_name=name, base_image=container_rig.base)
    assert f"<ekiben image {name}" in shown["build"] or name in shown["build"]
    assert shown["verify"].count("48/48") >= 3
    assert "✗" not in shown["verify"]
    assert container_rig.containers() == ""
    images.BuiltImage(next(image for image in images.images() if name in image.reference)).remove()


def test_the_form_is_a_table_where_no_script_runs(repository, tmp_path, monkeypatch):
    """The card's fallback: a page that shows the notebook without running anything."""
    from nbconvert import HTMLExporter

    shown = nbformat.v4.new_notebook()
    import ekiben
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True, as_frame=True)
    data = ekiben.wrap(LogisticRegression(max_iter=500).fit(X, y), X, name="fallback")._repr_mimebundle_()
    static = {kind: data[kind] for kind in ("text/plain", "text/html")}
    cell = nbformat.v4.new_code_cell("box", outputs=[nbformat.v4.new_output("display_data", data=static)])
    shown.cells.append(cell)
    exporter = HTMLExporter()
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = exporter.mermaid_js_url = ""
    page, _resources = exporter.from_notebook_node(shown)
    assert "petal width (cm)" in page and "48/48" in page
    assert os.environ["HOME"] not in page
