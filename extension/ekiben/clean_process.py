"""The saved model in a clean process: nothing of the notebook is there but what was saved."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from ekiben.capture import replay_told
from ekiben.code.files import asked
from ekiben.errors import NotCarried, ServiceFailed
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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    try:
        return replay_told("process", done.returncode, done.stdout.splitlines(), model.contract.tolerance)
    except ValueError as error:
        _ask_for_files(model, done.stderr)
        raise ServiceFailed(
            _("The saved model does not load in a clean process.") + "\n" + done.stderr[-2000:],
            where=folder,
            remedy=_("Classes and functions of the model must come from installed packages."),
        ) from error


def _ask_for_files(model: Model, trouble: str) -> None:
    """Raises NotCarried where the process missed a data file that the code opens."""
    left = [piece for piece in model.carried if (piece.kind, piece.how) == ("file", "left")]
    if left and ("FileNotFoundError" in trouble or any(piece.name in trouble for piece in left)):
        raise NotCarried(
            _(
                "The code opens {names}, which stayed in the notebook's folder.",
                names=", ".join(piece.name for piece in left),
            ),
            where=left[0].place,
            remedy=asked([piece.name for piece in left]),
        )
