"""An engine at work: its lines are watched, and when it must stop, it is stopped between two steps."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import psutil

from ekiben import paths
from ekiben.shell import APART, KEPT, lines_log

#: Seconds that an engine has to end its build when it is stopped.
WIND_DOWN = 20.0


def run(
    engine: str,
    argv: Sequence[str],
    hear: Callable[[str], None],
    tick: Callable[[], None],
    *,
    note: Callable[[str], None],
    env: Mapping[str, str],
) -> tuple[int, list[str]]:
    """Runs a command that works through the program ``engine``; gives its status and its last lines.

    ``note`` and ``hear`` get every line of both outputs, ``tick`` is called twice a second meanwhile. When
    ``hear`` or ``tick`` raises, or the user interrupts, the build is wound down and everything has ended on
    return; what the engine says while it ends goes to ``note`` alone.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env},
        encoding="utf-8",
        errors="replace",
        **APART,
    )
    birth = paths.process_birth(process.pid)
    last: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()
    try:
        assert process.stdout is not None
        threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                # A helper of the engine's may hold the pipe open after the end.
                if process.poll() is not None:
                    return process.returncode, last
                tick()
                continue
            if line is None:
                return process.wait(), last
            last = [*last[1 - KEPT :], line]
            lines_log.info("%s", line)
            note(line)
            hear(line)
    except BaseException:
        _wind_down(process.pid, engine)
        paths.stop_tree(process.pid, birth, timeout=5.0)
        process.wait()
        for line in _rest(lines):
            lines_log.info("%s", line)
            note(line)
        raise


def _rest(lines: queue.Queue[str | None]) -> Iterator[str]:
    while True:
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            return
        if line is None:
            return
        yield line


def _wind_down(pid: int, engine: str) -> None:
    """Ends a build from inside: what the engine runs in a container is killed, so that the step fails.

    An engine that is itself killed while it stores a layer leaves a store that it cannot read any more
    (with Podman 4, ``podman images`` fails from then on). Failing, it removes its working containers.
    A step without a process of its own is short; the next one that has a process ends the build.
    """
    deadline = time.monotonic() + WIND_DOWN
    while time.monotonic() < deadline:
        try:
            under = psutil.Process(pid).children(recursive=True)
            engines = [process for process in under if process.name().removesuffix(".exe") == engine]
            if not engines:
                return
            for process in engines[0].children(recursive=True):
                process.kill()
        except psutil.NoSuchProcess:
            # It ended between two looks; the next look tells whether more is there.
            time.sleep(0.05)
            if not psutil.pid_exists(pid):
                return
        time.sleep(0.1)


def _pump(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in pipe:
        if line.strip():
            lines.put(line.rstrip())
    lines.put(None)
