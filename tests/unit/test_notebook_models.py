"""Models made of the notebook's own code: wrapped as in that notebook, kept safely, opened elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ekiben
import numpy
import pytest
from cells_ran import ran
from ekiben import notebook_code
from ekiben.capture import capture, load_adapter
from ekiben.errors import NotCarried, UnsupportedSample
from ekiben.notebook_code import Notebook
from ekiben.registry import framework, framework_of
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


@pytest.fixture(scope="module")
def square():
    random = numpy.random.default_rng(0)
    X = random.normal(size=(60, 3))
    return X, (X[:, 0] > 0).astype(int)


def wrapped(
    notebook: Notebook, model: object, sample: object, name: str, monkeypatch, **options
) -> ekiben.Box:
    """``ekiben.wrap`` as in that notebook."""
    monkeypatch.setattr(notebook_code, "here", lambda: notebook)
    return ekiben.wrap(model, sample, name=name, **options)


def proven(box: ekiben.Box) -> bool:
    """What wrapping itself has shown: the saved copy, and a clean process without the notebook."""
    return {station: replay.passed for station, replay in box.replays.items()} == {
        "kernel": True,
        "process": True,
    }


@pytest.mark.slow
def test_a_pipeline_with_user_classes_functions_and_lambdas_stays_safe(square, monkeypatch):
    notebook = ran(
        "import numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\nSHIFT = np.array([1.0, 2.0, 3.0])",
        "class Shift(TransformerMixin, BaseEstimator):\n    def fit(self, X, y=None):\n        self.fitted_ = True\n"
        "        return self\n    def transform(self, X): return X + SHIFT\ndef clip(X): return np.clip(X, -1, 9)\n"
        "negate = lambda X: -X",
    )
    live = notebook.namespace
    steps = (live["Shift"](), FunctionTransformer(live["clip"]), FunctionTransformer(live["negate"]))
    X, y = square
    box = wrapped(
        notebook, make_pipeline(*steps, LogisticRegression()).fit(X, y), X, "own-steps", monkeypatch
    )
    assert box.model.storage == "skops" and not box.model.findings
    assert set(box.model.trusted) == {
        f"{box.model.code_module}.{name}" for name in ("Shift", "clip", "negate")
    }
    assert box.project.files[f"{box.model.code_module}.py"] == box.model.source
    assert f'"{box.model.code_module}.py"' in box.project.files["bentofile.yaml"]
    assert "Shift" in box.project.files["README.md"] and "Shift" in repr(box.carried)
    assert "as written" in box.carried._repr_html_()
    assert live["Shift"].__module__ == "__main__"
    assert proven(box)
    assert ekiben.open_box(box.model.tag).predict(X[:3]).outputs == box.predict(X[:3]).outputs


@pytest.mark.slow
def test_a_function_with_live_objects_and_a_file(square, monkeypatch, tmp_path):
    X, y = square
    (tmp_path / "weights.json").write_text(json.dumps([1.0, 2.0]))
    scaler = StandardScaler().fit(X)
    notebook = ran(
        "import json",
        "def weigh():\n    with open('weights.json') as file:\n        return json.load(file)\n"
        "def predict(X):\n    return clf.predict_proba(scaler.transform(X)) @ weigh() + table[0, 0]",
        folder=tmp_path, clf=LogisticRegression().fit(scaler.transform(X), y), scaler=scaler, table=numpy.eye(20),
    )  # fmt: skip
    predict = notebook.namespace["predict"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotCarried, match=r"opens weights\.json") as caught:
        wrapped(notebook, predict, X, "no-file", monkeypatch)
    assert caught.value.where == "cell 2, line 2" and caught.value.remedy.endswith("files=['weights.json'])")
    box = wrapped(notebook, predict, X, "with-file", monkeypatch, files=["weights.json"])
    assert (box.model.framework, box.model.storage) == ("python", "source")
    kept = {
        Path(path).parent.name: Path(path).name for path in box.project.copies if "object.json" not in path
    }
    assert kept.keys() >= {"clf", "scaler", "table"} and {"model.skops", "value.npy"} <= set(kept.values())
    assert not [finding for finding in box.model.findings if finding.level == "warning"]
    assert any(line.startswith("scikit-learn==") for line in box.model.requirements)
    assert proven(box)
    assert box.predict(X[:2]).outputs["predictions"] == pytest.approx(predict(X[:2]))


def test_objects_with_predict_and_closures_are_pickled_against_the_module(monkeypatch):
    notebook = ran(
        "BASE = 10\nclass Longest:\n    def predict(self, texts): return [len(text) + BASE for text in texts]",
        "def make(k):\n    def inside(texts): return [len(text) * k + BASE for text in texts]\n    return inside",
        "closed = make(3)",
    )
    texts = ["a", "bb", "ccc"]
    box = wrapped(notebook, notebook.namespace["Longest"](), texts, "longest", monkeypatch)
    assert box.model.storage == "cloudpickle" and "pickle" in box.model.findings[0].message
    assert proven(box) and box.predict(["dddd"]).outputs["predictions"] == [14]
    box = wrapped(notebook, notebook.namespace["closed"], texts, "closed", monkeypatch)
    assert proven(box) and box.predict(["dddd"]).outputs["predictions"] == [22]


def test_tables_are_kept_without_a_pickle(tmp_path):
    """Means and lookup tables are what a predict function holds most often."""
    import pandas

    adapter = load_adapter(framework("python"))
    frame = pandas.DataFrame({"k": ["x", None], "v": [1.5, numpy.nan], "n": [1, 2]}, index=["p", "q"])
    frame.index.name = "key"
    for number, value in enumerate(
        (frame, frame["v"], frame[["v", "n"]].mean(), frame.astype({"v": "float32"}))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        saved = framework("python").save(value, folder, None)
        back = adapter.load(folder, {"storage": saved.storage, "options": saved.options})
        assert saved.storage == "table" and back.equals(value) and type(back) is type(value)
        assert back.index.name == value.index.name
    (tmp_path / "dates").mkdir()
    dates = pandas.Series(pandas.date_range("2024-01-01", periods=3))
    assert framework("python").save(dates, tmp_path / "dates", None).storage == "cloudpickle"


def test_a_function_of_one_row_is_told_how_to_map():
    notebook = ran("def one(row): return row['a'] * 2\ndef count(rows): return len(rows)")
    rows = [{"a": 1.0}, {"a": 2.0}]
    for name, told in (("one", "TypeError"), ("count", "gave 1 answers for 2 rows")):
        with pytest.raises(UnsupportedSample, match=told) as caught:
            capture(notebook.namespace[name], rows, name, notebook=notebook)
        assert "[f(row) for row in rows]" in caught.value.remedy


def test_python_takes_what_nobody_else_takes(square):
    def function(rows): ...

    assert framework_of(function).name == "python"
    assert framework_of(LogisticRegression()).name == "sklearn"
    for nothing in (3, "text", {"a": 1}, json, LogisticRegression, numpy.eye(2), object()):
        assert framework_of(nothing) is None


@pytest.mark.slow
def test_a_script_is_one_long_cell(tmp_path):
    """Without a notebook the script's own text is where the code comes from; the box opens elsewhere."""
    script = tmp_path / "train.py"
    script.write_text(
        "import ekiben\nfrom helper import up\nK = 2\ndef predict(texts):\n"
        "    return [up(len(text)) * K for text in texts]\n"
        "if __name__ == '__main__':\n    box = ekiben.wrap(predict, ['a', 'bb'])\n    print(box.carried)\n"
    )
    (tmp_path / "helper.py").write_text("def up(n): return n + 1")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "train.py, line 4" in done.stdout and "helper.py" in done.stdout
    command = "import ekiben; print(ekiben.open_box('predict').predict(['abc']).outputs)"
    opened = subprocess.run(
        [sys.executable, "-c", command], cwd="/", capture_output=True, text=True, check=False
    )
    assert opened.stdout.strip() == "{'predictions': [8]}", opened.stderr
