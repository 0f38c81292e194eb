"""What a stop promises to a connection in the lane, with the clock in the test's own hand.

The event loop's timers stand on a list here, and the transport is a list of what was written: what is pinned
is the order of things, which no wait could show.
"""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from ekiben.runtime.engine import Engine
from ekiben.runtime.journal import Journal
from ekiben.runtime.lane import LAST, lane
from ekiben.runtime.settings import Settings
from models import diabetes
from rig.boxes import kept
from test_lane import request
from uvicorn.config import Config
from uvicorn.server import ServerState


class Transport:
    """What a connection is asked of its transport; ``written`` is what the client would get."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default=None):
        return default

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Clock:
    """An event loop whose timers go when the test says so; all else is the running loop's."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.timers: list[tuple[float, object, tuple]] = []

    def call_later(self, seconds: float, act, *arguments):
        self.timers.append((seconds, act, arguments))
        return SimpleNamespace(cancel=lambda: None)

    def go(self, seconds: float) -> None:
        """Whatever was to happen after ``seconds``."""
        due = [timer for timer in self.timers if timer[0] == seconds]
        self.timers = [timer for timer in self.timers if timer[0] != seconds]
        for _seconds, act, arguments in due:
            act(*arguments)

    def __getattr__(self, name: str):
        return getattr(self.loop, name)


@pytest.fixture(scope="module")
def box():
    model, X = diabetes()
    return kept(model, X, "stopping")


async def connected(box):
    """A connection in the lane that was answered once, its clock and its transport."""
    engine = Engine(box.predictor)
    engine.start()
    gate = SimpleNamespace(engine=engine, settings=Settings(), journal=Journal("quiet"), edited=False)

    async def nobody(scope, receive, send) -> None:
        raise AssertionError("nothing leaves the lane here")

    config = Config(nobody, log_config=None)
    config.load()
    state = ServerState()
    clock, transport = Clock(), Transport()
    made = lane(gate)(config=config, server_state=state, app_state={}, _loop=clock)
    made.connection_made(transport)
    made.data_received(good(box))
    await answered(transport)
    assert b"connection: close" not in transport.written
    transport.written = b""
    return made, clock, transport


async def answered(transport: Transport) -> None:
    """At once, or, on a machine that is slow just now, through the queue."""
    for _look in range(6000):
        if transport.written:
            break
        await asyncio.sleep(0.01)
    assert transport.written.startswith(b"HTTP/1.1 200 ")


def good(box) -> bytes:
    return request(json.dumps({"rows": list(box.contract.golden.rows[:1])}).encode())


def stopped(scene) -> None:
    """Runs ``scene`` with a connection, and ends its engine."""

    async def run() -> None:
        made, clock, transport = await connected(scene.__self__.box)
        try:
            await scene(made, clock, transport)
        finally:
            made.gate.engine.close()

    asyncio.run(run())


class Scenes:
    """What may happen around a stop."""

    def __init__(self, box) -> None:
        self.box = box

    async def silent(self, made, clock, transport) -> None:
        """Nothing comes: it is closed after the grace, and not before."""
        made.shutdown()
        assert not transport.closed
        clock.go(LAST)
        assert transport.closed and transport.written == b""

    async def late(self, made, clock, transport) -> None:
        """What was sent before the client could know is answered, and told that this was the last."""
        made.shutdown()
        made.data_received(good(self.box))
        await answered(transport)
        assert b"connection: close" in transport.written
        assert transport.closed
        clock.go(LAST)

    async def halfway(self, made, clock, transport) -> None:
        """A request whose first half had come in the grace is waited for, however long the rest takes."""
        made.shutdown()
        sent = good(self.box)
        made.data_received(sent[:-5])
        clock.go(LAST)
        assert not transport.closed
        made.data_received(sent[-5:])
        await answered(transport)
        assert transport.closed

    async def begun(self, made, clock, transport) -> None:
        """So is one whose first half had come before the stop."""
        sent = good(self.box)
        made.data_received(sent[:-5])
        made.shutdown()
        clock.go(LAST)
        assert not transport.closed
        made.data_received(sent[-5:])
        await answered(transport)
        assert b"connection: close" in transport.written
        assert transport.closed

    async def under_way(self, made, clock, transport) -> None:
        """An answer that is being made is waited for too."""
        engine = made.gate.engine
        answer = asyncio.get_running_loop().create_future()
        engine.at_once = lambda rows: None
        engine.submit = lambda rows: answer
        made.data_received(good(self.box))
        assert made.busy and transport.written == b""
        made.shutdown()
        clock.go(LAST)
        assert not transport.closed
        rows, _warnings = self.box.predictor.check(list(self.box.contract.golden.rows[:1]))
        answer.set_result(self.box.predictor.run(rows))
        await asyncio.sleep(0)
        assert transport.written.startswith(b"HTTP/1.1 200 ") and b"connection: close" in transport.written
        assert transport.closed


@pytest.mark.parametrize("scene", ["silent", "late", "halfway", "begun", "under_way"])
def test_a_stop_keeps_its_word(box, scene):
    stopped(getattr(Scenes(box), scene))
