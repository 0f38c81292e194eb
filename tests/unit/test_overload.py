"""What a service does when too much is asked of it, when it is stopped while busy, and over time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path
from urllib.request import urlopen

import ekiben
import pytest
from ekiben import service
from ekiben.http import post_rows
from rig.load import Load, Loader, under_load
from rig.waiting import until


def unhurried(rows):
    """Takes 10 ms a row, and as many seconds more as the row says."""
    import time

    time.sleep(sum(0.01 + row["seconds"] for row in rows))
    return [row["seconds"] for row in rows]


@pytest.fixture(scope="module")
def box():
    sample = [{"seconds": 0.0}, {"seconds": 0.001}, {"seconds": 0.0}]
    return ekiben.wrap(unhurried, sample, name="unhurried", outside="accept")


BODY = b'{"rows": [{"seconds": 0.0}]}'


@pytest.mark.slow
def test_five_times_what_it_can_do_is_shed_and_it_recovers_within_seconds(box, monkeypatch):
    monkeypatch.setenv("EKIBEN_WAITING", "0.3")
    with box.serve() as server:

        async def scene() -> tuple[Load, Load]:
            # One request takes 10 ms, so that 30 fill the queue: five times as many ask at once.
            over = await under_load(Loader(server.url, BODY, 150, pause=0.01), 4)
            await asyncio.sleep(3)
            calm = await under_load(Loader(server.url, BODY, 1), 2)
            return over, calm

        over, calm = asyncio.run(scene())
        assert set(over.statuses) == {200, 503} and over.broken == 0
        assert over.statuses[503] > 100 and over.statuses[200] > 20
        assert all(1 <= int(seconds) < 60 for seconds in over.retry_after)
        # Nobody who was let in was forgotten, with much room for a busy machine.
        assert over.percentile(0.5) < 10
        assert set(calm.statuses) == {200} and calm.broken == 0
        until(lambda: server.watch()["now"]["in_flight"] == 0)  # the last was broken off by its client
        assert server.watch()["shed"] >= over.statuses[503]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new(box, monkeypatch):
    monkeypatch.setenv("EKIBEN_DRAIN", "60")
    server = box.serve()
    answers: list[dict] = []
    asking = threading.Thread(
        target=lambda: answers.append(post_rows(server.url, [{"seconds": 6.0}], timeout=120))
    )
    asking.start()
    until(lambda: server.watch()["now"]["in_flight"], every=0.01)
    os.kill(server.record.pid, signal.SIGTERM)

    def refuses() -> bool:
        try:
            with urlopen(f"{server.url}/readyz", timeout=60):
                return False
        except OSError:
            return True

    until(refuses)
    assert not answers, "it listened until it had answered"
    asking.join()
    assert answers and answers[0]["predictions"] == [6.0]
    until(lambda: not service.paths.alive(server.record.pid, server.record.birth))
    assert server.record.id not in [record.id for record in service.servers()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
def test_a_call_that_hangs_does_not_keep_a_stop(box, monkeypatch):
    monkeypatch.setenv("EKIBEN_DRAIN", "1")
    server = box.serve()
    asking = threading.Thread(target=_broken, args=(server.url,))
    asking.start()
    until(lambda: server.watch()["now"]["in_flight"], every=0.01)
    os.kill(server.record.pid, signal.SIGTERM)
    until(lambda: not service.paths.alive(server.record.pid, server.record.birth), 200)
    asking.join()


def _broken(url: str) -> None:
    try:
        post_rows(url, [{"seconds": 600.0}], timeout=900)
    except ekiben.EkibenError:
        return


@pytest.mark.slow
def test_a_short_soak_has_no_error_and_flat_memory(repository: Path):
    """The ten-minute soak of ``make bench``, for 20 seconds."""
    import subprocess

    command = [
        sys.executable,
        str(repository / "tests" / "benchmarks" / "soak.py"),
        "--seconds",
        "20",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["errors"] == 0 and told["requests"] > 200
    assert told["growth_mb"] < 30
