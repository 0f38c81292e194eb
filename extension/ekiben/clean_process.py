"""The saved model in a clean process: nothing of the notebook is there but what was saved."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ekiben.capture import replay_told
from ekiben.code.files import asked
from ekiben.code.stale import otherwise
from ekiben.errors import NotCarried, ReplayMismatch, ServiceFailed
from ekiben.records import Model, Replay
from ekiben.words import _


def replay(model: Model, folder: str) -> tuple[Replay, dict[str, Any]]:
    """Replays the golden examples with the project in ``folder``; also all that the process told.

    Raises:
        ReplayMismatch: an answer differs.
        NotCarried: the code opens a file that stayed behind.
        ServiceFailed: the process ended otherwise.
    """
    command = [sys.executable, "-m", "runtime.replay", model.folder]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    try:
        return replay_told("process", done.returncode, done.stdout.splitlines(), model.contract.tolerance)
    except ReplayMismatch as error:  # it passed in the kernel
        error.remedy = _stayed(model)
        raise
    except ValueError as error:
        _ask_for_files(model, done.stderr)
        raise ServiceFailed(
            _("The saved model does not load in a clean process.") + "\n" + done.stderr[-2000:],
            where=folder,
            remedy=_("Classes and functions of the model must come from installed packages."),
        ) from error


def _stayed(model: Model) -> str:
    """What a clean process lacks of a kernel whose answers were right."""
    files = [piece.name.removesuffix(".py") for piece in model.carried if piece.kind == "module"]
    found = otherwise(name.removesuffix("/__init__").replace("/", ".") for name in files)
    if found:
        told = _(
            "In the kernel these are otherwise than in their files: {names}.", names=", ".join(found[:8])
        )
        return told + " " + _("Restart the kernel, run the cells from the top, and wrap anew.")
    return _(
        "It answers rightly in this kernel and not in a clean process. Set again in what answers: "
        "options (numpy.seterr, pandas.options), seeds, variables of a module, environment variables."
    )


def _ask_for_files(model: Model, trouble: str) -> None:
    """Raises NotCarried where the process missed a data file that the code opens."""
    left = [piece for piece in model.carried if (piece.kind, piece.how) == ("file", "left")]
    missed = re.findall(r"^FileNotFoundError: .*?'([^'\n]+)'$", trouble, re.MULTILINE)
    if left and (missed or any(piece.name in trouble for piece in left)):
        names, where = [piece.name for piece in left], left[0].place
    elif missed and not Path(missed[-1]).is_absolute() and Path(missed[-1]).is_file():
        names, where = missed[-1:], ""  # a path that the code puts together
    else:
        return
    raise NotCarried(
        _("The code opens {names}, which stayed in the notebook's folder.", names=", ".join(names)),
        where=where,
        remedy=asked(names),
    )
