"""Several workers behind one socket: one killed under load, all stopped while busy, the watcher killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import ekiben
import psutil
import pytest
from ekiben import service
from ekiben.errors import ServiceFailed
from ekiben.project import render, write
from models import diabetes
from rig.load import Loader
from rig.waiting import until

WORKERS = 2


@pytest.fixture(scope="module")
def box():
    model, X = diabetes()
    return ekiben.wrap(model, X, name="workers")


@pytest.fixture
def server(box, monkeypatch):
    monkeypatch.setenv("EKIBEN_WORKERS", str(WORKERS))
    with box.serve() as started:
        until(lambda: figure(started, "ekiben_workers") == WORKERS)
        yield started


def body(box) -> bytes:
    return json.dumps({"rows": box.contract.golden.to_json()["rows"][:1]}).encode()


def children(server) -> list[psutil.Process]:
    return psutil.Process(server.record.pid).children()


def figure(server, name: str) -> float:
    """A gauge or the sum of a counter on the page of metrics."""
    with urlopen(f"{server.url}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    return sum(float(n) for n in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", page, re.MULTILINE))


async def settled(server) -> int:
    """The requests that all workers counted, once each has told: a worker tells the others each second, so
    a figure may lack what came last. The start's own question is one of them."""
    before = -1
    while before != (before := int(figure(server, "ekiben_requests_total"))):
        await asyncio.sleep(3.5)
    return before


@pytest.mark.slow
def test_a_worker_killed_under_load_loses_its_requests_in_flight_and_comes_back(box, server):
    connections = 8

    async def scene() -> None:
        loader = Loader(server.url, body(box), connections)
        async with loader as load:
            await asyncio.to_thread(until, lambda: load.statuses[200] > 100)
            victim = children(server)[0]
            victim.send_signal(signal.SIGKILL)

            def replaced() -> bool:
                now = children(server)
                return len(now) == WORKERS and victim not in now

            await asyncio.to_thread(until, replaced)
            before = load.statuses[200]
            await asyncio.to_thread(until, lambda: load.statuses[200] > before + 100)
        assert set(load.statuses) == {200}
        assert load.broken <= connections

    asyncio.run(scene())
    until(lambda: figure(server, "ekiben_workers") == WORKERS)
    assert server.replay().passed


@pytest.mark.slow
def test_one_page_tells_what_all_workers_counted_and_a_stop_finishes_what_is_in_flight(box, server):
    async def scene() -> tuple[int, int, int]:
        loader = Loader(server.url, body(box), 16)
        asked = await settled(server)
        async with loader as load:
            await asyncio.sleep(1.5)
        counted = sum(load.statuses.values())
        unheard = loader.connections + load.broken
        told = await settled(server) - asked
        async with loader:
            await asyncio.sleep(0.5)
            before = load.broken
            os.kill(server.record.pid, signal.SIGTERM)
            while psutil.pid_exists(server.record.pid) and load.broken == before:
                await asyncio.sleep(0.02)
        assert set(load.statuses) == {200}
        return counted, told, unheard

    counted, told, unheard = asyncio.run(scene())
    # A request that the client broke off was answered too.
    assert counted <= told <= counted + unheard
    leader = server.record
    until(lambda: not service.paths.alive(leader.pid, leader.birth))
    assert leader.id not in [record.id for record in service.servers()]


@pytest.mark.slow
def test_no_worker_outlives_the_one_who_watches(server):
    workers = children(server)
    os.kill(server.record.pid, signal.SIGKILL)
    until(lambda: not any(process.is_running() for process in workers))


@pytest.mark.slow
def test_a_start_that_fails_is_told_once_and_not_tried_for_ever(box, tmp_path, monkeypatch):
    monkeypatch.setenv("EKIBEN_WORKERS", str(WORKERS))
    project = render(box.model)
    files = {**project.files, "service.py": project.files["service.py"] + "\nraise RuntimeError('no')\n"}
    with pytest.raises(ServiceFailed, match="RuntimeError"):
        service.start(write(replace(project, files=files), tmp_path / "broken"), box.model)
    (record,) = [one for one in service.servers() if one.project == str(tmp_path / "broken")]
    assert Path(record.log).read_text(encoding="utf-8").count("RuntimeError: no\n") == 1
    service.forget(record.id)
