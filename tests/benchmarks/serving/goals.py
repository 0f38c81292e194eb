"""The goals as they were set, each held against what was measured; the worst case decides.

What had errors is not a rate: a goal whose figures had errors on our side is not reached, and a peer's
load with errors is no best peer.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .ours import NAME as OURS
from .summary import KINDS

FLOOR = "uvicorn"
Summary = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Goal:
    """A row of the table of goals. ``ratio`` is None where nothing was measured; ``floor`` is what a constant
    answer by bare uvicorn reaches in the place of ours, None where that was not measured."""

    text: str
    bound: str
    ratio: float | None
    reached: bool | None
    where: str
    floor: float | None = None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Case:
    """One comparison: ours through the other's figure, at a place; ``floor``: bare uvicorn's through it."""

    ratio: float
    where: str
    floor: float | None = None


def best(summary: Summary, model: str, load: str, figure: str) -> tuple[str, float] | None:
    """The best peer that serves as its documentation says: highest rate or lowest time."""
    found = [
        (name, one["loads"][load][figure])
        for name, one in summary.get(model, {}).items()
        if KINDS.get(name) == "peer"
        and load in one["loads"]
        and not one["loads"][load]["errors"]
        and one["loads"][load]["rate"]  # nothing was answered in time: no time to be compared with
    ]
    if not found:
        return None
    return (max if figure == "rate" else min)(found, key=lambda pair: pair[1])


def figure(summary: Summary, model: str, name: str, load: str, what: str) -> float | None:
    entry = summary.get(model, {}).get(name, {}).get("loads", {}).get(load)
    return None if entry is None else float(entry[what])


def against(
    summary: Summary, models: Iterable[str], loads: Iterable[str], other: str | None, what: str = "rate"
) -> list[Case]:
    """Ours against ``other`` (None: the best peer) wherever both were measured."""
    cases = []
    for model in models:
        for load in loads:
            mine = figure(summary, model, OURS, load, what)
            if mine is None:
                continue
            name, theirs = other, None
            if other is None:
                found = best(summary, model, load, what)
                name, theirs = found if found else (None, None)
            else:
                theirs = figure(summary, model, other, load, what)
            if not theirs:
                continue
            failed = figure(summary, model, OURS, load, "errors")
            ratio = (mine / theirs) if not failed else (0.0 if what == "rate" else float("inf"))
            errors = f", {failed:.0f} errors" if failed else ""
            constant = figure(summary, model, FLOOR, load, what)
            floor = constant / theirs if constant and name != FLOOR else None
            cases.append(Case(ratio, f"{model} {load} {name}{errors}", floor))
    return cases


def judge(text: str, limit: float, cases: list[Case], *, least: bool = True) -> Goal:
    """``least``: every ratio must be at least ``limit``; else at most."""
    bound = f"{'≥' if least else '≤'} {limit:g}"
    if not cases:
        return Goal(text, bound, None, None, "not measured in this run")
    worst = (min if least else max)(cases, key=lambda case: case.ratio)
    reached = worst.ratio >= limit if least else worst.ratio <= limit
    return Goal(text, bound, worst.ratio, reached, worst.where, worst.floor)


def goals(summary: Summary, starts: dict[str, list[float]]) -> list[Goal]:
    models = list(summary)
    measured = sorted(
        {load for contenders in summary.values() for one in contenders.values() for load in one["loads"]}
    )
    single = [load for load in measured if load.endswith("x1")]
    hundred = [load for load in measured if load.endswith("x100")]
    at_sixteen = [load for load in single if load.startswith("16x")]
    networks = [
        case
        for name in ("torchserve", "kserve", "triton")
        for case in against(summary, ("mlp", "cnn"), single, name)
    ]

    def mine(limit: float, text: str, cases: Callable[[], list[Case]], least: bool = True) -> Goal:
        return judge(text, limit, cases(), least=least)

    found = [
        mine(
            40,
            "one row, forest and text pipeline, against the best peer",
            lambda: against(summary, ("forest", "pipeline"), single, None),
        ),
        mine(
            5,
            "one row, LightGBM, against the best peer",
            lambda: against(summary, ("lightgbm",), single, None),
        ),
        mine(4, "one row, iris, against the best peer", lambda: against(summary, ("iris",), single, None)),
        mine(
            2.5,
            "one row, any model, against the expert's FastAPI + orjson + ONNX Runtime",
            lambda: against(summary, models, single, "expert"),
        ),
        mine(
            0.65,
            "one row, iris, full service, against bare uvicorn returning a constant",
            lambda: against(summary, ("iris",), single, FLOOR),
        ),
        mine(
            0.2,
            "p99 at concurrency 16, one row, against the best peer",
            lambda: against(summary, models, at_sixteen, None, "p99"),
            False,
        ),
        mine(
            5,
            "100 rows a request, against the best peer",
            lambda: against(summary, models, hundred, None),
        ),
        mine(
            1.5,
            "100 rows a request, against the expert's FastAPI",
            lambda: against(summary, models, hundred, "expert"),
        ),
        mine(3, "MLP and CNN, one row, against TorchServe, KServe SDK and Triton", lambda: networks),
    ]
    return [*found, *_starts(starts), _memory(summary)]


def _starts(starts: dict[str, list[float]]) -> list[Goal]:
    def middle(name: str) -> float | None:
        return statistics.median(starts[name]) if starts.get(name) else None

    hand = middle("bentoml")

    def click(name: str, limit: float) -> Goal:
        took = middle(name)
        cases = [Case(took / hand, f"{took:.2f} s against {hand:.2f} s")] if took and hand else []
        return judge(
            f"click → first HTTP answer, {name}, against `bentoml serve` by hand", limit, cases, least=False
        )

    took = middle("predict")
    inside = [Case(took, f"{took:.3f} s")] if took else []
    return [
        click("cold", 0.3),
        click("warm", 0.05),
        judge("in-kernel `box.predict`, first answer, seconds", 0.3, inside, least=False),
    ]


def _memory(summary: Summary) -> Goal:
    iris = summary.get("iris", {})
    cases = []
    if OURS in iris and "bentoml" in iris:
        mine, theirs = iris[OURS]["megabytes"], iris["bentoml"]["megabytes"]
        cases = [Case(mine / theirs, f"iris, {mine:.0f} MB against {theirs:.0f} MB")]
    return judge("memory of an idle service against plain BentoML's processes", 0.4, cases, least=False)
