"""A job is listed, followed, logged, cancelled with its tree, and outlives the process that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ekiben import jobs, listings, paths
from ekiben.errors import EkibenError, NotFound
from ekiben.jobs_view import job_html
from ekiben.records import Job
from ekiben.words import _, speaking
from rig.waiting import until


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("EKIBEN_LANG", "en")
    yield folder
    for job in jobs.jobs():
        jobs.cancel(job.id, timeout=1.0)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", "import json, os, sys, time\n" + textwrap.dedent(code)]


def test_a_job_from_start_to_done(runtime: Path) -> None:
    job = jobs.start(
        "build",
        "iris:1",
        python("""
            print(json.dumps({"event": "step", "step": 1, "steps": 2, "message": "first"}), flush=True)
            print("plain words", flush=True)
            print("to the log only", file=sys.stderr, flush=True)
            print(json.dumps({"event": "step", "step": 2, "steps": 2, "message": "盒子"}), flush=True)
            print(json.dumps({"event": "done", "result": {"reference": "iris:1"}}), flush=True)
        """),
    )
    assert job.state == "running"
    assert paths.process_birth(job.pid) == pytest.approx(job.birth, abs=0.1)
    events = list(jobs.follow(job.id))
    assert [event["event"] for event in events] == ["step", "log", "step", "done"]
    assert events[1]["line"] == "plain words"
    until(lambda: jobs.find(job.id).state == "done")
    ended = jobs.find(job.id)
    assert (ended.verb, ended.subject, ended.step, ended.steps) == ("build", "iris:1", 2, 2)
    assert ended.message == "盒子"
    assert ended.result == {"reference": "iris:1"}
    assert ended.started < ended.ended
    text = jobs.log(job.id)
    assert "[1/2] first" in text
    assert "to the log only" in text
    assert jobs.log(job.id, tail=1) == text.splitlines()[-1]
    assert [entry.id for entry in jobs.jobs()] == [job.id]
    assert list(jobs.follow(job.id)) == events
    jobs.forget(job.id)
    assert jobs.jobs() == ()
    assert list(runtime.iterdir()) == []


def test_layers_that_are_done_are_listed(runtime: Path) -> None:
    job = jobs.start(
        "build",
        "iris:1",
        python("""
            done = {"event": "layer", "name": "Python packages", "bytes": 61_000_000, "seconds": 12.3, "how": "made"}
            print(json.dumps(done), flush=True)
            print(json.dumps({"event": "step", "step": 1, "steps": 2, "message": "next"}), flush=True)
            time.sleep(600)
        """),
    )
    until(lambda: jobs.find(job.id).step == 1)
    (layer,) = jobs.find(job.id).layers
    assert (layer.name, layer.bytes, layer.seconds, layer.how) == (
        "Python packages",
        61_000_000,
        12.3,
        "made",
    )
    assert "Python packages · 61.0 MB · 12.3 s · made" in job_html(jobs.find(job.id))
    assert "Python packages: 61000000 bytes" in jobs.log(job.id)
    jobs.cancel(job.id)


def test_an_error_event_becomes_the_record(runtime: Path) -> None:
    told = {"event": "error", "error": "no base", "type": "BuildFailed", "where": "podman", "remedy": "pull"}
    job = jobs.start("build", "x", python(f"print(json.dumps({told!r})); sys.exit(1)"))
    assert list(jobs.follow(job.id)) == [told]
    until(lambda: jobs.find(job.id).state == "failed")
    assert (jobs.find(job.id).error, jobs.find(job.id).remedy) == ("no base", "pull")


def test_a_death_without_a_word_is_a_failure(runtime: Path) -> None:
    job = jobs.start("build", "x", python("print('half', flush=True); os._exit(7)"))
    *_, last = jobs.follow(job.id)
    assert last["event"] == "error"
    assert "7" in last["error"]
    until(lambda: jobs.find(job.id).state == "failed")


def test_a_command_that_is_not_there(runtime: Path) -> None:
    job = jobs.start("build", "x", ["/no/such/program"])
    *_, last = jobs.follow(job.id)
    assert last["where"] == "/no/such/program"
    until(lambda: jobs.find(job.id).state == "failed")


LONG = """
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(json.dumps({"event": "step", "step": 1, "steps": 9, "message": str(child.pid)}), flush=True)
    time.sleep(600)
"""


def running(code: str = LONG) -> tuple[Job, int]:
    """A job that is at work, and the pid of a grandchild."""
    job = jobs.start("build", "slow", python(code))
    until(lambda: jobs.find(job.id).message)
    return jobs.find(job.id), int(jobs.find(job.id).message)


def test_what_a_job_told_is_read_in_the_language_of_its_reader(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from ekiben import jobs; from ekiben.errors import BuildFailed; from ekiben.words import _;"
        "jobs.emit('step', step=1, steps=2, message=_('starting the service · {seconds} s', seconds=3));"
        "jobs.emit('error', **BuildFailed(_('The build was cancelled.'), remedy=_('Read its log.')).to_json())"
    )
    monkeypatch.setenv("EKIBEN_LANG", "en")
    job = jobs.start("build", "iris:1", [sys.executable, "-c", code])
    assert list(jobs.follow(job.id))[-1]["event"] == "error"
    until(lambda: jobs.find(job.id).state == "failed")
    for language in ("en", "zh_CN"):
        with speaking(language):
            found = jobs.find(job.id)
            assert found in jobs.jobs()
            assert found.message == _("starting the service · {seconds} s", seconds=3)
            assert (found.error, found.remedy) == (_("The build was cancelled."), _("Read its log."))
    assert found.error != "The build was cancelled." and "3" in found.message


def test_cancel_takes_the_tree(runtime: Path) -> None:
    job, grandchild = running()
    ended = jobs.cancel(job.id)
    assert ended.state == "cancelled"
    assert ended.ended
    assert not paths.alive(job.pid, job.birth)
    assert not paths.alive(grandchild, None)
    assert list(jobs.follow(job.id))[-1]["type"] == "Cancelled"
    assert jobs.cancel(job.id) == ended


def test_a_cancelled_child_may_tidy_up(runtime: Path, tmp_path: Path) -> None:
    note = tmp_path / "tidied"
    job, _grandchild = running(f"""
        import signal
        def tidy(*_):
            time.sleep(0.5)
            open({str(note)!r}, "w").close()
            sys.exit(0)
        signal.signal(signal.SIGTERM, tidy)
        print(json.dumps({{"event": "step", "step": 1, "steps": 9, "message": str(os.getpid())}}), flush=True)
        time.sleep(600)
    """)
    assert jobs.cancel(job.id).state == "cancelled"
    assert note.exists()


def test_a_deaf_child_is_killed(runtime: Path) -> None:
    job, child = running("""
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(json.dumps({"event": "step", "step": 1, "steps": 9, "message": str(os.getpid())}), flush=True)
        time.sleep(600)
    """)
    assert jobs.cancel(job.id, timeout=0.5).state == "cancelled"
    assert not paths.alive(child, None)


def test_it_outlives_the_process_that_started_it(runtime: Path, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    code = f"""
        from ekiben import jobs
        job = jobs.start("build", "x", [sys.executable, "-c", '''if True:
            import json, os, time
            parent = os.getppid()
            while not os.path.exists({str(go_on)!r}):
                time.sleep(0.05)
            print(json.dumps(dict(event="done", result=dict(parent=os.getppid() == parent))))
        '''])
        print(job.id, flush=True)
        os.kill(os.getpid(), 9)
    """
    starter = subprocess.run(python(code), capture_output=True, text=True, check=False)
    assert starter.returncode == -signal.SIGKILL
    identity = starter.stdout.strip()
    assert jobs.find(identity).state == "running"
    go_on.touch()
    assert list(jobs.follow(identity))[-1] == {"event": "done", "result": {"parent": True}}
    until(lambda: jobs.find(identity).state == "done")


def test_a_killed_supervisor_is_told_and_its_children_end(runtime: Path) -> None:
    job, grandchild = running()
    os.kill(job.pid, signal.SIGKILL)
    until(lambda: not paths.alive(job.pid, job.birth))
    found = jobs.find(job.id)
    assert found.state == "failed"
    assert found.remedy
    assert list(jobs.follow(job.id))[-1]["event"] == "error"
    assert paths.alive(grandchild, None)
    jobs.forget(job.id)
    assert not paths.alive(grandchild, None)
    assert jobs.jobs() == ()


def test_what_runs_is_not_forgotten(runtime: Path) -> None:
    job, _grandchild = running()
    with pytest.raises(EkibenError, match="still runs"):
        jobs.forget(job.id)
    jobs.cancel(job.id)


@pytest.mark.parametrize("id", ["", "ffffffff", "../secret", "a/b", "*"])
def test_no_such_job(runtime: Path, id: str) -> None:
    for verb in (jobs.find, jobs.cancel, jobs.forget, jobs.log):
        with pytest.raises(NotFound):
            verb(id)


def test_strange_files_are_passed_over(runtime: Path) -> None:
    runtime.mkdir()
    (runtime / "ekiben-job-zz.json").write_text("{half")
    (runtime / "ekiben-job-yy.json").write_text(json.dumps({"format": 99}))
    (runtime / "ekiben-job-xx.json").write_text("[]")
    assert jobs.jobs() == ()


def test_a_job_as_html() -> None:
    job = Job(
        id="1",
        verb="build",
        subject="<iris>:1",
        state="running",
        step=3,
        steps=12,
        message="a & b",
        log="",
        pid=1,
        birth=0.0,
        started="",
    )
    text = job_html(job)
    assert "&lt;iris&gt;:1" in text
    assert "a &amp; b" in text
    assert 'value="2" max="12"' in text
    assert "step 3 of 12" in text
    assert "starting" in job_html(replace(job, step=0, steps=0))
    assert "✓ done" in job_html(replace(job, state="done"))
    failed = job_html(replace(job, state="failed", error="no <base>", remedy="pull it"))
    assert "no &lt;base&gt;" in failed
    assert "pull it" in failed
    assert "<progress" not in failed
    assert "<script" not in text + failed


def test_a_long_error_does_not_widen_the_listing() -> None:
    told = Job(
        id="0a1b2c3d",
        verb="build",
        subject="iris:1",
        state="failed",
        step=3,
        steps=40,
        message="",
        log="",
        pid=1,
        birth=0.0,
        started="2026-01-01T00:00:00.000+00:00",
        error="It failed: " + "原因 " * 80 + "\nand more",
    )
    listing = listings.jobs([told])
    assert max(map(len, listing.text().splitlines())) < 160 and "It failed: 原因" in listing.text()
    assert "and more" in listing.json()  # which leaves nothing out
