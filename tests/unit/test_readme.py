"""What the READMEs tell to type is what the repository does."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ekiben.box import Box
from ekiben.cli.parser import make_parser
from ekiben.image.built import BuiltImage

REPOSITORY = Path(__file__).resolve().parent.parent.parent
READMES = ("README.md", "README.zh-CN.md")

#: A notebook's cell before the README's lines.
TRAIN = """
import numpy, pandas
from sklearn.linear_model import LogisticRegression
random = numpy.random.default_rng(0)
X = pandas.DataFrame({"age": random.integers(18, 80, 120), "debt": random.normal(size=120)})
X_train, X_test = X[:90], X[90:]
model = LogisticRegression().fit(X_train, X_train["age"] > 40)
"""


def blocks(name: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (REPOSITORY / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_the_debian_packages_are_those_of_the_makefile(name: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^DEBIAN_PACKAGES := (.*?)\n\n", makefile, re.MULTILINE | re.DOTALL)
    told = re.search(r"sudo apt-get install ([^`]*)`", (REPOSITORY / name).read_text(encoding="utf-8"))
    assert found and told
    wanted = found[1].partition("\\")[0].split()
    assert told[1].split() == [*wanted, "docker.io"] and "docker.io" in found[1]


def test_both_say_the_same_to_type() -> None:
    """The comments beside it are in each one's language."""
    for kind in ("python", "sh"):
        english, chinese = (
            ["".join(re.split(r"#.*", text)) for text in blocks(name, kind)] for name in READMES
        )
        assert english and english == chinese
    for text in blocks("README.md", "python"):
        ast.parse(text)


@pytest.mark.parametrize("name", READMES)
def test_what_is_called_in_a_sentence_can_be_called_so(name: str) -> None:
    """``box.build("iris:1", engine="podman")`` and its like: the verb is there and takes what it is given."""
    kinds = {"box": Box, "image": BuiltImage}
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    spoken = set(re.findall(r"`((?:box|image)\.[^`]+)`", text))
    assert len(spoken) > 6
    for words in spoken:
        called = ast.parse(words.replace("…", "None"), mode="eval").body
        verb = called.func if isinstance(called, ast.Call) else called
        while isinstance(verb, ast.Attribute) and not isinstance(verb.value, ast.Name):
            verb = verb.value  # box.project.folder
        assert isinstance(verb, ast.Attribute) and isinstance(verb.value, ast.Name), words
        kind = kinds[verb.value.id]
        assert hasattr(kind, verb.attr) or f"self.{verb.attr} = " in inspect.getsource(kind), words
        if isinstance(called, ast.Call):
            names = {word.arg: None for word in called.keywords if word.arg}
            inspect.signature(getattr(kind, verb.attr)).bind(None, *called.args, **names)


@pytest.mark.parametrize("name", READMES)
def test_command_lines_in_a_sentence_are_understood(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    spoken = re.findall(r"`(ekiben [^`]+)`", text)
    assert any("--push" in line for line in spoken)
    for line in spoken:
        make_parser().parse_args(shlex.split(line)[1:])
    for flag in re.findall(r"`(--?[a-z][a-z-]*)`", text):
        assert flag in spoken_flags(), flag


def spoken_flags() -> set[str]:
    """What `ekiben build` takes."""
    options = make_parser().parse_args(["build", "clf"])
    return {f"--{name.replace('_', '-')}" for name in vars(options)} | {"-p", "-t"}


def test_the_first_install_brings_what_the_lines_need() -> None:
    """papermill for `reproduce`, hypothesis for `fuzz`: `pip install "ekiben[lab]"` is what a reader has."""
    asked = metadata.requires("ekiben") or []
    lab = " ".join(line for line in asked if "lab" in line.partition("extra ==")[2])
    assert "papermill" in lab and "hypothesis" in lab
    assert 'pip install "ekiben[lab]"' in blocks("README.md", "sh")[0]


@pytest.mark.slow
def test_the_lines_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the image, which the tests with an engine build."""
    monkeypatch.chdir(tmp_path)
    first, second = (
        "".join(line for line in text.splitlines(keepends=True) if "box.build(" not in line)
        for text in blocks("README.md", "python")
    )
    wrap = first[: first.index("box.predict")]
    cells = [nbformat.v4.new_code_cell(text) for text in (TRAIN, wrap)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), "train.ipynb")
    names: dict[str, Any] = {"__name__": "readme"}
    exec(TRAIN, names)
    told = {}
    for statement in ast.parse(first + second).body:
        line = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            told[line] = eval(line, names)
        else:
            exec(line, names)
    expected = names["model"].predict(names["X_test"][:3]).tolist()
    assert told["box.predict(X_test[:3])"].outputs["predictions"] == expected
    assert [replay.station for replay in told["box.verify()"]] == ["kernel", "process", "http"]
    assert told["box.reproduce('train.ipynb')"].passed
    assert told["box.fuzz()"].passed
