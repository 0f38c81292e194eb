"""A live model into the store and the files of its service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ekiben
import numpy
import pytest
from ekiben.capture import capture, load_model, models
from ekiben.errors import EkibenError, InvalidName, NotFound, ReplayMismatch, UnsupportedModel
from ekiben.image import job as image_job
from ekiben.project import render, templates_folder, write
from models import applicants, diabetes, iris
from rig.boxes import kept
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def captured():
    model, X = applicants()
    return capture(model, X, "applicants")


def test_what_the_store_holds(captured):
    model, replay = captured
    assert replay.passed and replay.rows == 48 and replay.worst < 1e-15
    assert model == load_model("applicants") == load_model(model.tag)
    assert model.storage == "skops" and not model.findings
    assert model.estimator == "Pipeline(ColumnTransformer → LogisticRegression)"
    assert model in models()


def test_requirements_are_pinned_to_what_is_installed(captured):
    import sklearn

    lines = captured[0].requirements
    assert all(line.count("==") == 1 for line in lines)
    assert f"scikit-learn=={sklearn.__version__}" in lines
    names = {line.partition("==")[0] for line in lines}
    assert {"bentoml", "numpy", "pandas", "scipy", "skops"} <= names
    assert not names & {"ekiben", "jupyterlab", "ipykernel", "ipywidgets", "notebook"}


def test_the_same_sample_makes_the_same_contract(captured):
    model, X = applicants()
    assert capture(model, X, "applicants")[0].contract == captured[0].contract


class Fickle(ClassifierMixin, BaseEstimator):
    """Answers at random: nothing can prove it."""

    def fit(self, X, y):
        self.classes_ = numpy.unique(y)
        self.fitted_ = True
        return self

    def predict(self, X):
        return numpy.random.default_rng().random(len(X))


def test_a_model_that_answers_otherwise_is_refused_with_its_rows():
    X = numpy.arange(20.0).reshape(10, 2)
    before = models()
    with pytest.raises(ReplayMismatch, match="10 of 10 golden rows") as caught:
        capture(Fickle().fit(X, [0, 1] * 5), X, "fickle")
    first = caught.value.replay.mismatches[0]
    assert (first.row, first.sent) == (0, [0.0, 1.0])
    assert first.expected != first.got
    assert "relative 1e-06" in str(caught.value)
    assert models() == before  # nothing half-made stays in the store


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (RandomForestClassifier(), "not fitted"),
        (StandardScaler().fit([[1.0], [2.0]]), "no predict"),
        ({"a": 1}, "No installed framework takes a dict"),
        (RandomForestClassifier, "No installed framework"),
    ],
)
def test_what_cannot_be_wrapped_says_why(model, told):
    with pytest.raises(UnsupportedModel, match=told) as caught:
        capture(model, numpy.array([[1.0], [2.0]]), "nothing")
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["", "Iris", "a b", "-a", "x" * 64, "a/b", "a:b"])
def test_names_the_store_cannot_take(name):
    with pytest.raises(InvalidName):
        capture(*iris(), name)


def test_a_model_that_is_not_there():
    with pytest.raises(NotFound):
        load_model("nobody:nothing")


def test_wrap_takes_the_variables_name_and_predicts_as_the_notebook():
    My_Model, X = diabetes()
    box = ekiben.wrap(My_Model, X)
    assert box.model.name == "my_model"
    answers = box.predict(X[:5])
    assert answers.outputs["predictions"] == My_Model.predict(X[:5]).tolist()
    proof = box.verify()
    assert [replay.station for replay in proof] == ["kernel", "process"]
    assert repr(proof).count("48/48") == 2 and "clean process" in repr(proof)
    assert ekiben.open_box(box.model.tag).predict(X[:5]).outputs == answers.outputs


def test_predict_takes_frames_dicts_lists_and_single_rows():
    model, X = applicants()
    box = kept(model, X, "kinds")
    expected = model.predict(X[:1]).tolist()
    for rows in (X[:1], X.iloc[0], box.contract.golden.rows[0]):
        assert len(box.predict(rows).outputs["predictions"]) == 1
    assert box.predict(X[:1]).outputs["predictions"] == expected
    tried = box.try_rows([box.contract.golden.rows[0]])
    assert tried.agrees and tried.notebook == {
        name: values[:1] for name, values in box.contract.golden.answers.items()
    }
    refused = box.try_rows([{**box.contract.golden.rows[0], "city": "Rome"}])
    assert refused.prediction is None and refused.problems[0]["path"] == "$.rows[0].city"


def test_the_service_is_short_and_readable(captured):
    project = render(captured[0])
    assert len(project.files["service.py"].splitlines()) <= 30
    compile(project.files["service.py"], "service.py", "exec")
    assert not any("ekiben." in text for path, text in project.files.items() if path.startswith("runtime/"))
    assert set(project.files) >= {
        "service.py",
        "requirements.txt",
        "README.md",
        "bentofile.yaml",
        "test_golden.py",
    }
    assert json.loads(project.files["contract.json"]) == captured[0].contract.to_json()


def test_writing_never_overwrites_a_strangers_folder(captured, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(EkibenError, match="not empty"):
        write(render(captured[0]), tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]
    written = write(render(captured[0]), tmp_path / "service")
    assert write(render(captured[0]), tmp_path / "service") == written


def test_an_edited_service_stays_edited_whoever_opens_the_box_and_whatever_is_built(captured):
    model = captured[0]
    file = Path(ekiben.open_box(model.tag).project.folder) / "service.py"
    as_made = file.read_text(encoding="utf-8")
    mine = as_made + "\n# mine\n"
    file.write_text(mine, encoding="utf-8")
    try:
        box = ekiben.open_box(model.tag)
        assert file.read_text(encoding="utf-8") == box.project.files["service.py"] == mine
        assert (file.parent / "runtime" / "as_made.py").read_text(encoding="utf-8") == as_made
        assert image_job.written(model, True).files["service.py"] == mine
        later = replace(model, version="later")
        renewed = write(render(later), file.parent)
        assert renewed.files["service.py"] == mine.replace(model.tag, later.tag) != mine
        # The folder is another model's now: this one's image is made of its usual place.
        other = replace(model, name="other")
        with pytest.raises(EkibenError, match="was edited"):
            write(render(other), file.parent)
        assert model.tag not in file.read_text(encoding="utf-8")
    finally:
        shutil.rmtree(file.parent)
    assert write(render(model)).files["service.py"] == as_made


def test_an_image_is_made_of_the_folder_where_the_service_was_edited(captured, tmp_path):
    model = captured[0]
    folder = Path(write(render(model), tmp_path / "mine").folder)
    with (folder / "service.py").open("a", encoding="utf-8") as file:
        file.write("\n# mine\n")
    made = image_job.written(model, True, folder)
    assert made.folder == str(folder) and made.files["service.py"].endswith("# mine\n")
    if model.compiled.active:
        lean = image_job.written(model, False, folder)
        assert Path(lean.folder, "service.py").read_text(encoding="utf-8").endswith("# mine\n")
        without = image_job.written(model, False)
        assert "# mine" not in Path(without.folder, "service.py").read_text(encoding="utf-8")
    write(render(replace(model, version="later")), folder)
    assert image_job.written(model, True, folder).folder != str(folder)


def test_a_folder_with_another_ones_contract_is_not_ours(captured, tmp_path):
    (tmp_path / "runtime").mkdir()
    (tmp_path / "contract.json").write_text("whereas the parties")
    with pytest.raises(EkibenError, match="not empty"):
        write(render(captured[0]), tmp_path)


@pytest.mark.slow
def test_the_projects_own_test_passes_where_ekiben_is_not(captured, tmp_path):
    """By hand, without ekiben: importing it is made to fail."""
    folder = Path(write(render(captured[0]), tmp_path / "service").folder)
    stand_in = tmp_path / "without"
    stand_in.mkdir()
    (stand_in / "ekiben.py").write_text("raise ImportError('ekiben is not installed here')")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_golden.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{stand_in}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_templates_are_where_the_package_looks():
    assert (templates_folder() / "service" / "service.py.j2").is_file()
