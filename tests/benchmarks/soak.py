"""A soak: one service at 80 % of what it can do, for ten minutes; no error, flat memory, steady latency.

``make bench`` runs it after the comparisons; ``python tests/benchmarks/soak.py --seconds 60`` by hand. What it
can do is measured first, closed loop; then requests are sent at a steady pace whatever the answers take.
The first tenth warms up and does not count. Status 1: an error, memory that grew by more than
``GROWTH`` megabytes, or a median latency that more than doubled from the first third to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "unit")]

PART = 0.8
GROWTH = 30.0
CONNECTIONS = 8


async def soak(url: str, body: bytes, seconds: float, watch: Any) -> dict[str, Any]:
    """The figures of one soak."""
    from rig.load import Loader, under_load

    warm = await under_load(Loader(url, body, CONNECTIONS), min(5.0, seconds / 5))
    capacity = sum(warm.statuses.values()) / min(5.0, seconds / 5)
    loader = Loader(url, body, CONNECTIONS, pace=PART * capacity / CONNECTIONS)
    memory: list[float] = []
    async with loader as load:
        await asyncio.sleep(seconds / 10)
        load.seconds.clear()
        begin = time.monotonic()
        while time.monotonic() - begin < seconds * 0.9:
            memory.append((await asyncio.to_thread(watch))["now"]["memory"] / 1e6)
            await asyncio.sleep(min(5.0, seconds / 20))
    third = len(load.seconds) // 3
    thirds = [statistics.median(load.seconds[at * third : (at + 1) * third]) * 1000 for at in range(3)]
    return {
        "seconds": seconds,
        "capacity": round(capacity),
        "requests": sum(load.statuses.values()),
        "errors": load.broken + sum(n for status, n in load.statuses.items() if status != 200),
        "growth_mb": round(statistics.median(memory[-3:]) - statistics.median(memory[:3]), 1),
        "memory_mb": round(memory[-1], 1),
        "median_ms": [round(value, 2) for value in thirds],
        "p99_ms": round(load.percentile(0.99) * 1000, 2),
    }


def main() -> int:
    """Soaks iris and prints what came of it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument(
        "--json", action="store_true", help="the figures as one line of JSON, whatever they are"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        os.environ |= {"BENTOML_HOME": home, "JUPYTER_RUNTIME_DIR": home, "BENTOML_DO_NOT_TRACK": "True"}
        import ekiben
        from models import diabetes

        model, X = diabetes()
        box = ekiben.wrap(model, X, name="soak")
        body = json.dumps({"rows": box.contract.golden.to_json()["rows"][:1]}).encode()
        with box.serve() as server:
            told = asyncio.run(soak(server.url, body, options.seconds, server.watch))
    if options.json:
        print(json.dumps(told))
        return 0
    for name, value in told.items():
        print(f"  {name:<14}{value}")
    first, _second, last = told["median_ms"]
    bad = told["errors"] or told["growth_mb"] > GROWTH or last > 2 * first
    print("not as it should be" if bad else "no error, flat memory, steady latency")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
