"""Where state lives on disk, and the processes that the state speaks of.

State lies in the ecosystem's own places: running things in Jupyter's runtime directory, kept
things beside the models in the BentoML home. Jupyter's rules are followed here without importing
Jupyter, so that a kernel, the Jupyter server and the command line look into the same folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

#: Two readings of one process's start time differ by less (seconds); the kernel counts in 1/100 s.
_SAME_BIRTH = 1.0


def _switched_on(name: str) -> bool:
    value = os.environ.get(name)
    return value is not None and value.lower() not in {"no", "n", "false", "off", "0", "0.0"}


def _platform_data_dir() -> Path:
    """The data folder of a person who set ``JUPYTER_PLATFORM_DIRS``."""
    xdg = os.environ.get("XDG_DATA_HOME", "").strip()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "Jupyter"
    if sys.platform == "darwin":
        name = "jupyter" if sys.prefix.startswith("/opt/homebrew") else "Jupyter"
        return (Path(xdg) if xdg else Path.home() / "Library" / "Application Support") / name
    return (Path(xdg) if xdg else Path.home() / ".local" / "share") / "jupyter"


def _data_dir() -> Path:
    chosen = os.environ.get("JUPYTER_DATA_DIR")
    if chosen:
        return Path(chosen)
    if _switched_on("JUPYTER_PLATFORM_DIRS"):
        return _platform_data_dir()
    home = Path("~").expanduser().resolve()
    if sys.platform == "darwin":
        return home / "Library" / "Jupyter"
    if sys.platform == "win32":
        appdata = os.environ.get("APPDATA")
        if appdata:
            return Path(appdata, "jupyter").resolve()
        return Path(os.environ.get("JUPYTER_CONFIG_DIR") or home / ".jupyter") / "data"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def runtime_dir() -> Path:
    """Jupyter's runtime directory, where running services and jobs keep one file each.

    It is the folder that ``jupyter --runtime-dir`` prints. It may not exist yet.
    """
    chosen = os.environ.get("JUPYTER_RUNTIME_DIR")
    return Path(chosen) if chosen else _data_dir() / "runtime"


def home() -> Path:
    """Ekiben's folder in the BentoML home (``BENTOML_HOME``, else ``~/bentoml``)."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml") / "ekiben"


def write_atomic(path: Path, text: str) -> None:
    """Writes ``text`` so that a reader sees the old file or the new one, never a part.

    Makes the folder; the file is readable by its owner alone, since logs and URLs may be private.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        _replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def copy_atomic(source: Path, target: Path) -> None:
    """Copies a file so that a reader sees the old one or the new one, never a part; makes the folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    try:
        shutil.copyfile(source, name)
        _replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def private(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: the file that it makes is its owner's alone."""
    return os.open(path, flags, 0o600)


def _replace(source: str, target: Path) -> None:
    """``os.replace``; on Windows a reader that has the target open makes it fail for a moment."""
    for _attempt in range(20):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32":
                raise
            time.sleep(0.05)
    os.replace(source, target)


def process_birth(pid: int) -> float | None:
    """When the process started, in seconds since the epoch; None when there is no such process."""
    process = _process(pid)
    return process.create_time() if process else None


def alive(pid: int, birth: float | None) -> bool:
    """Whether this very process still runs; another one that got its pid is told by its birth."""
    return _same(pid, birth) is not None


def stop_tree(pid: int, birth: float | None, timeout: float = 10.0) -> None:
    """Ends a process with all its descendants and the rest of its session, if it leads one.

    The process is asked first, so that it can tidy up and take its children along; what is left
    when it is gone is asked too, and what is left after ``timeout`` seconds is killed. Nothing
    happens when the pid belongs to another process by now.
    """
    deadline = time.monotonic() + timeout
    leader = _same(pid, birth)
    if leader is None and _process(pid) is not None:
        return
    known = _family(pid, leader)
    if leader is not None:
        known.add(leader)
        _ask([leader])
        psutil.wait_procs([leader], timeout=timeout)
    _end(known, lambda: _family(pid, leader), max(0.5, deadline - time.monotonic()))


def stop_others(timeout: float = 1.0) -> None:
    """Ends the descendants of this process, and the rest of its session where it leads one."""
    this = psutil.Process()
    _end(set(), lambda: _family(this.pid, this), timeout)


def _end(known: set[psutil.Process], find: Callable[[], set[psutil.Process]], timeout: float) -> None:
    """Asks those that are known or found, and kills until none is left."""
    # A descendant may have been born since the first look.
    known = known | find()
    _ask(list(known))
    psutil.wait_procs(list(known), timeout=timeout)
    while True:
        left = [process for process in known | find() if _lives(process)]
        if not left:
            return
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=2.0)
        known = set(left)


def _process(pid: int) -> psutil.Process | None:
    """The process, unless it is gone or only its exit status is left."""
    try:
        process = psutil.Process(pid)
        return process if _lives(process) else None
    except psutil.NoSuchProcess:
        return None


def _same(pid: int, birth: float | None) -> psutil.Process | None:
    process = _process(pid)
    if process is None or birth is None:
        return process
    return process if abs(process.create_time() - birth) < _SAME_BIRTH else None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _family(pid: int, leader: psutil.Process | None) -> set[psutil.Process]:
    """The descendants, and the members of the session that ``pid`` led.

    A session's number is not given to a new process while a member lives, so the members are found
    even when the leader is dead and they were adopted.
    """
    found: set[psutil.Process] = set()
    if leader is not None:
        try:
            found.update(leader.children(recursive=True))
        except psutil.NoSuchProcess:
            found.clear()
    if sys.platform != "win32":
        for process in psutil.process_iter():
            try:
                if process.pid != pid and os.getsid(process.pid) == pid:
                    found.add(process)
            except (ProcessLookupError, PermissionError):
                continue
    return found


def _ask(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue


def memory(pid: int) -> int:
    """Resident bytes of a process and all its children; 0 where it is gone."""
    total = 0
    try:
        process = psutil.Process(pid)
        for entry in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += entry.memory_info().rss
    except psutil.Error:
        pass
    return total
