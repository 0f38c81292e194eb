"""What capture costs beyond saving the model, on a sample of 1,000,000 × 50; its peer is one ``describe``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

TITLE = "contract of 1,000,000 × 50 (40 numbers, 5 integers, 5 texts)"
UNIT = "ms"
ROWS = 1_000_000


@lru_cache
def frame() -> Any:
    import numpy
    import pandas

    random = numpy.random.default_rng(0)
    columns = {f"n{k}": random.random(ROWS) for k in range(40)}
    columns |= {f"i{k}": random.integers(0, 1000, ROWS) for k in range(5)}
    columns |= {f"c{k}": random.choice(["a", "b", "c"], ROWS) for k in range(5)}
    return pandas.DataFrame(columns)


def timed(work: Callable[[Any], object]) -> Callable[[], float]:
    def once() -> float:
        data = frame()
        begin = time.perf_counter()
        work(data)
        return (time.perf_counter() - begin) * 1000

    return once


def contract(data: Any) -> object:
    import numpy
    from ekiben import personal
    from ekiben.contract import infer
    from ekiben.protocols import Description

    personal.look(data)
    about = Description("nothing", "regression", fitted=True)
    return infer(data, lambda part: {"predictions": numpy.zeros(len(part))}, about)


CASES = {
    "ekiben: the whole contract with golden rows": timed(contract),
    "pandas: describe()": timed(lambda data: data.describe()),
}
