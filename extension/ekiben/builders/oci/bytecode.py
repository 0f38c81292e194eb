"""The bytecode of what lies in an image, compiled by this machine's Python where it is of the same version."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ekiben.builders.oci.layers import Entry
from ekiben.shell import watch

_SCRIPT = Path(__file__).with_name("compile_process.py")


def entries(folder: Path, home: str) -> Iterator[Entry]:
    """The compiled files under ``folder``, which lies at ``home`` in the image."""
    for file in folder.rglob("__pycache__/*.pyc"):
        yield Entry(f"{home}/{file.relative_to(folder).as_posix()}", file)


def make(folder: Path, home: str, tick: Callable[[], None], files: Iterable[Path] | None = None) -> None:
    """Compiles ``files``, all of them unless told, so that tracebacks tell of ``home``."""
    chosen = sorted(folder.rglob("*.py") if files is None else files)
    with tempfile.TemporaryDirectory(prefix="ekiben-build-") as scratch:
        listed = Path(scratch) / "files"
        listed.write_text(
            "".join(f"{file}\t/{home}/{file.relative_to(folder).as_posix()}\n" for file in chosen),
            encoding="utf-8",
        )
        command = [sys.executable, "-s", "-S", str(_SCRIPT), str(listed)]
        watch(command, lambda line: None, tick, env={"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"})
