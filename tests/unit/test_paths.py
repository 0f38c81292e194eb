"""The places are Jupyter's and BentoML's own, and a process's end takes its tree along."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ekiben import paths
from jupyter_core.paths import jupyter_runtime_dir
from rig.waiting import until

VARIABLES = (
    "JUPYTER_RUNTIME_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_PLATFORM_DIRS",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_PREFER_ENV_PATH",
    "XDG_DATA_HOME",
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"JUPYTER_RUNTIME_DIR": "/somewhere/run"},
        {"JUPYTER_RUNTIME_DIR": ""},
        {"JUPYTER_DATA_DIR": "/somewhere/data"},
        {"JUPYTER_DATA_DIR": "/somewhere/data", "JUPYTER_RUNTIME_DIR": "/somewhere/run"},
        {"JUPYTER_DATA_DIR": "/somewhere/data", "JUPYTER_PLATFORM_DIRS": "1"},
        {"XDG_DATA_HOME": "/somewhere/xdg"},
        {"XDG_DATA_HOME": ""},
        {"JUPYTER_PLATFORM_DIRS": "1"},
        {"JUPYTER_PLATFORM_DIRS": "off", "XDG_DATA_HOME": "/somewhere/xdg"},
        {"JUPYTER_PLATFORM_DIRS": "1", "XDG_DATA_HOME": "/somewhere/xdg"},
        {"JUPYTER_PREFER_ENV_PATH": "1"},
        {"JUPYTER_PREFER_ENV_PATH": "0"},
    ],
    ids=lambda settings: ",".join(f"{key}={value}" for key, value in settings.items()) or "nothing set",
)
def test_runtime_dir_is_jupyters(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert paths.runtime_dir() == Path(jupyter_runtime_dir())


def test_home_lies_in_the_bentoml_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert paths.home() == tmp_path / "ekiben"
    monkeypatch.delenv("BENTOML_HOME")
    assert paths.home() == Path.home() / "bentoml" / "ekiben"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    texts = {"a" * 200_000, "b" * 200_000}
    paths.write_atomic(path, min(texts))
    ended = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not ended.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _round in range(50):
        for text in texts:
            paths.write_atomic(path, text)
    ended.set()
    reader.join()
    assert seen <= texts
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with pytest.raises(UnicodeEncodeError):
        paths.write_atomic(path, "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_birth_tells_processes_apart() -> None:
    birth = paths.process_birth(os.getpid())
    assert birth is not None
    assert birth < time.time()
    assert paths.alive(os.getpid(), birth)
    assert not paths.alive(os.getpid(), birth - 60)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert paths.process_birth(child.pid) is None
    assert not paths.alive(child.pid, None)


TREE = """
import subprocess, sys, time, signal
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1), sys.argv[2]])
open(f"{__file__}.{depth}", "w").write(str(__import__("os").getpid()))
time.sleep(600)
"""


def grow(folder: Path, manner: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A process with a child and a grandchild, all up."""
    script = folder / "tree.py"
    script.write_text(TREE)
    root = subprocess.Popen([sys.executable, str(script), "2", manner], start_new_session=True)
    notes = [Path(f"{script}.{depth}") for depth in range(3)]
    until(lambda: all(note.exists() and note.read_text() for note in notes))
    return root, [int(note.read_text()) for note in notes]


@pytest.mark.parametrize("manner", ["polite", "deaf"])
def test_stop_tree_ends_descendants(tmp_path: Path, manner: str) -> None:
    root, pids = grow(tmp_path, manner)
    paths.stop_tree(root.pid, paths.process_birth(root.pid), timeout=1.0)
    assert not [pid for pid in pids if paths.alive(pid, None)]


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX")
def test_stop_tree_finds_orphans_of_a_dead_leader(tmp_path: Path) -> None:
    root, pids = grow(tmp_path, "polite")
    birth = paths.process_birth(root.pid)
    root.kill()
    root.wait()
    assert [pid for pid in pids if paths.alive(pid, None)]
    paths.stop_tree(root.pid, birth, timeout=2.0)
    assert not [pid for pid in pids if paths.alive(pid, None)]


def test_stop_tree_spares_a_stranger_with_the_same_pid(tmp_path: Path) -> None:
    root, pids = grow(tmp_path, "polite")
    try:
        birth = paths.process_birth(root.pid)
        assert birth is not None
        paths.stop_tree(root.pid, birth - 60, timeout=0.5)
        assert all(paths.alive(pid, None) for pid in pids)
    finally:
        paths.stop_tree(root.pid, None, timeout=2.0)
        root.wait()
