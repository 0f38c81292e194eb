"""The table as Markdown; every number comes from the run's results."""

from __future__ import annotations

import statistics
from typing import Any

from .contest import Results
from .goals import Goal, Summary
from .models import MODELS
from .ours import NAME as OURS
from .summary import TITLES, title

BUSY = 0.5


def markdown(results: Results, summary: Summary, goals: list[Goal]) -> str:
    return "\n".join([*_head(results), *_goals(goals), *_starts(results), *_models(results, summary)]) + "\n"


def _head(results: Results) -> list[str]:
    about = results.about
    pinned = "server on core 0, load on core 1" if about["pinned"] else "nothing pinned: no taskset here"
    lines = [
        "# Serving, compared",
        "",
        f"{about['processor']}, {about['cores']} cores, Python {about['python']}, {about['began']}. "
        f"wrk, closed loop, {pinned}; {about['rounds']} rounds of {about['seconds']:g} s, contenders in turn; "
        "medians, ± half the spread. Times in ms. Memory is of all the server's processes, idle.",
        "",
    ]
    if about["busy_before"] > BUSY:
        lines += [
            f"**The machine was busy** (load {about['busy_before']} before the first server): "
            "the figures say that everything runs, not how fast.",
            "",
        ]
    if about.get("interrupted"):
        lines += ["**The run was interrupted**: what was measured until then.", ""]
    return lines


def _goals(goals: list[Goal]) -> list[str]:
    lines = [
        "## Goals",
        "",
        "Bare uvicorn: what a constant answer without a model reaches in our place in the worst case.",
        "",
        "| goal | bound | ratio | | worst case | bare uvicorn |",
        "|---|---|---|---|---|---|",
    ]
    for goal in goals:
        ratio = "–" if goal.ratio is None else f"{goal.ratio:.3g}"
        said = {True: "reached", False: "**not reached**", None: "–"}[goal.reached]
        floor = "–" if goal.floor is None else f"{goal.floor:.3g}"
        lines.append(f"| {goal.text} | {goal.bound} | {ratio} | {said} | {goal.where} | {floor} |")
    return [*lines, ""]


def _starts(results: Results) -> list[str]:
    if not results.starts and not results.missed:
        return []
    titles = {
        "predict": "in-kernel `box.predict`, first answer",
        "cold": "`box.serve()` → first HTTP answer, at once after `wrap`",
        "warm": "`box.serve()` → first HTTP answer, again",
        "bentoml": "`bentoml serve` by hand → first HTTP answer (plain service)",
    }
    lines = ["## Starts (iris, not pinned)", "", "| | s | spread |", "|---|---|---|"]
    for name, words in titles.items():
        values = results.starts.get(name)
        if values:
            lines.append(f"| {words} | {statistics.median(values):.3f} | {max(values) - min(values):.3f} |")
    lines += [f"| {name} | – | {_short(why)} |" for name, why in results.missed.items()]
    return [*lines, ""]


def _models(results: Results, summary: Summary) -> list[str]:
    lines = []
    for model, contenders in summary.items():
        loads = list(dict.fromkeys(load for one in contenders.values() for load in one["loads"]))
        form = results.forms.get(model)
        lines += [f"## {MODELS[model][0]}", ""]
        if form:
            lines += [f"ekiben serves: {form}.", ""]
        for load in loads:
            lines += _load(contenders, load)
        if any("ready" in one for one in contenders.values()):
            lines += _costs(contenders)
        gone = results.absent.get(model, {})
        if gone:
            lines += ["Not measured:", ""]
            lines += [
                f"- {TITLES.get(name, name).strip('*')}: {_short(why)}" for name, why in sorted(gone.items())
            ]
            lines.append("")
    return lines


def _load(contenders: dict[str, dict[str, Any]], load: str) -> list[str]:
    connections, _x, rows = load.partition("x")
    mine = contenders.get(OURS, {}).get("loads", {}).get(load, {}).get("rate")
    there = [
        (name, title(name, one), one["loads"][load])
        for name, one in contenders.items()
        if load in one["loads"]
    ]
    there.sort(key=lambda entry: -entry[2]["rate"])
    head = [
        f"**{rows} row{'s' if rows != '1' else ''} a request, concurrency {connections}**",
        "",
        "| | requests/s | ± | p50 | p99 | errors | ekiben is |",
        "|---|---|---|---|---|---|---|",
    ]
    body = [
        f"| {shown} | {one['rate']:,.0f} | {one['spread'] / 2:,.0f} | {one['p50']:.2f} "
        f"| {one['p99']:.2f} | {one['errors'] or ''} | {_times(mine, one['rate'], name)} |"
        for name, shown, one in there
    ]
    return [*head, *body, ""]


def _times(mine: float | None, theirs: float, name: str) -> str:
    return f"{mine / theirs:.2f} ×" if mine and theirs and name != OURS else ""


def _costs(contenders: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| | ready, s | idle, MB | after load, MB | processes |",
        "|---|---|---|---|---|",
    ]
    for name, one in sorted(contenders.items(), key=lambda pair: pair[1].get("megabytes", 0)):
        if "ready" in one:
            lines.append(
                f"| {TITLES.get(name, name)} | {one['ready']:.1f} | {one['megabytes']:.0f} "
                f"| {one['busy']:.0f} | {one['processes']:.0f} |"
            )
    strayed = [TITLES.get(name, name) for name, one in contenders.items() if one.get("strays")]
    if strayed:
        lines += ["", f"Threads that left the server's core by themselves: {', '.join(strayed)}."]
    return [*lines, ""]


def _short(why: str) -> str:
    """A reason on one line of a table; the end of a log says most."""
    line = " ".join(why.replace("|", "/").split())
    return line if len(line) < 400 else f"{line[:120]} … {line[-270:]}"
