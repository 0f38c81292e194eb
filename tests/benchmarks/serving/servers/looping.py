"""Calls in a loop for some seconds; their rate and times as one line of JSON."""

import json
import time


def loop(call, batches, seconds):
    call(batches[0])
    times = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end or not times:
        call(batches[len(times) % len(batches)])
        times.append(time.perf_counter() - begin)
    times.sort()
    found = {
        "rate": len(times) / sum(times),
        "p50": times[len(times) // 2] * 1000,
        "p99": times[int(len(times) * 0.99)] * 1000,
        "requests": len(times),
        "errors": 0,
    }
    print(json.dumps(found))


def batches(rows, size):
    """Different rows in turn, as the load sends them."""
    turns = 16 if size == 1 else 2
    return [[rows[(turn * size + at) % len(rows)] for at in range(size)] for turn in range(turns)]
