"""One server for one model from start to stop: ready, right, measured under each load, gone."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import load
from .forms import Form, differs
from .models import Model
from .peers import Failed
from .processes import Process, free_port, is_free

HEADERS = {"content-type": "application/json"}
#: Seconds that a server may take until its first answer.
PATIENCE = 180.0
#: Distinct bodies that take turns, so that nothing is answered from a cache.
TURNS = {1: 32, 100: 4}
CHECKED = 100
#: Seconds of answers that say the server is broken, before it is believed; some say so while they load.
BROKEN = 20.0


@dataclass(frozen=True)
class Load:
    """Closed loop: so many connections, so many rows a request."""

    connections: int
    rows: int

    def __str__(self) -> str:
        return f"{self.connections}x{self.rows}"

    @staticmethod
    def parse(text: str) -> Load:
        connections, _x, rows = text.partition("x")
        return Load(int(connections), int(rows))


@dataclass(frozen=True)
class Served:
    """What is started: the command for a port, where it runs, how it is asked.

    ``formed`` says that its metrics tell which form of the model answers.
    """

    name: str
    command: Sequence[str]
    cwd: Path
    env: dict[str, str]
    form: Form
    port: int
    checked: bool = True
    formed: bool = False


def ask(url: str, body: bytes, timeout: float) -> tuple[int, bytes]:
    host, _slash, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request("POST", f"/{path}", body, HEADERS)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_answered(process: Process, url: str, body: bytes) -> float:
    """Seconds from the start of the process to its first answer.

    Raises:
        Failed: it ended, refused or did not answer in time.
    """
    said = "it never listened"
    broken = 0.0
    while (passed := time.perf_counter() - process.began) < PATIENCE:
        if process.ended:
            raise Failed(f"ended while it was starting: {process.tail(6)}")
        try:
            status, answer = ask(url, body, timeout=5)
        except (OSError, http.client.HTTPException) as error:
            said = f"{type(error).__name__}: {error}"
        else:
            if status == 200:
                return time.perf_counter() - process.began
            said = f"HTTP {status}: {answer[:300].decode('utf-8', 'replace')}"
            broken = broken or passed
            if status in (400, 422) or (status == 500 and passed - broken > BROKEN):
                break
        time.sleep(0.02)
    raise Failed(f"no answer after {passed:.0f} s: {said}")


def check(served: Served, model: Model, url: str) -> None:
    """Holds its answers against the native model's.

    Raises:
        Failed: a wrong server is no peer.
    """
    if not served.checked or served.form.answers is None:
        return
    for count in (1, min(CHECKED, len(model.rows))):
        status, answer = ask(url, served.form.encode(model, model.rows[:count]), timeout=60)
        if status != 200:
            raise Failed(f"HTTP {status} to {count} rows: {answer[:300].decode('utf-8', 'replace')}")
        got = served.form.answers(json.loads(answer))
        wrong = differs(got, model.answers[:count])
        if wrong:
            raise Failed(f"answers otherwise than the model: {wrong}")


def form_of(port: int) -> str:
    """Which form of the model answers, in the running service's own word."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.search(r'^ekiben_model_info\{.*?form="([^"]*)"', page, re.MULTILINE)
    return found[1] if found else "?"


def bodies(form: Form, model: Model, rows: int, folder: Path) -> Path:
    """A file with a body a line."""
    file = folder / f"bodies-{rows}.txt"
    if not file.is_file():
        with file.open("wb") as out:
            for turn in range(TURNS.get(rows, 4)):
                chosen = [model.rows[(turn * rows + at) % len(model.rows)] for at in range(rows)]
                out.write(form.encode(model, chosen) + b"\n")
    return file


def sit(
    served: Served, model: Model, loads: Sequence[Load], seconds: float, warm: float, work: Path
) -> dict[str, Any]:
    """``ready`` (s), ``megabytes`` (idle, and ``busy`` after the loads), ``processes`` and the ``loads``.

    Raises:
        Failed: it did not start, or answers wrongly.
    """
    url = served.form.url(model, served.port)
    with Process(served.command, served.cwd, served.env, work / "log.txt") as process:
        ready = wait_answered(process, url, served.form.encode(model, model.rows[:1]))
        check(served, model, url)
        time.sleep(0.5)
        found: dict[str, Any] = {
            "ready": ready,
            "megabytes": process.megabytes(),
            "processes": process.processes(),
            "loads": {},
        }
        if served.formed:
            found["form"] = form_of(served.port)
        for one in loads:
            file = bodies(served.form, model, one.rows, work)
            if warm:
                load.run(url, file, HEADERS, one.connections, warm)
            figures = load.run(url, file, HEADERS, one.connections, seconds)
            found["loads"][str(one)] = asdict(figures)
            if process.ended:
                raise Failed(f"ended under load {one}: {process.tail(6)}")
        found["busy"] = process.megabytes()
        found["strays"] = process.strays()
    if not is_free(served.port):
        raise Failed(f"port {served.port} is still taken after its end")
    return found


def port() -> int:
    return free_port()
