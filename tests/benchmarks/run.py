"""Runs every comparison of this folder: ours and its peers in one run, reported as ratios.

``make bench`` runs all; ``make bench BENCH_ARGS="import --repeats 9 --json"`` one of them, as JSON.
``make bench BENCH_ARGS="serving …"`` is the service beside the field's servers (``serving/cli.py``), with
flags of its own; ``make bench`` alone takes its ``--medium`` run. ``images`` is the images beside
``bentoml containerize`` (``images/cli.py``) in the same way.

A comparison is a module ``bench_<name>.py`` with ``TITLE``, ``UNIT`` and ``CASES``: a dict from a name to
a function that does the work once and gives the measured number. The first case is ours. Cases take
turns, so that a machine that slows down slows all of them; the median counts, the spread is shown.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
SERVING = "serving"


def found() -> dict[str, ModuleType]:
    """The comparisons by name."""
    sys.path.insert(0, str(HERE))
    names = sorted(path.stem for path in HERE.glob("bench_*.py"))
    return {name.removeprefix("bench_"): importlib.import_module(name) for name in names}


def serving(arguments: Sequence[str]) -> int:
    """The comparison of whole servers; its exit status."""
    status: int = importlib.import_module("serving.cli").main(arguments)
    return status


def images(arguments: Sequence[str]) -> int:
    """The comparison of images; its exit status."""
    status: int = importlib.import_module("images.cli").main(arguments)
    return status


def measure(comparison: ModuleType, repeats: int) -> dict[str, Any]:
    """Each case's median, spread (slowest − fastest) and ratio to ours, which is 1."""
    numbers: dict[str, list[float]] = {name: [] for name in comparison.CASES}
    for _ in range(repeats):
        for name, case in comparison.CASES.items():
            numbers[name].append(case())
    ours = statistics.median(next(iter(numbers.values())))
    cases = {
        name: {
            "median": statistics.median(values),
            "spread": max(values) - min(values),
            "ratio": statistics.median(values) / ours,
        }
        for name, values in numbers.items()
    }
    return {"title": comparison.TITLE, "unit": comparison.UNIT, "repeats": repeats, "cases": cases}


def show(result: dict[str, Any]) -> None:
    """One small table."""
    print(f"\n{result['title']}  ({result['unit']}, median of {result['repeats']})")
    for name, case in result["cases"].items():
        print(f"  {name:<32}{case['median']:>10.1f}  ± {case['spread'] / 2:<8.1f}{case['ratio']:>8.2f} ×")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what was asked for and prints it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    comparisons = found()
    if given[:1] == [SERVING]:
        sys.exit(serving(given[1:]))
    if given[:1] == ["images"]:
        sys.exit(images(given[1:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(comparisons)}; all by default"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(given)
    if unknown := set(asked.names) - comparisons.keys():
        parser.error(f"no comparison is called {', '.join(sorted(unknown))}")
    results = [measure(comparisons[name], asked.repeats) for name in asked.names or comparisons]
    if asked.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        show(result)
    if not asked.names:
        sys.exit(serving(["--medium"]) or images([]))


if __name__ == "__main__":
    main()
