"""Server processes: started on a core of their own, known by a mark, ended with all their children."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

#: In the environment of everything that is started here. Servers put workers into sessions of their own
#: and let them be adopted, so that neither the group nor the parent tells whose they are; this does.
MARK = "EKIBEN_BENCH_SERVER"
CORES = {"server": 0, "load": 1}


def can_pin() -> bool:
    """Whether server and load can have a core each."""
    return shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1


def pinned(command: Sequence[str], role: str) -> list[str]:
    """The command on the core of its role, where that is possible."""
    return [*(["taskset", "-c", str(CORES[role])] if can_pin() else []), *command]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Process:
    """A server as a tree of processes. As a context manager it ends with the block, however that ends."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, *, pin: bool = True
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.log = log
        self.began = time.perf_counter()
        with log.open("wb") as output:
            self.child = subprocess.Popen(
                pinned(command, "server") if pin else list(command),
                cwd=cwd,
                env={**os.environ, **env, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def tree(self) -> list[psutil.Process]:
        """All that carries the mark, and whatever descends from it."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                if process.pid == self.child.pid or process.environ().get(MARK) == self.mark:
                    for one in (process, *process.children(recursive=True)):
                        found[one.pid] = one
            except psutil.Error:  # it ended meanwhile, or is somebody else's
                continue
        return list(found.values())

    def megabytes(self) -> float:
        """Resident memory of the tree; a page that several processes share counts once, where Linux tells."""
        total = 0
        for process in self.tree():
            try:
                told = process.memory_full_info()
                total += getattr(told, "pss", 0) or told.rss
            except psutil.Error:
                continue
        return total / 1e6

    def strays(self) -> int:
        """Threads that took themselves off the server's core, as some libraries do; 0 where nothing is pinned."""
        if not can_pin():
            return 0
        found = 0
        for process in self.tree():
            for thread in Path(f"/proc/{process.pid}/task").glob("*"):
                try:
                    found += os.sched_getaffinity(int(thread.name)) != {CORES["server"]}
                except OSError:  # it ended
                    continue
        return found

    def processes(self) -> int:
        return len(self.tree())

    @property
    def ended(self) -> bool:
        return self.child.poll() is not None

    def tail(self, lines: int = 12) -> str:
        """The end of what it printed."""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(line[:300] for line in said[-lines:])

    def stop(self, patience: float = 8.0) -> None:
        """Asks it to end, then ends whatever is left of it."""
        tree = self.tree()
        if not self.ended:
            self.child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(_lives(process) for process in tree):
            self.child.poll()
            time.sleep(0.05)
        for _ in range(20):  # what is killed may have started another just before
            left = [process for process in self.tree() if _lives(process)]
            if not left:
                break
            for process in left:
                try:
                    process.kill()
                except psutil.Error:
                    continue
            psutil.wait_procs(left, timeout=2)
        self.child.wait(timeout=10)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
