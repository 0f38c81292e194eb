"""What a killed process leaves is found by its mark, and removed by the next one; nobody else's is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ekiben import paths, scratch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
#: Makes a folder with a process that works in it, says where, and is killed.
_KILLED = """
import os, signal, subprocess, sys
from ekiben import paths, scratch
place = scratch.make("build")
argv = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL)
(place / "pid").write_text(f"{child.pid} {paths.process_birth(child.pid)}")
(place / "deep").mkdir()
(place / "deep" / "file").write_text("half")
print(place, child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary ones."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_a_killed_process_left_is_removed_and_what_it_started_ended(place: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    left, pid = done.stdout.split()
    birth = paths.process_birth(int(pid))
    assert birth is not None
    assert Path(left).parent == place and Path(left, "deep", "file").is_file()
    with scratch.folder("build") as ours:
        elsewhere = place / Path(left).name.replace(scratch._machine(), "00000000")
        elsewhere.mkdir()
        (place / "ekiben-build-0zvlz7l7").mkdir()
        scratch.sweep()
        assert sorted(place.iterdir()) == sorted([ours, elsewhere, place / "ekiben-build-0zvlz7l7"])
    assert not paths.alive(int(pid), birth)
    assert not ours.exists()


def test_a_mark_is_found_in_the_names_of_files_and_images(tmp_path: Path) -> None:
    mark = scratch.name()
    assert mark != scratch.name() and not scratch.orphaned(f".{mark}")
    pid, birth, rest = mark.split("-", 2)
    earlier = f"{pid}-{int(birth) - 1000}-{rest}"
    assert scratch.orphaned(f"ekiben-candidate_{earlier}-0a1b2c3d"), "another process had this pid"
    assert not scratch.orphaned("0a1b2c3d") and not scratch.orphaned("")
    for name in (mark, earlier):
        (tmp_path / name).write_text("half")
    scratch.clear(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [mark]
    assert os.getpid() == int(pid)
