"""The bytecode of what lies in an image, compiled by this machine's Python where it is of the same version."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ekiben import scratch
from ekiben.builders.oci import layers
from ekiben.builders.oci.layers import Entry
from ekiben.shell import watch

_SCRIPT = Path(__file__).with_name("compile_process.py")


def entries(folder: Path, home: str) -> Iterator[Entry]:
    """The compiled files under ``folder``, which lies at ``home`` in the image."""
    for file in folder.rglob("__pycache__/*.pyc"):
        yield Entry(f"{home}/{file.relative_to(folder).as_posix()}", file)


def make(folder: Path, home: str, tick: Callable[[], None], files: Iterable[Path] | None = None) -> None:
    """Compiles ``files``, all of them unless told, so that tracebacks tell of ``home``.

    What another build has compiled of the same source is taken as it is.
    """
    wanted = sorted(folder.rglob("*.py") if files is None else files)
    kept = {file: _kept(file, f"/{home}/{file.relative_to(folder).as_posix()}") for file in wanted}
    for file, there in kept.items():
        with suppress(FileNotFoundError):
            os.utime(there)
            layers.put(there, _compiled(file))
    chosen = [file for file in wanted if not _compiled(file).is_file()]
    if chosen:
        _compile(folder, home, tick, chosen)
    for file in chosen:
        if _compiled(file).is_file():  # templates and code for other versions do not compile
            with layers.part() as part:
                layers.put(_compiled(file), part)
                kept[file].parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, kept[file])


def _kept(file: Path, told: str) -> Path:
    """Where the bytecode of a source is kept, by what it is made of."""
    source = hashlib.sha256(file.read_bytes()).hexdigest()
    return layers.folder() / "bytecode" / layers.key_of("bytecode of", told, source, sys.version)


def _compiled(file: Path) -> Path:
    return file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.pyc"


def _compile(folder: Path, home: str, tick: Callable[[], None], chosen: list[Path]) -> None:
    with scratch.folder("build") as place:
        listed = place / "files"
        listed.write_text(
            "".join(f"{file}\t/{home}/{file.relative_to(folder).as_posix()}\n" for file in chosen),
            encoding="utf-8",
        )
        command = [sys.executable, "-s", "-S", str(_SCRIPT), str(listed)]
        watch(command, lambda line: None, tick, env={"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"})
