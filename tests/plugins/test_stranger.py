"""A package that we do not know teaches ekiben a framework, through its entry point alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip put the stranger's package, as it would from an index."""
    folder = tmp_path_factory.mktemp("stranger")
    source = shutil.copytree(
        HERE / "stranger", folder / "source", ignore=shutil.ignore_patterns("__pycache__")
    )
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


def asked(site: Path, code: str, **environment: str) -> Any:
    """What ``code`` prints, as JSON, in a Python that has the stranger's package."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(site)} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_registers_beside_ours(installed: Path) -> None:
    code = "import json, ekiben.registry as r; print(json.dumps([r.names('framework'), r.names('builder')]))"
    frameworks, builders = asked(installed, code)
    assert {"sklearn", "stranger"} <= set(frameworks)
    assert {"buildah", "docker", "podman"} <= set(builders)


def test_it_meets_the_protocol_and_takes_its_own_models(installed: Path) -> None:
    code = """
import json, ekiben.registry as r
from ekiben.protocols import Framework
from stranger import Threshold
taken = r.framework_for(Threshold(1.0)).name
print(json.dumps([taken, isinstance(r.framework("stranger"), Framework), r.framework_of(object())]))
"""
    assert asked(installed, code) == ["stranger", True, None]


def test_our_frameworks_are_loaded_through_the_same_door(installed: Path) -> None:
    code = """
import json, sys, ekiben.registry as r
for kind in ("framework", "builder"):
    for name in r.names(kind):
        assert r.plugin(kind, name).name == name
print(json.dumps(sorted({"sklearn", "docker", "podman"} & set(sys.modules))))
"""
    assert asked(installed, code) == []


def test_a_name_that_nobody_registered_is_told(installed: Path) -> None:
    code = """
import json, ekiben.registry as r
from ekiben.errors import NotFound
try:
    r.framework("nobody")
except NotFound as error:
    print(json.dumps([error.message, error.remedy]))
"""
    message, remedy = asked(installed, code)
    assert "nobody" in message
    assert "stranger" in remedy


def test_its_model_is_wrapped_and_predicts(installed: Path, fresh_home: Path) -> None:
    code = """
import json, numpy, ekiben
from stranger import Threshold
sample = numpy.array([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]])
box = ekiben.wrap(Threshold(1.0), sample, name="threshold")
print(json.dumps([box.model.framework, list(box.predict(sample).outputs["predictions"])]))
"""
    assert asked(installed, code) == ["stranger", [False, True, True]]


def test_a_plugin_that_does_not_load_hides_no_other(monkeypatch):
    """One broken stranger must not keep scikit-learn from working."""
    from ekiben import registry
    from sklearn.tree import DecisionTreeClassifier

    sound = registry.plugin

    def plugin(kind, name):
        if (kind, name) == ("framework", "torch"):
            raise ImportError("a stranger's mistake")
        return sound(kind, name)

    monkeypatch.setattr(registry, "plugin", plugin)
    registry._sound_frameworks.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="torch does not load"):
            found = registry.framework_of(DecisionTreeClassifier())
        assert found is not None and found.name == "sklearn"
    finally:
        registry._sound_frameworks.cache_clear()


def test_it_passes_the_conformance_suite(installed: Path, fresh_home: Path) -> None:
    code = """
import json, numpy, pathlib, sys
from ekiben.testing import conformance
from stranger import Threshold
sample = numpy.array([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]])
box = conformance("stranger", Threshold(1.0), sample, pathlib.Path(sys.argv[1]))
print(json.dumps([box.model.framework, sorted(box.replays)]))
""".replace("sys.argv[1]", repr(str(fresh_home / "conformance")))
    assert asked(installed, code) == ["stranger", ["kernel", "process"]]


@pytest.mark.slow
def test_the_suite_sees_each_rule_broken(installed: Path, fresh_home: Path) -> None:
    """One fault after the other in the stranger's plugin; the suite names the rule that it breaks."""
    code = """
import json, numpy, pathlib
from dataclasses import replace
import ekiben.registry as registry
from ekiben.testing import conformance
from stranger import Threshold

plugin, home = registry.framework("stranger"), pathlib.Path(HOME)
sample = numpy.array([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]])
describe, save, adapter = plugin.describe, plugin.save, plugin.adapter

def pickled(model, folder, example):
    (folder / "model.pkl").write_bytes(b"")
    return save(model, folder, example)

def other(model, folder, example):
    return save(Threshold(2.0), folder, example)

def changed(model, folder, example):
    saved = save(model, folder, example)
    model.limit = 2.0
    return saved

def nosy():
    file = home / "nosy_adapter.py"
    file.write_text("import ekiben\\n" + adapter().read_text())
    return file

faults = {
    "found": {"matches": lambda model: True},
    "described": {"describe": lambda model: replace(describe(model), fitted=False)},
    "safe": {"save": pickled},
    "apart": {"adapter": nosy},
    "untouched": {"save": changed},
    "proven": {"save": other},
}
told = {}
for rule, fault in faults.items():
    vars(plugin).update(fault)
    try:
        conformance("stranger", Threshold(1.0), sample, home / rule)
    except AssertionError as error:
        told[rule] = str(error).partition(":")[0]
    for verb in fault:
        del vars(plugin)[verb]
print(json.dumps(told))
""".replace("HOME", repr(str(fresh_home)))
    told = asked(installed, code)
    assert told == {rule: rule for rule in ("found", "described", "safe", "apart", "untouched", "proven")}
