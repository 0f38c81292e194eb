"""A notebook is run from its top in a fresh kernel; what only hidden state made is named with its cell."""

from __future__ import annotations

from pathlib import Path

import ekiben
import nbformat
import pytest
from ekiben.errors import NotFound, NotReproduced, ReplayMismatch
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

pytestmark = pytest.mark.papermill

LOAD = "from sklearn.datasets import load_iris\nX, y = load_iris(return_X_y=True)"
TRAIN = (
    "from sklearn.ensemble import RandomForestClassifier\n"
    "clf = RandomForestClassifier(5, random_state={seed}).fit(X, y)"
)
WRAP = "import ekiben\nlast = 1\nbox = ekiben.wrap(clf, X)\nbox.build('never:1')"


@pytest.fixture(scope="module")
def box():
    X, y = load_iris(return_X_y=True)
    clf = RandomForestClassifier(5, random_state=0).fit(X, y)
    return ekiben.wrap(clf, X)


def notebook(folder: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# a title"),
            *(nbformat.v4.new_code_cell(cell) for cell in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    path = folder / "train.ipynb"
    nbformat.write(made, path)
    return path


def test_a_sound_notebook_makes_the_same_model(box, tmp_path):
    path = notebook(tmp_path, "%matplotlib --list", LOAD, TRAIN.format(seed=0), WRAP)
    replay = box.reproduce(path)
    assert (replay.station, replay.rows, replay.worst, replay.passed) == ("notebook", 48, 0, True)
    assert "notebook" in box.replays
    assert [entry.name for entry in tmp_path.iterdir()] == ["train.ipynb"]


def test_a_cell_that_lived_on_hidden_state_is_named(box, tmp_path):
    path = notebook(tmp_path, LOAD, "X = scaler.transform(X)", TRAIN.format(seed=0), WRAP)
    with pytest.raises(NotReproduced, match="code cell 2 fails: NameError: name 'scaler'") as caught:
        box.reproduce(path)
    assert caught.value.where == "train.ipynb, code cell 2"
    assert "move that cell" in caught.value.remedy


def test_another_model_and_no_model_and_no_notebook(box, tmp_path):
    with pytest.raises(ReplayMismatch) as caught:
        box.reproduce(notebook(tmp_path, LOAD, TRAIN.format(seed=7), WRAP))
    assert "seeds of the training" in caught.value.remedy
    assert box.replays["notebook"].mismatches and not box.replays["notebook"].passed
    with pytest.raises(NotReproduced, match="makes no 'clf'"):
        box.reproduce(notebook(tmp_path, LOAD, WRAP))
    before = box.replays["notebook"]
    assert "makes no 'clf'" in before.problem and not before.passed
    with pytest.raises(NotFound):
        box.reproduce(tmp_path / "nowhere.ipynb")
    assert box.replays["notebook"] is before  # nothing was run


def test_what_agreed_once_and_fails_now_is_told_as_failed(box, tmp_path):
    assert box.reproduce(notebook(tmp_path, LOAD, TRAIN.format(seed=0), WRAP)).passed
    with pytest.raises(NotReproduced):
        box.reproduce(notebook(tmp_path, LOAD, WRAP))
    told = {replay.station: replay for replay in box.verify()}
    assert told["kernel"].passed and not told["notebook"].passed
    assert (
        told["notebook"].problem in repr(box.verify())
        and "makes no" in box.card("box").to_json()["replays"][-1]["problem"]
    )
