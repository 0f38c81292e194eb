"""The faster form: proven equal or refused, chosen, overruled, and left for the native one where it does not load."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ekiben
import numpy
import pytest
from ekiben import contract as contracts
from ekiben import convert, listings, patience, service
from ekiben.capture import load_adapter
from ekiben.edges import edge_rows
from ekiben.errors import NotConverted, NotFound
from ekiben.project import render, write
from ekiben.protocols import Converted, Converter
from ekiben.records import Compiled, Contract
from ekiben.registry import converters, framework_for
from models import applicants, diabetes, iris, people
from rig.boxes import kept
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

RUNNER = """
import json

def load(folder, contract):
    told = json.loads((folder / "told.json").read_text())
    import numpy
    if told == "raises":
        raise OSError("no such library")
    return lambda rows: {"predictions": numpy.full(len(rows), told)}
"""


class Constant:
    """A converter that answers one number whatever it is asked."""

    name = "constant"

    def __init__(self, told: Any, folder: Path, seconds: float = 0.0) -> None:
        self.told, self.file = told, folder / "constant_runner.py"
        self.file.write_text(RUNNER, encoding="utf-8")

    def matches(self, model: object) -> bool:
        return True

    def convert(self, model: object, contract: Contract, example: Any, folder: Path) -> Converted:
        if self.told == "cannot":
            raise ZeroDivisionError("in the converter")
        (folder / "told.json").write_text(json.dumps(self.told), encoding="utf-8")
        return Converted("Constant", ("numpy",))

    def runner(self) -> Path:
        return self.file


def tried(model: Any, sample: Any, folder: Path, **options: Any) -> tuple[Compiled, Contract]:
    """The record of ``convert`` on a live model, which has all the time that a busy machine takes."""
    options = {"seconds": 300.0, **options}
    taken = framework_for(model)
    adapter = load_adapter(taken)
    contract = contracts.infer(sample, lambda data: adapter.call(model, data), taken.describe(model))
    return convert.convert(model, sample, contract, adapter.call, folder, **options)[0], contract


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Makes one converter the only one."""

    def choose(*told: Any) -> None:
        found = tuple(Constant(entry, tmp_path) for entry in told)
        assert all(isinstance(entry, Converter) for entry in found)
        monkeypatch.setattr(convert, "converters", lambda: found)

    return choose


def test_ours_meet_the_protocol():
    assert "arrays" in {entry.name for entry in converters()}
    assert all(isinstance(entry, Converter) for entry in converters())


def test_a_form_that_answers_otherwise_is_refused_with_the_row(only, tmp_path):
    only(1.5)
    found, _contract = tried(*diabetes(), tmp_path)
    assert not found.form and not found.active
    assert "predictions is 1.5, not" in found.reason
    assert not (tmp_path / "compiled").exists() and not (tmp_path / "compiled.0").exists()


@pytest.mark.parametrize(("told", "words"), [("cannot", "in the converter"), ("raises", "no such library")])
def test_a_converter_that_breaks_is_told_and_stops_nothing(only, tmp_path, told, words):
    only(told)
    found, _contract = tried(*diabetes(), tmp_path)
    assert words in found.reason and not found.form
    assert [entry.converter for entry in found.tried] == ["constant"]


def test_one_row_of_thousands_is_enough_to_refuse(only, tmp_path):
    """A model that answers 0 but for one row; the form answers 0 always."""
    only(0.0)
    X = numpy.arange(5000.0).reshape(-1, 1)
    taken = framework_for(diabetes()[0])
    call = lambda model, data: {"predictions": numpy.where(data[:, 0] == 4321.0, 1.0, 0.0)}  # noqa: E731
    about = SimpleNamespace(task="regression", classes=None, columns=None, width=1, takes="")
    contract = contracts.infer(X, lambda data: call(None, data), about)
    found, _imports = convert.convert(diabetes()[0], X, contract, call, tmp_path)
    assert taken and "is 0.0, not 1.0" in found.reason


def test_only_the_edge_differs(only, tmp_path):
    """Within the sample all is 0; beyond its end the model says something else."""
    only(0.0)
    X = numpy.linspace(0.0, 1.0, 200).reshape(-1, 1)
    call = lambda model, data: {"predictions": numpy.where(data[:, 0] > 1.0, 9.0, 0.0)}  # noqa: E731
    about = SimpleNamespace(task="regression", classes=None, columns=None, width=1, takes="")
    contract = contracts.infer(X, lambda data: call(None, data), about)
    found, _imports = convert.convert(diabetes()[0], X, contract, call, tmp_path)
    assert "is 0.0, not 9.0" in found.reason


def test_a_model_that_refuses_one_row_alone_stays_native_and_wraps(only, tmp_path):
    """Among others it answers each row, so that the form agrees; alone, the form would answer and the model not."""
    only(0.0)

    def call(model: Any, data: Any) -> dict[str, Any]:
        if len(data) == 1:
            raise ValueError("Expected 2D array, got 1D array instead")
        return {"predictions": numpy.zeros(len(data))}

    X = numpy.linspace(0.0, 1.0, 200).reshape(-1, 1)
    about = SimpleNamespace(task="regression", classes=None, columns=None, width=1, takes="")
    contract = contracts.infer(X, lambda data: call(None, data), about)
    found, _imports = convert.convert(diabetes()[0], X, contract, call, tmp_path)
    assert found.reason == "The model itself does not answer a request of 1 rows." and not found.form


def test_without_time_it_stays_native_and_says_so(tmp_path):
    found, _contract = tried(*iris(), tmp_path, seconds=-1.0)
    assert found.reason == "Time was up before it was tried."


class Endless(Constant):
    """A converter that never comes to an end."""

    name = "endless"

    def convert(self, model: object, contract: Contract, example: Any, folder: Path) -> Converted:
        while True:
            (folder / "half.bin").write_bytes(b"half")
            time.sleep(0.01)


@pytest.fixture
def endless(monkeypatch, tmp_path):
    """Our own converter, and one after it that never ends; what is said at once."""
    found = (*converters(), Endless(0.0, tmp_path))
    monkeypatch.setattr(convert, "converters", lambda: found)
    monkeypatch.setattr(patience, "EVERY", 0.05)
    monkeypatch.setattr(patience, "GRACE", 60.0)


def test_an_interrupt_ends_the_search_and_what_is_proven_serves(endless, tmp_path):
    told = []

    def say(text: str) -> None:
        told.append(text)
        if "endless" in text and "interrupt" in text:
            signal.raise_signal(signal.SIGINT)

    found, _contract = tried(*iris(), tmp_path, say=say)
    assert found.active and found.converter == "arrays"
    assert found.tried[-1].reason == "You interrupted the search for a faster form."
    assert any("comparing" in text and "of 150 rows" in text for text in told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "constant_runner.py"]


def test_an_interrupt_before_anything_is_proven_leaves_the_model_itself(endless, monkeypatch, tmp_path):
    monkeypatch.setattr(convert, "converters", lambda: (Endless(0.0, tmp_path),))

    def say(text: str) -> None:
        if "interrupt" in text:
            signal.raise_signal(signal.SIGINT)

    found, _contract = tried(*iris(), tmp_path, say=say)
    assert (found.form, found.reason) == ("", "You interrupted the search for a faster form.")
    with pytest.raises(KeyboardInterrupt):  # it was wanted, and nothing else
        tried(*iris(), tmp_path, say=say, wanted="endless")


def test_a_form_that_takes_too_long_to_be_made_is_left(endless, monkeypatch, tmp_path):
    monkeypatch.setattr(convert, "MAKING_SECONDS", 0.2)
    monkeypatch.setattr(convert, "converters", lambda: (Endless(0.0, tmp_path),))
    found, _contract = tried(*iris(), tmp_path)
    assert not found.form
    assert found.reason == "It took more than 0.2 s to be made. wrap(…, compiled='endless') waits longer."


def test_a_named_form_that_cannot_be_is_an_error(tmp_path):
    with pytest.raises(NotFound, match="no converter called 'nobody'"):
        tried(*diabetes(), tmp_path, wanted="nobody")
    model = LogisticRegression().fit(diabetes()[1], diabetes()[1][:, 0] > 0)
    model.__class__ = type("Mine", (LogisticRegression,), {})
    with pytest.raises(NotConverted, match="Mine has no faster form"):
        tried(model, diabetes()[1], tmp_path, wanted="arrays")


@pytest.mark.parametrize("unseen", ["reject", "accept"])
def test_edges_have_gaps_ends_and_what_the_contract_lets_in(unseen):
    model, X = applicants()
    taken = framework_for(model)
    adapter = load_adapter(taken)
    contract = contracts.infer(
        X, lambda data: adapter.call(model, data), taken.describe(model), unseen=unseen
    )
    rows = edge_rows(contract)
    ages = [row["age"] for row in rows]
    assert min(ages) < X["age"].min() and max(ages) > 2 * X["age"].max()
    assert any(row["income"] is None for row in rows) and any(row["city"] is None for row in rows)
    strange = [row for row in rows if row["city"] not in (None, "Lima", "Oslo", "京都")]
    assert bool(strange) == (unseen == "accept")
    assert len(people()) == 300


@pytest.fixture(scope="module")
def box():
    model, X = iris()
    return ekiben.wrap(model, X, name="forest-fast")


def test_a_forest_answers_to_the_last_bit(box):
    model, X = iris()
    assert box.compiled.form == "NumPy"
    assert (box.compiled.rows, box.compiled.worst) == (150, 0.0)
    assert box.predictor.form == box.compiled.form
    outputs = box.predict(X).outputs
    assert outputs["predictions"] == model.predict(X).tolist()
    assert outputs["probabilities"] == model.predict_proba(X).tolist()
    assert "compiled" in repr(box) and "NumPy" in box._repr_mimebundle_()["text/html"]


def test_the_choice_can_be_overruled_and_taken_back(box):
    try:
        assert box.prefer("native").predictor.form == "native"
        assert ekiben.open_box(box.model.tag).predictor.form == "native"
        assert "native" in repr(box)
    finally:
        box.prefer("compiled")
    assert box.predictor.form == box.compiled.form


def test_switched_off_there_is_none_and_it_says_so():
    model, X = diabetes()
    plain = kept(model, X, "line-plain", compiled=False)
    assert plain.predictor.form == "native" and "compiled=False" in plain.compiled.reason
    assert not (Path(plain.model.folder) / "compiled").exists()
    with pytest.raises(NotConverted):
        plain.prefer("compiled")


def libraries(pid: int) -> set[str]:
    """The Python packages whose binaries a process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return {name for name in ("sklearn", "pandas", "scipy", "onnxruntime", "numpy") if f"/{name}/" in maps}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_a_compiled_service_loads_neither_scikit_learn_nor_pandas(box):
    _model, X = iris()
    with box.serve() as server:
        server.predict(X[:5])
        server.predict(X)
        assert libraries(server.record.pid) == {"numpy"}
        listed = next(entry for entry in service.servers() if entry.id == server.record.id)
        assert listed.form == box.compiled.form and listed.speedup > 1
        assert 20e6 < listed.memory < 150e6
        assert "compiled" in listings.servers(service.servers()).text()


@pytest.mark.slow
def test_a_form_that_does_not_load_is_left_for_the_native_one():
    model, X = diabetes()
    broken = ekiben.wrap(model, X, name="line-broken")
    assert broken.compiled.form == "NumPy"
    (Path(broken.model.folder) / "compiled" / "program.json").write_text("{", encoding="utf-8")
    with broken.serve() as server:
        assert server.predict(X[:3]).outputs["predictions"] == pytest.approx(model.predict(X[:3]).tolist())
        assert "left for the native one" in server.log()
        assert (server.record.form, server.record.speedup) == ("native", 0.0)
        assert 'form="native"' in metrics(server.url) and "fallback=" in metrics(server.url)


def test_a_form_that_answers_otherwise_elsewhere_is_left_too():
    model, X = diabetes()
    bent = kept(model, X, "line-bent")
    file = Path(bent.model.folder) / "compiled" / "program.npz"
    arrays = dict(numpy.load(file))
    numpy.savez(file, **{name: values * 1.001 for name, values in arrays.items()})
    opened = ekiben.open_box(bent.model.tag)
    assert opened.predictor.form == "native" and "answers" in opened.predictor.trouble
    assert opened.predict(X[:3]).outputs["predictions"] == model.predict(X[:3]).tolist()


def metrics(url: str) -> str:
    from urllib.request import urlopen

    with urlopen(f"{url}/metrics", timeout=60) as response:
        return str(response.read().decode())


def replayed(project: Path, model: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime.replay", str(model)]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def test_without_the_native_form_the_project_asks_for_less_and_refuses_to_fall_back(box, tmp_path):
    lean = write(render(box.model, native=False), tmp_path / "lean")
    wanted = (Path(lean.folder) / "requirements.txt").read_text(encoding="utf-8")
    assert "numpy==" in wanted
    left_out = ("scikit-learn", "pandas", "scipy", "skops", "onnxruntime")
    assert not any(f"\n{name}==" in wanted for name in left_out)
    done = replayed(Path(lean.folder), Path(box.model.folder))
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["mismatches"]) == (0, [])
    assert not {"sklearn", "pandas", "skops"} & {name.partition(".")[0] for name in told["modules"]}
    broken = shutil.copytree(box.model.folder, tmp_path / "broken")
    (broken / "compiled" / "program.npz").write_bytes(b"")
    done = replayed(Path(lean.folder), broken)
    assert done.returncode == 1 and "built without the native one" in done.stderr


def test_without_a_compiled_form_there_is_nothing_to_leave_out(box):
    native = replace(box.model, compiled=Compiled(reason="it is new"))
    with pytest.raises(NotConverted, match="it is new"):
        render(native, native=False)


def test_what_a_library_warns_of_is_not_said_a_thousand_times():
    """A model that was fitted without names, and a sample with them: scikit-learn warns at every call."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(X.to_numpy(), y)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        kept(model, X, "nameless")
    said = [str(entry.message) for entry in told if "feature names" in str(entry.message)]
    assert 0 < len(said) < 20
