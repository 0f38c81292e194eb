"""What the first line of a notebook costs, timed inside a fresh Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

TITLE = "import in a fresh Python"
UNIT = "ms"


def importing(module: str) -> Callable[[], float]:
    def once() -> float:
        code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout.splitlines()[-1]) * 1000

    return once


CASES = {
    "ekiben": importing("ekiben"),
    "ekiben, with wrap ready to call": importing("ekiben; ekiben.wrap"),
    "bentoml": importing("bentoml"),
    "sklearn": importing("sklearn"),
}
