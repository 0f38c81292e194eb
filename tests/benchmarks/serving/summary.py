"""Medians over the rounds, with their spread."""

from __future__ import annotations

import statistics
from typing import Any

from .contest import Results
from .ours import NAME as OURS
from .peers import PEERS

KINDS = {OURS: "ours", "loop": "floor", "loop-onnx": "floor", **{peer.name: peer.kind for peer in PEERS}}
TITLES = {
    OURS: "**ekiben**",
    "loop": "floor: our predictor in a loop, no HTTP",
    "loop-onnx": "floor: ONNX Runtime in a loop, no HTTP",
    **{peer.name: peer.title for peer in PEERS},
}


def title(name: str, one: dict[str, Any]) -> str:
    """A contender in a table; ours with the form of the model that answered."""
    return f"{TITLES.get(name, name)} ({one['form']})" if one.get("form") else TITLES.get(name, name)


def summarize(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    """model → contender → ``loads`` (load → rate, spread, p50, p99, errors), ``ready``, ``megabytes``, ``form``, …"""
    return {
        model: {name: _one(sittings) for name, sittings in contenders.items() if sittings}
        for model, contenders in results.sittings.items()
    }


def _one(sittings: list[dict[str, Any]]) -> dict[str, Any]:
    loads = {}
    for load in sittings[0]["loads"]:
        found = [sitting["loads"][load] for sitting in sittings if load in sitting["loads"]]
        rates = [one["rate"] for one in found]
        loads[load] = {
            "rate": statistics.median(rates),
            "spread": max(rates) - min(rates),
            "p50": statistics.median(one["p50"] for one in found),
            "p99": statistics.median(one["p99"] for one in found),
            "errors": sum(one["errors"] for one in found),
        }
    rest = {
        key: statistics.median(sitting[key] for sitting in sittings)
        for key in ("ready", "megabytes", "busy", "processes", "strays")
        if key in sittings[0]
    }
    told = {sitting["form"] for sitting in sittings if "form" in sitting}
    form = {"form": ", ".join(sorted(told))} if told else {}
    return {"loads": loads, **rest, **form}
