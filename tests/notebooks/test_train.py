"""A notebook with parameters to a proven image: papermill runs it, the model that it wraps is built."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from ekiben import training
from ekiben.errors import Cancelled, InvalidName, NotFound, NotReproduced
from ekiben.paths import alive
from rig.waiting import until

pytestmark = pytest.mark.papermill

TRAIN = """
import ekiben
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True, as_frame=True)
clf = LogisticRegression(C=1 / alpha, max_iter=500).fit(X, y)
"""


def written(folder: Path, *cells: str, tag: bool = True) -> Path:
    """A notebook whose first cell sets the parameters."""
    made = nbformat.v4.new_notebook()
    first = nbformat.v4.new_code_cell("alpha = 1.0", metadata={"tags": ["parameters"]} if tag else {})
    made.cells = [first, nbformat.v4.new_markdown_cell("# Words"), *map(nbformat.v4.new_code_cell, cells)]
    path = folder / "train.ipynb"
    nbformat.write(made, path)
    return path


def nothing(*_anything: Any) -> None:
    """Hears progress and says nothing."""


@pytest.mark.slow
def test_cells_are_told_and_the_box_comes_back(tmp_path: Path) -> None:
    wrap = "box = ekiben.wrap(clf, X, name='trained'); print(clf.C)\n"
    notebook = written(tmp_path, TRAIN, wrap + "again = ekiben.wrap(clf, X, name='trained')")
    told: list[tuple[int, int, str]] = []
    (wrapped,) = training.train(notebook, {"alpha": "0.5"}, lambda *progress: told.append(progress))
    assert wrapped.tag.startswith("trained:") and wrapped.variable == "clf"
    numbers = [number for number, _cells, _message in told]
    assert numbers == sorted(numbers) and {cells for _number, cells, _message in told} == {5}
    assert numbers[-1] == 5
    from ekiben.capture import load_model

    origin = load_model(wrapped.tag).origin
    assert (origin.notebook, origin.parameters) == ("train.ipynb", {"alpha": "0.5"})
    assert [path.name for path in tmp_path.iterdir()] == ["train.ipynb"], "nothing is written beside it"


def test_a_parameter_that_would_change_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidName, match="has no parameter beta") as caught:
        training.train(written(tmp_path, TRAIN), {"beta": "1"}, nothing)
    assert "alpha" in caught.value.remedy
    with pytest.raises(InvalidName, match="no cell with the tag"):
        training.train(written(tmp_path, TRAIN, tag=False), {"alpha": "1"}, nothing)
    with pytest.raises(NotFound, match="There is no notebook"):
        training.train(tmp_path / "none.ipynb", {}, nothing)
    (tmp_path / "bad.ipynb").write_text("[]")
    with pytest.raises(NotFound, match="is no notebook"):
        training.train(tmp_path / "bad.ipynb", {}, nothing)


def test_which_of_several() -> None:
    several = (training.Wrapped("a:1", "clf"), training.Wrapped("b:2", "other"))
    assert training.pick(several, "b") == training.pick(several, "other") == several[1]
    with pytest.raises(InvalidName, match="several models: a, b"):
        training.pick(several, "")
    with pytest.raises(InvalidName, match="wraps no c"):
        training.pick(several, "c")
    assert training.pick(several[:1], "") == several[0]


@pytest.mark.slow
def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReproduced, match="Cell 4 fails") as caught:
        training.train(written(tmp_path, "x = 1", "1 / 0"), {}, nothing)
    assert "1 / 0" in caught.value.message and "\x1b" not in caught.value.message
    with pytest.raises(NotFound, match="wraps no model"):
        training.train(written(tmp_path, "x = 1"), {}, nothing)


@pytest.mark.slow
def test_cancelling_ends_the_kernel(tmp_path: Path) -> None:
    notebook = written(tmp_path, "import time; time.sleep(600)")

    def stop(_number: int, _cells: int, message: str) -> None:
        if "cell 3" in message:
            raise Cancelled("enough")

    before = {process.pid for process in psutil.process_iter()}
    with pytest.raises(Cancelled):
        training.train(notebook, {}, stop)

    def left() -> list[psutil.Process]:
        children = psutil.Process().children(recursive=True)
        return [one for one in children if one.pid not in before and alive(one.pid, None)]

    until(lambda: not left())


def test_exit_status_of_a_wrong_command(tmp_path: Path) -> None:
    def status(*arguments: str) -> int:
        command = [sys.executable, "-m", "ekiben", "build", *arguments, "--json"]
        return subprocess.run(command, capture_output=True, cwd=tmp_path, check=False).returncode

    written(tmp_path, TRAIN)
    assert status("train.ipynb", "-t", "x:1", "-p", "beta", "1") == 2
    assert status("none.ipynb", "-t", "x:1") == 1
    assert status("some-model", "-t", "x:1", "-p", "beta", "1") == 2
    assert status("train.ipynb") == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupted_command_leaves_no_kernel(tmp_path: Path) -> None:
    notebook = written(tmp_path, "import time; open('started', 'w').close(); time.sleep(600)")
    command = [sys.executable, "-m", "ekiben", "build", str(notebook), "-t", "x:1", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    until((tmp_path / "started").exists)
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert len(kernels) >= 2
    process.send_signal(signal.SIGTERM)
    out, _none = process.communicate(timeout=300)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["type"] == "Cancelled"
    _gone, alive = psutil.wait_procs(kernels, timeout=120)
    assert alive == []
