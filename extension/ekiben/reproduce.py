"""Does the notebook, run from its top in a fresh kernel, make the same model?

The cells up to the one that wraps are run by papermill; then the model's variable answers the golden
examples there, and the answers are compared with those that the live object gave at capture.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.capture import load_adapter, mismatch, replay_of
from ekiben.errors import EkibenError, MissingDependency, NotFound, NotReproduced
from ekiben.records import Contract, Replay
from ekiben.registry import framework_for
from ekiben.runtime.contract import check, to_data
from ekiben.runtime.predictor import plain
from ekiben.runtime.replay import compare
from ekiben.words import _

#: Calls that end the part which makes the model.
_ENDS = ("wrap", "serve", "build", "reproduce", "verify")


def reproduce(notebook: str | Path, variable: str, contract: Contract, *, timeout: float = 3600.0) -> Replay:
    """Runs ``notebook`` in a fresh kernel and replays the golden examples on its ``variable``.

    ``timeout`` is in seconds for the whole run. Nothing is written beside the notebook.

    Raises:
        NotReproduced: a cell fails in a fresh kernel, or the variable is not there at the end; the
            cell is named.
        ReplayMismatch: the model that the notebook makes answers otherwise.
        NotFound: there is no such notebook.
        MissingDependency: papermill is not installed.
    """
    if not find_spec("papermill"):
        raise MissingDependency(_("papermill is not installed."), remedy="%pip install papermill")
    source = Path(notebook).expanduser().resolve()
    if not source.is_file():
        raise NotFound(
            _("There is no notebook {path}.", path=str(notebook)),
            remedy=_("Save it, and give its path from {folder}.", folder=os.getcwd()),
        )
    content: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    kept = making_cells(content["cells"])
    begin = time.perf_counter()
    with scratch.folder("reproduce") as work:
        (work / "contract.json").write_text(json.dumps(contract.to_json()), encoding="utf-8")
        probe = (
            "from ekiben.reproduce import answer_golden\n"
            f"answer_golden(globals().get({variable!r}), {str(work)!r})"
        )
        content["cells"] = [*kept, _code_cell(probe)]
        (work / "in.ipynb").write_text(json.dumps(content), encoding="utf-8")
        _run(work, source, timeout)
        answered = work / "answers.json"
        told: dict[str, Any] = json.loads(answered.read_text()) if answered.is_file() else {}
        _check_run(work / "out.ipynb", len(kept), source, variable, told)
    worst, differing = compare(contract.golden.to_json(), told["answers"], contract.tolerance.to_json())
    milliseconds = (time.perf_counter() - begin) * 1000
    rows = len(contract.golden.rows)
    replay = replay_of("notebook", rows, worst, milliseconds, differing, contract.tolerance)
    if not replay.passed:
        raise mismatch(
            replay, _("Fix the seeds of the training (random_state=0), and wrap what the notebook makes.")
        )
    return replay


def making_cells(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells up to the first that wraps or serves, and of that one the statements before it."""
    kept: list[dict[str, Any]] = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        line = _first_end(source)
        if line is None:
            kept.append(_code_cell(source))
            continue
        kept.append(_code_cell("\n".join(source.splitlines()[: line - 1])))
        break
    return kept


def answer_golden(model: Any, folder: str) -> None:
    """Runs inside the fresh kernel: the model's answers to the golden examples go to ``answers.json``."""
    contract = json.loads((Path(folder) / "contract.json").read_text(encoding="utf-8"))
    told: dict[str, Any] = {"missing": model is None}
    if model is not None:
        columns, _warnings = check(contract, contract["golden"]["rows"])
        answers = load_adapter(framework_for(model)).call(model, to_data(contract, columns))
        told["answers"] = {name: plain(values) for name, values in answers.items()}
    (Path(folder) / "answers.json").write_text(json.dumps(told), encoding="utf-8")


def _run(work: Path, source: Path, timeout: float) -> None:
    command = [
        sys.executable,
        "-m",
        "papermill",
        "in.ipynb",
        "out.ipynb",
        "--no-progress-bar",
        "--log-level",
        "ERROR",
    ]
    command += ["--cwd", str(source.parent)]
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    birth = paths.process_birth(process.pid)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise NotReproduced(
            _("The notebook did not end within {seconds} s.", seconds=round(timeout)),
            where=source.name,
            remedy=_("Give it more time: box.reproduce(…, timeout=…)."),
        ) from error
    finally:
        if process.poll() is None:
            paths.stop_tree(process.pid, birth)
            process.wait()
    if process.returncode and not (work / "out.ipynb").is_file():
        tail = (work / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
        raise EkibenError(_("papermill could not run the notebook:") + f"\n{tail}", where=source.name)


def _check_run(executed: Path, kept: int, source: Path, variable: str, told: dict[str, Any]) -> None:
    cells = [
        cell
        for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    for number, cell in enumerate(cells, start=1):
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error" and number <= kept:
                raise NotReproduced(
                    _(
                        "In a fresh kernel code cell {number} fails: {error}",
                        number=number,
                        error=f"{output['ename']}: {output['evalue']}",
                    ),
                    where=_("{notebook}, code cell {number}", notebook=source.name, number=number),
                    remedy=_hidden(output["ename"]),
                )
            if output["output_type"] == "error":
                raise EkibenError(
                    _("The notebook's model does not answer: {error}", error=output["evalue"]),
                    where=source.name,
                )
    if told.get("missing", True):
        raise NotReproduced(
            _("Run from its top, the notebook makes no {variable}.", variable=repr(variable)),
            where=source.name,
            remedy=_("A deleted cell made it: write the cell anew, above the one that wraps."),
        )


def _hidden(error: str) -> str:
    if error == "NameError":
        return _("It used what a later or a deleted cell left in the kernel: move that cell above this one.")
    return _("Restart the kernel and run all cells: the same error appears there.")


def _first_end(source: str) -> int | None:
    """The line of the first top-level statement that calls one of ekiben's verbs; lines count from 1."""
    plain_code = "\n".join(
        f"pass  # {line}" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()
    )
    try:
        tree = ast.parse(plain_code)
    except SyntaxError:
        return None
    for statement in tree.body:
        for node in ast.walk(statement):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _ENDS
            ):
                owner = node.func.value
                if isinstance(owner, ast.Name) and (owner.id == "ekiben" or "box" in owner.id):
                    return statement.lineno
    return None


def _code_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
