"""100 images of 3 × 64 × 64 numbers in JSON, from the bytes of a request to a checked float32 array.

Beside it the parsers alone, which check neither shapes nor ranges: what a body of this size costs at least.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy
from ekiben.contract import infer
from ekiben.protocols import Description
from ekiben.runtime.decode import decoder

TITLE = "reading 100 images of 3 × 64 × 64 numbers"
UNIT = "ms of a processor"


@lru_cache(maxsize=1)
def images() -> Any:
    """float32, of three digits each: seven megabytes as JSON."""
    return numpy.random.default_rng(0).random((100, 3, 64, 64)).round(3).astype("float32")


@lru_cache(maxsize=1)
def body() -> bytes:
    rows = numpy.round(images().astype("float64"), 3).tolist()
    return json.dumps({"rows": rows}, separators=(",", ":")).encode()


@lru_cache(maxsize=1)
def service() -> Any:
    about = Description("look", "prediction", True)
    contract = infer(images(), lambda data: {"predictions": [0.0] * len(data)}, about)
    return decoder(contract.to_json())


def ours() -> Any:
    return service()(body())


def parsed() -> Any:
    simdjson: Any = import_module("simdjson")
    numbers = simdjson.Parser().parse(body())["rows"].as_buffer(of_type="d")
    return numpy.frombuffer(numbers, "float64").reshape(images().shape)


def listed(read: Callable[[bytes], Any]) -> Any:
    return numpy.array(read(body())["rows"], "float32")


def timed(read: Callable[[], Any]) -> Callable[[], float]:
    def case() -> float:
        body(), service()
        begin = time.thread_time()
        found = read()
        took = time.thread_time() - begin
        assert numpy.array_equal(found.astype("float32"), images())
        return took * 1e3

    return case


CASES = {
    "ekiben, checked": timed(ours),
    **({"simdjson at once, unchecked": timed(parsed)} if find_spec("simdjson") else {}),
    "msgspec and numpy, unchecked": timed(lambda: listed(msgspec.json.decode)),
    "json and numpy, unchecked": timed(lambda: listed(json.loads)),
}
