"""A service keeps the memory of one large answer for the next."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import ekiben
import pytest
from models import diabetes


def faults(pid: int) -> int:
    """Pages that the system has given to the process so far (``proc(5)``, ``minflt``)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[7])


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="the setting is that of Linux' glibc"
)
def test_many_rows_again_and_again_ask_the_system_for_no_new_memory() -> None:
    model, X = diabetes()
    box = ekiben.wrap(model, X, name="memory")
    rows = box.contract.golden.to_json()["rows"]
    many = (rows * (4000 // len(rows) + 1))[:4000]
    with box.serve() as server:
        ask = Request(
            f"{server.url}/predict", json.dumps({"rows": many}).encode(), {"Content-Type": "application/json"}
        )

        def answered() -> int:
            with urlopen(ask) as answer:
                return len(json.load(answer)["predictions"])

        assert [answered() for _ in range(10)] == [4000] * 10

        def asked() -> float:
            """New pages of each of twenty requests."""
            before = faults(server.record.pid)
            assert [answered() for _ in range(20)] == [4000] * 20
            return (faults(server.record.pid) - before) / 20

        # Once in a while it does ask for some; what it gave back each time would be new in all of these.
        assert min(asked() for _ in range(4)) < 100
