"""Requests in flight together share a call of the model; each gets its own answer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import numpy
import pytest
from ekiben.runtime.batching import ALONE, LOOK, Batcher, Limits, Overloaded, TimedOut
from ekiben.runtime.cost import Cost
from ekiben.runtime.metrics import Metrics
from ekiben.runtime.predictor import dumps
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.refusal import refusal, retry
from ekiben.runtime.reply import Reply


def made(run: Any, *, cost: Cost, limits: Limits | None = None, rowwise: bool = True) -> Batcher:
    return Batcher(run, cost, Metrics("m", "1"), limits or Limits(), rowwise)


class Known(Cost):
    """A price that the quick functions of these tests do not change."""

    def learn(self, rows: int, seconds: float) -> None:
        if self.seen < 100:
            super().learn(rows, seconds)


def learned(call: float, row: float) -> Cost:
    cost = Known()
    for _turn in range(50):
        for rows in (1, 16):
            cost.learn(rows, call + row * rows)
    return cost


def test_the_price_of_a_call_and_of_a_row_are_told_apart() -> None:
    cost = learned(2e-4, 1e-6)
    assert cost.call == pytest.approx(2e-4, rel=0.01)
    assert cost.row == pytest.approx(1e-6, rel=0.01)
    assert learned(2e-4, 1e-6).pays()
    assert not learned(1e-6, 2e-4).pays()


@pytest.mark.parametrize(
    ("call", "row", "rowwise", "calls"),
    [(2e-4, 1e-6, True, 1), (1e-6, 1e-5, True, 20), (2e-4, 1e-6, False, 20)],
)
def test_rows_in_flight_share_a_call_where_that_is_quicker(
    call: float, row: float, rowwise: bool, calls: int
) -> None:
    sizes = []

    def double(rows: list[int]) -> dict[str, Any]:
        sizes.append(len(rows))
        return {"predictions": numpy.array(rows) * 2}

    async def ask() -> list[Any]:
        batcher = made(double, cost=learned(call, row), rowwise=rowwise)
        found = await asyncio.gather(*(batcher.submit([n]) for n in range(20)))
        batcher.close()
        return [one["predictions"].tolist() for one in found]

    assert asyncio.run(ask()) == [[2 * n] for n in range(20)]
    assert len(sizes) == calls


def test_one_bad_request_does_not_take_its_neighbours_down() -> None:
    def picky(rows: list[int]) -> dict[str, Any]:
        if 3 in rows:
            raise ValueError("three")
        return {"predictions": rows}

    async def ask() -> list[Any]:
        batcher = made(picky, cost=learned(2e-4, 1e-6))
        found = await asyncio.gather(*(batcher.submit([n]) for n in range(5)), return_exceptions=True)
        batcher.close()
        return list(found)

    found = asyncio.run(ask())
    assert [one["predictions"] for one in found[:3]] == [[0], [1], [2]]
    assert isinstance(found[3], ValueError)
    assert found[4]["predictions"] == [4]


def test_who_is_told_hears_at_once_and_takes_nobody_down() -> None:
    def double(rows: list[int]) -> dict[str, Any]:
        return {"predictions": [2 * row for row in rows]}

    async def ask() -> tuple[list[Any], list[str]]:
        troubles: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, what: troubles.append(what["message"]))
        batcher = made(double, cost=learned(2e-4, 1e-6))
        told: list[Any] = []
        entries = [batcher.submit([n]) for n in range(4)]
        entries[0].add_done_callback(lambda entry: told.append(entry.result()["predictions"]))
        entries[1].add_done_callback(lambda _entry: 1 / 0)
        entries[2].add_done_callback(lambda entry: told.append(entry.result()["predictions"]))
        waited = await entries[3]
        again = await entries[1]  # what was answered can be had yet
        batcher.close()
        return [*told, again["predictions"], waited["predictions"]], troubles

    assert asyncio.run(ask()) == ([[0], [4], [2], [6]], ["An answer could not be handed on"])


@pytest.mark.parametrize("rowwise", [True, False])
def test_a_model_that_loses_a_row_gives_nobody_the_answer_of_another(rowwise: bool) -> None:
    def positive(rows: list[int]) -> dict[str, Any]:
        return {"predictions": numpy.array([row for row in rows if row > 0]) * 2}

    async def ask() -> list[Any]:
        batcher = made(positive, cost=learned(2e-4, 1e-6), rowwise=rowwise)
        entries = [batcher.submit([row]) for row in (-1, 1, 2, -3, 4)]

        async def told(entry: Any) -> Any:
            try:
                return (await entry)["predictions"].tolist()
            except InvalidRows as error:
                return error.status, error.problems[0].code

        found = [await told(entry) for entry in entries]
        batcher.close()
        return found

    lost = (500, "answer_count")
    assert asyncio.run(ask()) == [lost, [2], [4], lost, [8]]


def test_who_is_gone_costs_no_call() -> None:
    asked: list[int] = []

    def noted(rows: list[int]) -> dict[str, Any]:
        asked.extend(rows)
        time.sleep(0.05)
        return {"predictions": rows}

    async def ask() -> None:
        batcher = made(noted, cost=learned(0.05, 0.0), rowwise=False)
        first, second, third = (asyncio.ensure_future(batcher.submit([n])) for n in range(3))
        await asyncio.sleep(0)
        second.cancel()
        assert (await first)["predictions"] == [0] and (await third)["predictions"] == [2]
        batcher.close()

    asyncio.run(ask())
    assert asked == [0, 2]


def test_a_slow_call_leaves_the_loop_free_and_a_full_queue_refuses() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(rows: list[int]) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(60), "the loop did not turn while it ran"
        return {"predictions": rows}

    async def ask() -> tuple[int, Overloaded | None]:
        batcher = made(slow, cost=learned(0.2, 0.0), limits=Limits(requests=2))
        first = batcher.submit([1])
        while not begun.is_set():
            await asyncio.sleep(0.01)
        waiting = [batcher.submit([2]), batcher.submit([3])]
        refused = None
        try:
            batcher.submit([4])
        except Overloaded as error:
            refused = error
        go_on.set()
        await asyncio.gather(first, *waiting)
        batcher.close()
        return batcher.metrics.shed, refused

    shed, refused = asyncio.run(ask())
    assert shed == 1
    assert refused is not None
    assert refused.retry_after >= 1


def test_what_takes_too_long_is_told_and_seen() -> None:
    go_on = threading.Event()

    def hung(rows: list[int]) -> dict[str, Any]:
        go_on.wait(60)
        return {"predictions": rows}

    async def ask() -> bool:
        batcher = made(hung, cost=learned(1.0, 0.0), limits=Limits(seconds=0.1, waiting=60))
        asked = batcher.submit([1])
        await asyncio.sleep(0)
        late = batcher.submit([2])
        with pytest.raises(TimedOut):
            await asked
        await asyncio.sleep(1.2)
        with pytest.raises(TimedOut):
            await late
        stuck = batcher.stuck
        go_on.set()
        batcher.close()
        return stuck

    assert asyncio.run(ask())


@pytest.mark.parametrize(
    ("error", "status", "english", "chinese"),
    [
        (Overloaded(3), 503, "overloaded", "繁忙"),
        (TimedOut(), 504, "too long", "超时"),
        (KeyError("x"), 500, "KeyError", "KeyError"),
    ],
)
def test_no_answer_is_told_in_the_callers_language(
    error: Exception, status: int, english: str, chinese: str
) -> None:
    for language, words in (("en", english), ("zh", chinese)):
        refused = refusal(error)
        reply = Reply(refused.status, dumps(refused.body(language)), headers=retry(error))
        told = json.loads(reply.body)
        assert reply.status == status
        assert words in told["error"]
        assert told["problems"][0]["remedy"]


def test_who_is_alone_is_answered_at_once_and_company_is_seen() -> None:
    def double(rows: list[int]) -> dict[str, Any]:
        return {"predictions": numpy.array(rows) * 2}

    async def ask() -> None:
        batcher = made(double, cost=learned(2e-4, 1e-6))
        for _turn in range(ALONE):
            assert batcher.at_once([1]) is None  # somebody may come in the same turn of the loop
            await batcher.submit([1])
        answered = [batcher.at_once([n]) for n in range(3 * LOOK)]
        assert 2 <= answered.count(None) <= 3  # it looks around now and then
        assert [one["predictions"].tolist() for one in answered if one] == [
            [2 * n] for n, one in enumerate(answered) if one
        ]
        await asyncio.gather(batcher.submit([1]), batcher.submit([2]))
        assert batcher.at_once([1]) is None
        batcher.close()

    async def never_shared() -> None:
        for cost, rowwise in ((learned(1e-6, 1e-5), True), (learned(2e-4, 1e-6), False)):
            batcher = made(double, cost=cost, rowwise=rowwise)
            answers = batcher.at_once([3])
            assert answers is not None and answers["predictions"].tolist() == [6]
            waiting = batcher.submit([4])
            assert batcher.at_once([5]) is None  # nobody overtakes
            await waiting
            batcher.close()
        slow = made(double, cost=learned(0.2, 0.0), rowwise=False)
        assert slow.at_once([1]) is None  # it would hold the loop
        slow.close()

    asyncio.run(ask())
    asyncio.run(never_shared())
