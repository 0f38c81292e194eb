"""The golden examples in a real fresh environment: made by uv, kept, and telling what is missing."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import ekiben
import pytest
from ekiben import environment
from ekiben.errors import Cancelled, RequirementsFailed
from ekiben.project import render, write
from ekiben.records import Finding
from models import diabetes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def box():
    model, X = diabetes()
    return ekiben.wrap(model, X, name="fresh")


def there() -> set[Path]:
    """The environments that are kept; other tests may have made some."""
    return set(environment.folder().iterdir()) if environment.folder().is_dir() else set()


def test_the_first_time_makes_it_and_the_second_finds_it(box, capsys):
    steps: list[tuple[int, int, str]] = []
    before = there()
    began = time.monotonic()
    first = environment.replay(box.project, box.model, lambda *step: steps.append(step))
    took = time.monotonic() - began
    assert first.passed and first.station == "environment" and first.rows == 48
    assert [step for step, _steps, _message in steps] == sorted(step for step, _steps, _message in steps)
    assert {step for step, _steps, _message in steps} == {1, 2, 3}
    (place,) = there() - before
    told = json.loads((place / "ready.json").read_text())
    assert "numpy" in " ".join(told["requirements"]) and told["seconds"] > 0

    installed = {path.name.partition("-")[0] for path in place.rglob("*.dist-info")}
    assert "scikit_learn" in installed and not installed & {
        "ekiben",
        "pandas",
        "ipykernel",
        "jupyterlab",
        "pip",
    }

    began = time.monotonic()
    environment.replay(box.project, box.model)
    with capsys.disabled():
        print(f" [fresh environment: {took:.1f} s, again {time.monotonic() - began:.1f} s] ", end="")
    proof = box.verify(fresh=True)
    assert [replay.station for replay in proof] == ["kernel", "process", "environment"]
    assert {place} == there() - before
    assert "fresh environment" in proof._repr_html_()


def test_what_the_requirements_lack_is_named(box, tmp_path):
    """joblib is all that is missing: scikit-learn does not load without it."""
    lines = [
        line for line in box.model.requirements if not line.startswith(("joblib", "scikit-learn", "skops"))
    ]
    project = write(render(replace(box.model, requirements=tuple(lines))), tmp_path / "service")
    with pytest.raises(RequirementsFailed, match="does not load in a fresh environment") as caught:
        environment.replay(project, box.model)
    assert "requirements=" in caught.value.remedy
    assert re.search(r"'(skops|scikit-learn)'", caught.value.remedy)


def test_a_version_that_nobody_has_is_told(box, tmp_path):
    lines = ("scikit-learn==99.0.0",)
    project = write(render(replace(box.model, requirements=lines)), tmp_path / "service")
    before = there()
    with pytest.raises(RequirementsFailed, match=r"scikit-learn==99\.0\.0") as caught:
        environment.replay(project, box.model)
    assert "cannot be had" in caught.value.remedy
    assert there() == before


def test_stopping_leaves_nothing(box, tmp_path):
    project = write(render(replace(box.model, requirements=("numpy",))), tmp_path / "service")
    before = there()

    def stop(step: int, _steps: int, _message: str) -> None:
        if step == 2:
            raise Cancelled("stopped here")

    with pytest.raises(Cancelled):
        environment.replay(project, box.model, stop)
    assert there() == before


def test_what_only_this_machine_has_is_not_built(box):
    finding = Finding("error", "mine was installed from /home/me/mine.", "Publish it.")
    local = replace(box.model, findings=(finding,))
    with pytest.raises(RequirementsFailed, match="mine was installed") as caught:
        ekiben.Box(local, box.project).replay_fresh()
    assert caught.value.remedy == "Publish it."


def test_the_environments_used_longest_ago_go(fresh_home: Path):
    """Those of the last hour stay, whatever their number: one may be in use."""
    import os

    for number in range(environment.KEPT + 3):
        place = environment.folder() / f"{number:016x}"
        place.mkdir(parents=True)
        (place / "ready.json").write_text("{}")
        age = time.time() - 86_400 * number - (0 if number == 1 else 7200)
        os.utime(place / "ready.json", (age, age))
    os.utime(environment.folder() / f"{6:016x}" / "ready.json")
    environment._prune(environment.folder() / f"{0:016x}")
    left = {int(place.name, 16) for place in environment.folder().iterdir()}
    assert left == {0, 1, 2, 6}


def test_this_pythons_packages_do_not_leak_in(box, tmp_path, monkeypatch):
    (tmp_path / "leak.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = environment.prepare(Path(box.project.folder) / "requirements.txt", lambda step, message: None)
    code = textwrap.dedent("""
        import importlib.util, json, sys
        print(json.dumps([name for name in ("leak", "pandas", "ekiben", "pytest") if importlib.util.find_spec(name)]))
    """)
    status, lines = environment.inside(python, ["-c", code], lambda: None, str(tmp_path.parent))
    assert (status, json.loads(lines[-1])) == (0, [])
    assert sys.prefix not in str(python)
