"""Commands: a quick one whose answer is wanted, and a long one whose lines are watched."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from ekiben import paths
from ekiben.errors import BuildFailed

#: What an engine prints; ``python -m ekiben.image`` sends it to its job's log.
lines_log = logging.getLogger("ekiben.build")

#: How a process is started that Ctrl-C does not reach: that is for us, and we end it in our own way. It stays in
#: the session of its job, so that it ends with that.
APART: dict[str, Any] = {}
if sys.platform == "win32":
    APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
elif sys.version_info >= (3, 11):
    APART = {"process_group": 0}
else:
    APART = {"preexec_fn": os.setpgrp}

#: Lines of a long command that are kept for an error.
KEPT = 100


def ask(argv: Sequence[str], *, timeout: float = 60.0) -> str:
    """The output of a quick command.

    Raises:
        BuildFailed: it failed, took longer than ``timeout`` seconds or is not there.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired as slow:
        raise BuildFailed(f"no answer within {timeout:g} s", where=_spoken(argv)) from slow
    except OSError as problem:
        raise BuildFailed(str(problem), where=_spoken(argv)) from problem
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BuildFailed(said[-1] if said else f"status {done.returncode}", where=_spoken(argv))
    return done.stdout


def watch(
    argv: Sequence[str],
    hear: Callable[[str], None],
    tick: Callable[[], None],
    *,
    env: Mapping[str, str],
    cwd: str | None = None,
) -> tuple[int, list[str]]:
    """Runs a long command; gives its status and its last lines.

    ``hear`` gets every line of both outputs, ``tick`` is called twice a second meanwhile. When one of
    them raises, or the user interrupts, the command and all its children are ended first.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env},
        cwd=cwd,
        encoding="utf-8",
        errors="replace",
    )
    birth = paths.process_birth(process.pid)
    last: list[str] = []
    try:
        assert process.stdout is not None
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                tick()
                continue
            if line is None:
                break
            line = line.rstrip()
            if line:
                last = [*last[1 - KEPT :], line]
                lines_log.info("%s", line)
                hear(line)
        return process.wait(), last
    finally:
        if process.poll() is None:
            paths.stop_tree(process.pid, birth, timeout=10.0)


def _pump(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _spoken(argv: Sequence[str]) -> str:
    return " ".join(str(part) for part in argv[:2])
