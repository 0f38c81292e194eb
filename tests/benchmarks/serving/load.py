"""Load by wrk: a closed loop of some connections, each sending its next request when the last is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .processes import pinned

SCRIPT = Path(__file__).with_name("load.lua")
#: A request that takes longer is an error.
TIMEOUT = 60


@dataclass(frozen=True)
class Figures:
    """What one measurement gave: requests per second that were answered 200, times in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int
    errors: int


def trouble() -> str | None:
    """Why no load can be made here."""
    if shutil.which("wrk"):
        return None
    return "wrk is not installed: apt-get install wrk (Debian, Ubuntu) or brew install wrk (macOS)."


def run(url: str, bodies: Path, headers: Mapping[str, str], connections: int, seconds: float) -> Figures:
    """Sends the lines of ``bodies`` to ``url`` for some seconds.

    Raises:
        RuntimeError: wrk failed, with its words.
    """
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        f"--timeout={TIMEOUT}s",
        "--latency",
        f"-s{SCRIPT}",
        url,
        "--",
        str(bodies),
    ]
    for name, value in headers.items():
        command += [name, value]
    done = subprocess.run(
        pinned(command, "load"), capture_output=True, text=True, check=False, timeout=seconds + TIMEOUT + 30
    )
    found = [line for line in done.stdout.splitlines() if line.startswith('{"requests"')]
    if done.returncode or not found:
        raise RuntimeError(f"wrk: {(done.stderr or done.stdout).strip()[-400:]}")
    told = json.loads(found[-1])
    good = told["requests"] - told["status"]
    return Figures(
        rate=good / max(told["microseconds"] / 1e6, 1e-9),
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        requests=told["requests"],
        errors=told["socket"] + told["status"] + told["timeout"],
    )
