"""A service forked from a warm process: the same answers, a life of its own, and no fork beside threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import ekiben
import numpy
import psutil
import pytest
from ekiben import service, template
from models import applicants
from rig.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux alone")


@pytest.fixture(scope="module")
def box():
    template.end()
    model, X = applicants()
    yield ekiben.wrap(model, X, name="warm")
    template.end()


def parent(server) -> int:
    return int(psutil.Process(server.record.pid).ppid())


def own() -> int:
    assert template._own is not None
    return template._own.process.pid


@pytest.mark.slow
def test_a_forked_service_answers_the_same_and_outlives_the_template(box):
    model, X = applicants()
    with box.serve() as server:
        assert parent(server) == own()
        assert os.getsid(server.record.pid) == server.record.pid
        found = server.predict(X).outputs["probabilities"]
        numpy.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-12, atol=1e-15)
        assert "startup complete" in server.log()
        if Path("/proc/self/environ").exists():
            environment = psutil.Process(server.record.pid).cwd()
            assert environment == box.project.folder
            shown = Path("/proc") / str(server.record.pid)  # what ps and top read
            title = f"ekiben: {box.model.name}"
            assert (shown / "comm").read_text().strip() == title[:15]
            assert (shown / "cmdline").read_bytes().rstrip(b"\0").decode() == title
        assert template.memory() > 20 << 20
        template.end()
        assert server.replay().passed
        assert parent(server) != os.getpid()
    assert not service.paths.alive(server.record.pid, server.record.birth)


@pytest.mark.slow
def test_where_a_thread_runs_nothing_is_forked(box, tmp_path, monkeypatch):
    (tmp_path / "spinner.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    template.begin()
    template.prime(box.model.tag, "warm-test", ["spinner"])
    with box.serve() as server:
        assert parent(server) == os.getpid()
        assert server.replay().passed
    template.end()


@pytest.mark.slow
def test_another_thread_setting_is_not_served_by_an_old_template(box, monkeypatch):
    template.begin()
    template.prime(box.model.tag, "warm-test", [])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with box.serve() as server:
        assert parent(server) == os.getpid()


def test_it_ends_with_its_owner_and_when_nobody_asks(monkeypatch):
    code = "import ekiben.template as t; t.begin(); print(t._own.process.pid, flush=True); input()"
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout and owner.stdin
    warm = psutil.Process(int(owner.stdout.readline()))
    assert warm.is_running()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    until(lambda: not warm.is_running() or warm.status() == psutil.STATUS_ZOMBIE)
    template.end()
    monkeypatch.setenv("EKIBEN_WARM_MINUTES", "0.01")
    template.begin()
    assert template._own
    until(lambda: template._own.process.poll() is not None)
    template.end()
    monkeypatch.setenv("EKIBEN_WARM", "0")
    template.begin()
    assert template._own is None
