"""The tutorials are run whole, in a fresh kernel, as a reader would."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from ekiben import image as images
from ekiben import service
from rig import Rig

pytestmark = pytest.mark.papermill

FIRST = "01-first-service.ipynb"


def run(repository: Path, folder: Path, **parameters: Any) -> dict[str, str]:
    """Executes the first tutorial; what each tagged cell printed or showed, as text."""
    source = repository / "notebooks" / FIRST
    known = papermill.inspect_notebook(str(source))
    assert set(parameters) <= set(known), "the tutorial has no such parameter"
    papermill.execute_notebook(
        str(source), str(folder / FIRST), parameters=parameters, kernel_name="python3", cwd=str(folder),
        progress_bar=False, execution_timeout=600,
    )  # fmt: skip
    shown: dict[str, str] = {}
    for cell in nbformat.read(folder / FIRST, as_version=4).cells:
        for tag in cell.metadata.get("tags", []):
            shown[tag] = "\n".join(_text(output) for output in cell.get("outputs", []))
    return shown


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
    shown = run(repository, tmp_path)
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
    shown = run(repository, tmp_path, image_name=name, base_image=container_rig.base)
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
