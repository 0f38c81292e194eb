"""The conformance suites that every framework and converter must pass, ours and strangers' alike.

::

    from ekiben.testing import conformance

    def test_conformance(tmp_path):
        box = conformance("stranger", Threshold(1.0), sample, tmp_path)

``model`` is fitted, ``sample`` the rows that it takes (a DataFrame, an array, a list), ``framework``
the name of the plugin's entry point. Set ``BENTOML_HOME`` to a folder of the test's own before
anything of BentoML is imported: the model goes into that store.

What must hold, each told by an ``AssertionError`` that begins with the rule's name:

``found``
    The plugin is registered under its own name, meets the protocol and takes the model; it takes
    neither the model's class nor a plain object.
``light``
    Asking it whether it takes an object imports no library of models.
``described``
    The description is plain data, says that the model is fitted, and asking twice says the same.
``saved``
    The form is named, the libraries it needs can be imported and are pinned without local versions.
``safe``
    A pickle is told with a warning that has a remedy.
``apart``
    The adapter imports the standard library, NumPy, pandas, cloudpickle and its own libraries only.
``untouched``
    The live model answers after saving as it did before.
``proven``
    A clean process in which ekiben cannot be imported answers every golden example as the notebook did.
``single``
    One row alone is answered like the same row among others.
``refused``
    An unfitted model, where the library has such a thing, is refused with a remedy.

A converter is held with ``converter_conformance("mine", model, sample, tmp_path)``; ``found``, ``light``,
``apart`` and ``untouched`` go for it too, and then

``compiled``
    It makes a form of the model, and the proof lets it serve: the whole sample, the golden examples and
    rows at the contract's edges are answered as the model does.
``lone``
    A clean process that has neither ekiben nor the model's own library imported answers the golden examples
    with the form alone.
``named``
    The modules that the form needs are told, and can be imported.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben.box import Box
from ekiben.capture import load_adapter
from ekiben.errors import NotConverted, ReplayMismatch, ServiceFailed, UnsupportedModel
from ekiben.protocols import Converter, Framework
from ekiben.records import Model
from ekiben.registry import framework as plugin
from ekiben.registry import framework_of, names
from ekiben.registry import plugin as plugin_of
from ekiben.runtime.predictor import plain
from ekiben.runtime.replay import compare
from ekiben.wrapping import wrap

#: What an adapter may import besides the libraries that its plugin names.
SHARED = ("cloudpickle", "numpy", "pandas")
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill")


def conformance(framework: str, model: Any, sample: Any, folder: Path, *, unfitted: Any = None) -> Box:
    """Holds a plugin against every rule above, with one real model; the box, for tests of one's own.

    ``folder`` is an empty one: the service's project is written there.

    Raises:
        AssertionError: a rule is broken; the message names it.
    """
    taken = _found(framework, model)
    _described(taken, model)
    foreign = _apart(taken)
    adapter = load_adapter(taken)
    before = _answers(adapter, model, sample)
    try:
        with _without_ekiben(folder):
            box = wrap(model, sample, name=f"conformance-{framework}", project_dir=folder / "project")
    except (ReplayMismatch, ServiceFailed) as error:
        raise AssertionError(f"proven: {error}") from error
    _agree("untouched", before, _answers(adapter, model, sample), box)
    _saved(box.model, foreign)
    _safe(box.model)
    _light(taken, foreign)
    assert box.replays["process"].passed, "proven: the clean process answers otherwise"
    _single(box)
    if unfitted is not None:
        _refused(unfitted, sample, folder)
    return box


def _found(name: str, model: Any) -> Framework:
    assert name in names("framework"), f"found: no entry point {name!r} in the group ekiben.frameworks"
    taken = plugin(name)
    assert isinstance(taken, Framework), "found: it lacks a verb of ekiben.protocols.Framework"
    assert taken.name == name, f"found: it calls itself {taken.name!r}"
    nearest = framework_of(model)
    assert nearest is taken, f"found: {nearest.name if nearest else 'nobody'} takes a {type(model).__name__}"
    assert not taken.matches(object()), "found: it takes any object"
    if isinstance(type(model), type) and not callable(model):
        assert not taken.matches(type(model)), "found: it takes a class for a model"
    return taken


def _described(taken: Framework, model: Any) -> None:
    about = taken.describe(model)
    assert about.estimator and about.task, "described: estimator and task must be told"
    assert about.fitted, "described: it calls a fitted model unfitted"
    json.dumps(plain([*(about.classes or ()), *(about.columns or ()), about.width]))
    assert taken.describe(model) == about, "described: asked twice, it says two things"


def _answers(adapter: Any, model: Any, sample: Any) -> dict[str, Any]:
    from ekiben.canonical import canonical, rows_of

    _form, data = canonical(sample)
    few = rows_of(data, list(range(min(8, len(data)))))
    return {name: plain(values) for name, values in adapter.call(model, few).items()}


def _agree(rule: str, wanted: dict[str, Any], got: dict[str, Any], box: Box) -> None:
    golden = {"rows": [None] * len(wanted["predictions"]), "answers": wanted}
    worst, differing = compare(golden, got, box.contract.tolerance.to_json())
    assert not differing, f"{rule}: answers differ by up to {worst}: {differing[:2]}"


def _saved(model: Model, libraries: list[str]) -> None:
    assert model.storage, "saved: the form has no name"
    assert model.bytes > 0, "saved: the folder is empty"
    json.dumps(model.options)
    local = [line for line in model.requirements if "+" in line.partition("==")[2].partition(";")[0]]
    assert not local, f"saved: no index has these versions: {local}"
    # A module of the user's own travels beside the model; for a library from a folder a finding tells.
    pinned = {re.split(r"[^\w.-]", line)[0] for line in model.requirements}
    travelling = {file.stem for file in (Path(model.folder) / "code").glob("*")}
    told = " ".join(finding.message for finding in model.findings)
    for name in libraries:
        homes = _distributions(name)
        had = pinned & homes or name in travelling or any(word in told for word in (name, *homes))
        assert had, f"saved: no requirement gives {name}"


def _safe(model: Model) -> None:
    folder = Path(model.folder)
    pickles = [file.name for file in folder.iterdir() if file.suffix in _PICKLES]
    if pickles or "pickle" in model.storage:
        told = [entry for entry in model.findings if entry.level == "warning" and entry.remedy]
        assert told, f"safe: {pickles or model.storage} is kept without a warning"


def _apart(taken: Framework) -> list[str]:
    """The libraries that the adapter imports."""
    file = taken.adapter()
    assert file.suffix == ".py" and file.is_file(), f"apart: {file} is no Python file"
    libraries = sorted(_imports(file) - set(sys.stdlib_module_names) - set(SHARED))
    assert "ekiben" not in libraries, f"apart: {file.name} imports ekiben"
    for name in libraries:
        assert find_spec(name), f"apart: {file.name} imports {name}, which is not installed"
    adapter = load_adapter(taken)
    for verb in ("load", "call"):
        assert callable(getattr(adapter, verb, None)), f"apart: {file.name} has no {verb}"
    return libraries


def _imports(place: Path) -> set[str]:
    """What a file imports; of a package, what all its files do besides each other."""
    found: set[str] = set()
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        depth = len(file.relative_to(place).parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level:
                outside = f"apart: {file.name} imports from its package, which does not travel"
                assert node.level <= depth, outside
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found


def _distributions(module: str) -> set[str]:
    from importlib.metadata import packages_distributions

    return {name.lower().replace("_", "-") for name in packages_distributions().get(module, ())}


def _light(taken: Framework, libraries: list[str]) -> None:
    """In a process of its own: this one has the library already."""
    code = (
        "import sys, ekiben.registry as registry\n"
        f"taken = registry.framework({taken.name!r})\n"
        "taken.matches(object()), taken.adapter()\n"
        f"print(sorted(set({libraries!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"light: {done.stderr[-2000:]}"
    assert done.stdout.strip() == "[]", f"light: asking it imports {done.stdout.strip()}"


def _single(box: Box) -> None:
    golden = box.contract.golden
    first = {name: values[:1] for name, values in golden.answers.items()}
    got = box.predictor.answer([golden.to_json()["rows"][0]])
    _agree("single", first, got, box)


def _refused(unfitted: Any, sample: Any, folder: Path) -> None:
    try:
        wrap(unfitted, sample, name="conformance-unfitted", project_dir=folder / "unfitted")
    except UnsupportedModel as error:
        assert error.remedy, "refused: the error has no remedy"
        return
    raise AssertionError("refused: an unfitted model was taken")


@contextmanager
def _without_ekiben(folder: Path) -> Iterator[None]:
    """Processes that start inside the block cannot import ekiben; this one can."""
    stand_in = folder / "without"
    stand_in.mkdir(parents=True)
    (stand_in / "ekiben.py").write_text("raise ImportError('ekiben does not travel')\n", encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(stand_in), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def converter_conformance(converter: str, model: Any, sample: Any, folder: Path) -> Box:
    """Holds a converter against every rule above, with one real model that it takes; the box.

    ``folder`` is an empty one: the service's project is written there.

    Raises:
        AssertionError: a rule is broken; the message names it.
    """
    assert converter in names("converter"), f"found: no entry point {converter!r} in ekiben.converters"
    made = plugin_of("converter", converter)
    assert isinstance(made, Converter), "found: it lacks a verb of ekiben.protocols.Converter"
    assert made.name == converter, f"found: it calls itself {made.name!r}"
    assert made.matches(model), f"found: it does not take a {type(model).__name__}"
    assert not made.matches(object()), "found: it takes any object"
    file = made.runner()
    libraries = sorted(_imports(file) - set(sys.stdlib_module_names) - set(SHARED))
    assert "ekiben" not in libraries, f"apart: {file.name} imports ekiben"
    adapter = load_adapter(_framework(model))
    before = _answers(adapter, model, sample)
    try:
        with _without_ekiben(folder):
            name = f"conformance-{converter}"
            box = wrap(model, sample, name=name, project_dir=folder / "project", compiled=converter)
    except NotConverted as error:
        raise AssertionError(f"compiled: {error}") from error
    _agree("untouched", before, _answers(adapter, model, sample), box)
    assert box.compiled.converter == converter and box.compiled.active, "compiled: it does not serve"
    assert box.compiled.rows and box.compiled.form, "compiled: nothing was compared, or it has no name"
    assert box.predictor.form == box.compiled.form, f"compiled: {box.predictor.trouble}"
    _lone(box)
    return box


def _framework(model: Any) -> Framework:
    found = framework_of(model)
    assert found is not None, f"found: no framework takes a {type(model).__name__}"
    return found


def _lone(box: Box) -> None:
    """The form in a process in which neither ekiben nor the native adapter can be imported."""
    project = Path(box.project.folder)
    block = "import sys; sys.modules['ekiben'] = sys.modules['runtime.adapter'] = None; "
    code = block + f"from runtime import replay; sys.exit(replay.main([{box.model.folder!r}, '--form']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"lone: {done.stdout[-500:]}{done.stderr[-2000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    native = set(box.model.direct) - set(box.compiled.direct)
    tops = {name.partition(".")[0] for name in told["modules"]}
    loaded = sorted(name for name in tops if _distributions(name) & native)
    assert not loaded, f"lone: the form imports {loaded}"
    assert set(box.compiled.direct) <= set(box.model.direct), (
        "named: the project does not ask for what it needs"
    )
