"""A notebook, run from its top with parameters: papermill executes it in a fresh kernel, and what it wraps is told.

``wrap`` notes each model in the file that ``EKIBEN_WRAPPED`` names; nothing is read from the notebook's output.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ekiben import scratch
from ekiben.errors import InvalidName, MissingDependency, NotFound, NotReproduced
from ekiben.origin import RUN
from ekiben.shell import watch
from ekiben.words import _

#: The file that ``wrap`` notes its models in.
WRAPPED = "EKIBEN_WRAPPED"
_CELL = re.compile(r"Executing Cell (\d+)")
#: Tags of the cells that papermill adds.
_PAPERMILLS = {"injected-parameters", "papermill-error-cell-tag"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Tell = Callable[[int, int, str], None]


class Wrapped(NamedTuple):
    """A model that the notebook wrapped: its tag, and the variable it had."""

    tag: str
    variable: str


def note(tag: str, variable: str) -> None:
    """Called by ``wrap``: tells whoever runs this notebook of the model."""
    file = os.environ.get(WRAPPED)
    if file:
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"tag": tag, "variable": variable}) + "\n")


def train(notebook: Path, parameters: Mapping[str, str], tell: Tell) -> tuple[Wrapped, ...]:
    """Runs ``notebook`` and gives the models that it wrapped, the last of each name.

    ``tell(cell, cells, message)`` is called twice a second; what it raises ends the kernel too.

    Raises:
        NotFound: there is no such notebook, or it wraps nothing.
        InvalidName: a parameter is none of the notebook's.
        NotReproduced: a cell fails; it is named, with the end of its traceback.
        MissingDependency: papermill is not installed.
    """
    if not find_spec("papermill"):
        raise MissingDependency(_("papermill is not installed."), remedy="%pip install 'ekiben[papermill]'")
    content = _read(notebook)
    _check(notebook, content, parameters)
    cells = len(content["cells"]) + bool(parameters)
    now = (1, _("Starting the kernel"))

    def tick() -> None:
        tell(min(now[0], cells), cells, now[1])

    def hear(line: str) -> None:
        nonlocal now
        found = _CELL.search(line)
        if found:
            number = int(found[1])
            now = (number, _("Running cell {number} of {cells}", number=number, cells=cells))
            tick()

    with scratch.folder("train") as folder:
        wrapped, executed = folder / "wrapped", folder / "executed.ipynb"
        command = [
            sys.executable,
            "-m",
            "papermill",
            str(notebook),
            str(executed),
            "--cwd",
            str(notebook.parent),
        ]
        command += ["--kernel", "python3", "--language", "python", "--no-progress-bar", "--log-output"]
        command += ["--log-level", "INFO"]
        for name, value in parameters.items():
            command += ["-p", name, value]
        run = {"notebook": str(notebook), "parameters": dict(parameters)}
        env = {WRAPPED: str(wrapped), RUN: json.dumps(run), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        tick()
        status, last = watch(command, hear, tick, env=env)
        if status:
            raise _failure(notebook, executed, last)
        lines = wrapped.read_text(encoding="utf-8").splitlines() if wrapped.is_file() else []
    latest: dict[str, Wrapped] = {}
    for told in map(json.loads, lines):
        latest[told["tag"].partition(":")[0]] = Wrapped(told["tag"], told["variable"])
    if not latest:
        raise NotFound(
            _("{notebook} wraps no model.", notebook=notebook.name),
            where=str(notebook),
            remedy=_("Call it in a cell: box = ekiben.wrap(model, X_train)"),
        )
    return tuple(latest.values())


def pick(wrapped: tuple[Wrapped, ...], wanted: str) -> Wrapped:
    """The model ``wanted`` (a name, or the variable that it had), or the only one.

    Raises:
        InvalidName: there are several and none was named, or none of that name.
    """
    fitting = [
        one for one in wrapped if not wanted or wanted in (one.tag.partition(":")[0], one.variable, one.tag)
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(one.tag.partition(":")[0] for one in wrapped)
    told = (
        _("The notebook wraps several models: {names}", names=names)
        if fitting
        else _("The notebook wraps no {wanted}; it wraps: {names}", wanted=wanted, names=names)
    )
    raise InvalidName(
        told, where="--box", remedy=_("Name one: --box {name}", name=wrapped[0].tag.partition(":")[0])
    )


def _read(notebook: Path) -> dict[str, Any]:
    if not notebook.is_file():
        raise NotFound(
            _("There is no notebook {path}.", path=str(notebook)),
            where=str(notebook),
            remedy=_("Save it, and give its path from {folder}.", folder=os.getcwd()),
        )
    try:
        content: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
        content["cells"][:0]
    except (ValueError, KeyError, TypeError) as error:
        raise NotFound(
            _("{path} is no notebook.", path=str(notebook)), where=str(notebook), remedy=_("Save it again.")
        ) from error
    return content


def _check(notebook: Path, content: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """A parameter that no cell declares would be overwritten, or never read, without a word."""
    if not parameters:
        return
    tagged = [
        "".join(cell["source"])
        for cell in content["cells"]
        if cell["cell_type"] == "code" and "parameters" in cell.get("metadata", {}).get("tags", ())
    ]
    if not tagged:
        raise InvalidName(
            _("{notebook} has no cell with the tag “parameters”.", notebook=notebook.name),
            where=str(notebook),
            remedy=_("Tag the cell that sets their defaults, in the property inspector of JupyterLab."),
        )
    known = {name for source in tagged for name in _assigned(source)}
    for name in parameters:
        if name not in known:
            raise InvalidName(
                _("{notebook} has no parameter {name}.", notebook=notebook.name, name=name),
                where=f"-p {name}",
                remedy=_("It has: {names}", names=", ".join(sorted(known)) or "–"),
            )


def _assigned(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _failure(notebook: Path, executed: Path, last: list[str]) -> NotReproduced:
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"] if executed.is_file() else []
    own = [cell for cell in cells if not _PAPERMILLS & set(cell.get("metadata", {}).get("tags", ()))]
    for number, cell in enumerate(own, start=1):
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                lines = [_COLOUR.sub("", line) for line in output.get("traceback", ())]
                tail = "\n".join("\n".join(lines).splitlines()[-8:])
                return NotReproduced(
                    _("Cell {number} fails in a fresh kernel: {error}", number=number, error=output["ename"])
                    + f"\n{tail}",
                    where=f"{notebook.name}, {number}",
                    remedy=_("Restart the kernel and run all cells: the same error appears there."),
                )
    return NotReproduced(
        _("papermill could not run the notebook:") + "\n" + "\n".join(last[-8:]), where=notebook.name
    )
