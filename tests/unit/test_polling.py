"""Staying awake between requests: by a clock in the test's own hand, and by one live service."""

from __future__ import annotations

import json
import socket
import time
from itertools import pairwise
from types import SimpleNamespace
from urllib.request import urlopen

import httpx
import psutil
import pytest
from ekiben.runtime.polling import BOUND, COMPANY, KEPT, OFTEN, Polling, polling, spare
from ekiben.runtime.settings import Settings
from models import diabetes
from rig.boxes import kept
from test_http2 import served
from test_lane import request

#: Seconds that a turn of the event loop takes, and how long a client needs where its processor is its own.
TURN, QUICK = 1e-6, 40e-6
#: Waking the service's processor takes this long.
WAKE = 50e-6


class Scene:
    """A service with connections: ``ask`` answers on one, and brings its next request.

    Time passes as callbacks run; the loop sleeps where it has none.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[tuple] = []
        self.polling = Polling(lambda: self.now)
        self.one, self.other = (SimpleNamespace(loop=self) for _n in range(2))
        #: Answers after which the loop was to turn.
        self.polled = 0

    def call_soon(self, act, *arguments) -> None:
        self.ready.append((act, arguments))

    def turn(self) -> None:
        ready, self.ready = self.ready, []
        for act, arguments in ready:
            act(*arguments)
        self.now += TURN

    def ask(self, connection=None, awake: float = QUICK, asleep: float = QUICK + WAKE) -> None:
        """The request comes ``awake`` seconds after the answer where the loop turns till then, else ``asleep``."""
        connection = connection or self.one
        self.polling.came(connection)
        self.polling.answered(connection)
        begin = self.now
        self.polled += self.polling.until > 0
        while self.ready and self.now < begin + awake:
            self.turn()
        if not self.ready:
            self.now = begin + asleep
        self.polling.came(connection)
        self.now += 20e-6

    def asked(self, count: int, *arguments, **gaps) -> int:
        """After how many of ``count`` answers the loop turned."""
        before = self.polled
        for _turn in range(count):
            self.ask(*arguments, **gaps)
        return self.polled - before


def test_where_the_processor_must_be_woken_one_stays_awake():
    scene = Scene()
    assert scene.asked(COMPANY + KEPT) == 0
    assert scene.asked(10 * OFTEN) == 10 * OFTEN - 10
    assert scene.polling.gaps == pytest.approx([QUICK + WAKE, QUICK], abs=2 * TURN)
    assert scene.polling.seconds == pytest.approx((10 * OFTEN - 10) * QUICK, rel=0.1)


@pytest.mark.parametrize(
    "gaps",
    [
        {"awake": BOUND + QUICK, "asleep": QUICK},  # the client cannot go on while we turn
        {"awake": QUICK, "asleep": QUICK},  # nothing was gained
        {"awake": BOUND + WAKE, "asleep": BOUND + WAKE},  # it needs longer than one polls
    ],
)
def test_where_that_is_in_vain_it_ends_at_once_and_is_tried_ever_more_rarely(gaps):
    scene = Scene()
    assert scene.asked(200, **gaps) <= 2
    scene.asked(4000, **gaps)
    assert scene.asked(10_000, **gaps) <= 10


def test_a_client_that_pauses_gets_none():
    scene = Scene()
    assert scene.asked(1000, awake=0.01, asleep=0.01) == 0
    assert scene.polling.seconds == 0


def test_one_that_begins_to_pause_loses_it_at_once():
    scene = Scene()
    scene.asked(1000)
    before = scene.polling.seconds
    assert scene.asked(1000, awake=0.01, asleep=0.01) <= 3
    assert scene.polling.seconds - before <= 3 * (BOUND + TURN)


def test_with_company_there_is_none_and_alone_again_there_is():
    scene = Scene()
    assert scene.asked(1000) > 900
    for _turn in range(3):
        scene.ask(scene.other)
        scene.ask()
    for _turn in range(500):
        assert scene.asked(1, scene.other) == 0
        assert scene.asked(COMPANY - 1) == 0
    assert scene.asked(1000) > 900


def test_a_client_that_moves_away_from_our_processor_gets_it_back():
    scene = Scene()
    scene.asked(3000, awake=BOUND + QUICK, asleep=QUICK)
    scene.asked(2500)
    assert scene.asked(10 * OFTEN) == 10 * OFTEN - 10


def test_the_loop_sleeps_again_soon_after_the_last_answer():
    scene = Scene()
    scene.asked(100)
    scene.polling.answered(scene.one)
    begin, turns = scene.now, 0
    while scene.ready:
        assert len(scene.ready) == 1
        scene.turn()
        turns += 1
    assert turns > 1 and scene.now - begin <= BOUND + 2 * TURN


def test_an_answer_while_it_turns_adds_no_second_chain():
    scene = Scene()
    scene.asked(100)
    for _turn in range(50):
        scene.polling.answered(scene.one)
        scene.polling.came(scene.one)
    assert len(scene.ready) <= 1
    scene.turn()
    assert not scene.ready


def test_a_container_with_one_processor_does_without(tmp_path, monkeypatch):
    def limited(name: str, **files: str) -> float:
        folder = tmp_path / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)
        return spare((folder,))

    assert limited("half", cpu__max="50000 100000\n") == 0.5
    assert limited("all", cpu__max="max 100000\n") == float("inf")
    assert limited("old", cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n") == 3
    assert limited("free", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n") == float("inf")
    assert limited("none") == float("inf")
    monkeypatch.setattr("ekiben.runtime.polling.spare", lambda: 2.0)
    assert polling(True, 1) and not polling(True, 2) and not polling(False, 1)
    assert Settings.read({}).poll and not Settings.read({"EKIBEN_POLL": "0"}).poll


class Heard:
    """Stands for ``Polling``: what it was told of, by the connection's class."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def answered(self, connection) -> None:
        assert connection.waiting
        self.told.append(("answered", type(connection).__name__))

    def came(self, connection) -> None:
        self.told.append(("came", type(connection).__name__))


@pytest.mark.parametrize("second", [False, True])
def test_both_versions_of_http_tell_of_requests_and_answers(monkeypatch, second):
    heard = Heard()
    monkeypatch.setattr("ekiben.runtime.http2.Door.polling", heard)
    with served() as (url, _server), httpx.Client(http1=not second, http2=second, timeout=30) as client:
        for _turn in range(3):
            assert client.post(url, content=b"x").content == b"x"
    kind = "Http2" if second else "Door"
    told = [what for what, whose in heard.told if whose == kind]
    assert told[0] == "came" and told.count("answered") == 3
    assert ("answered", "answered") not in pairwise(told)


def spent(server) -> float:
    with urlopen(f"{server.url}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("ekiben_polling_seconds_total "))


@pytest.mark.slow
def test_a_service_sleeps_where_clients_pause_or_are_gone():
    model, X = diabetes()
    with kept(model, X, "awake").serve() as server:
        host, port = server.url.removeprefix("http://").split(":")
        sent = request(json.dumps({"rows": list(server.contract.golden.rows[:1])}).encode())
        with socket.create_connection((host, int(port)), timeout=60) as client:
            for _turn in range(4 * (COMPANY + KEPT)):
                client.sendall(sent)
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
                time.sleep(0.05)  # longer than a busy machine keeps the service from looking at its clock
            assert spent(server) == 0, "a client that pauses was polled for"
            polls, deadline = polling(True, 1) is not None, time.monotonic() + 120
            while not spent(server) and polls:
                assert time.monotonic() < deadline, "a client that asks on and on was never polled for"
                for _turn in range(200):
                    client.sendall(sent)
                    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        process = psutil.Process(server.record.pid)
        before, used = spent(server), sum(process.cpu_times()[:2])
        time.sleep(2)
        assert sum(process.cpu_times()[:2]) - used < 1, "it is busy with nothing"
        assert spent(server) == before
        assert (before > 0) is polls
