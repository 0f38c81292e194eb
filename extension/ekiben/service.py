"""Services: start, find, predict, replay, stop.

A service is a process of its own that outlives the kernel. It is found through one JSON file in the
Jupyter runtime directory, ``ekiben-service-ID.json``, of the shape of ``records.Server``; the process
writes it before it imports anything slow. A clean stop takes the file away; a failed service keeps
it, and its log, until someone dismisses it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias
from urllib.error import URLError

from ekiben import paths, template
from ekiben.capture import mismatch, replay_of
from ekiben.errors import EkibenError, NotFound, ServiceFailed
from ekiben.http import direct, get_json, post_rows
from ekiben.project import class_name
from ekiben.records import Contract, Model, Prediction, Project, Replay, Server
from ekiben.rows import wire_rows
from ekiben.runtime.replay import compare
from ekiben.words import _, again, kept

PREFIX = "ekiben-service-"
#: Logs of services that are gone; older ones are deleted.
LOGS_KEPT = 50
#: A record without a process is that of a service being started; after this many seconds it failed.
UNBORN = 30.0

Say = Callable[[str], None]
Process: TypeAlias = "subprocess.Popen[bytes] | template.Forked"


def start(
    project: Project, model: Model, *, timeout: float = 60.0, notebook: str = "", progress: Say | None = None
) -> RunningServer:
    """Starts the written ``project`` on a free port of 127.0.0.1 and waits until it is ready.

    Raises:
        ServiceFailed: it ended, or did not answer its health check within ``timeout`` seconds; the
            message ends with the log's last lines, and no process is left.
    """
    identity = f"{model.name}-{secrets.token_hex(3)}"
    log = _new_log(identity)
    record = Server(
        id=identity,
        model=model.tag,
        url="",
        pid=0,
        birth=0.0,
        project=project.folder,
        state="starting",
        log=str(log),
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        notebook=notebook,
        form=model.compiled.form if model.compiled.active else "native",
        speedup=model.compiled.speedup if model.compiled.active else 0.0,
    )
    file = _file(identity)
    paths.write_atomic(file, json.dumps(record.to_json()))
    arguments = [f"service:{class_name(model.name)}", "--record", str(file)]
    environment = {**os.environ, "BENTOML_DO_NOT_TRACK": os.environ.get("BENTOML_DO_NOT_TRACK", "True")}
    environment.pop("PORT", None)
    process: Process | None = template.fork(model.tag, arguments, project.folder, environment, log, timeout)
    if process is None:
        process = _spawn(arguments, project.folder, environment, log)
    birth = paths.process_birth(process.pid) or time.time()
    try:
        server = _wait(file, process, timeout, progress)
    except ServiceFailed as error:
        paths.stop_tree(process.pid, birth)
        process.wait()
        _fail(file, record, error.message)
        raise _failed(error.message, file) from None
    except BaseException:  # interrupted while it was starting
        paths.stop_tree(process.pid, birth)
        process.wait()
        file.unlink(missing_ok=True)
        raise
    return RunningServer(server)


def _spawn(
    arguments: list[str], folder: str, environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with open(log, "wb", opener=paths.private) as output:
        return subprocess.Popen(
            [sys.executable, "-m", "runtime.serve", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(file: Path, process: Process, timeout: float, progress: Say | None) -> Server:
    began = time.monotonic()

    def problem() -> str | None:
        if process.poll() is not None:
            return _("The service ended while it was starting.")
        if progress:
            progress(_("starting the service · {seconds} s", seconds=int(time.monotonic() - began)))
        return None

    record = _read(file)
    while record is None or not record.url:
        trouble = problem()
        if trouble is None and time.monotonic() - began > timeout:
            trouble = _("The service was not ready within {seconds} s.", seconds=round(timeout))
        if trouble:
            raise ServiceFailed(trouble)
        time.sleep(0.01)
        record = _read(file)
    wait_ready(record.url, problem, timeout - (time.monotonic() - began))
    return replace(_read(file) or record, state="ready")


def _failed(message: str, file: Path) -> ServiceFailed:
    record = _read(file)
    tail = _tail(Path(record.log), 15) if record else ""
    return ServiceFailed(
        message + (f"\n{tail}" if tail else ""),
        where=record.log if record else "",
        remedy=_("Mend what the log says and serve again."),
    )


def wait_ready(url: str, problem: Callable[[], str | None], timeout: float) -> None:
    """Returns when ``url``/readyz answers 200.

    Raises:
        ServiceFailed: ``problem()`` gave a reason to stop waiting, or ``timeout`` seconds went by.
    """
    deadline = time.monotonic() + timeout
    while True:
        trouble = problem()
        if trouble:
            raise ServiceFailed(trouble, where=url)
        try:
            with direct(f"{url}/readyz", timeout=2) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            pass  # not listening yet: that is what is waited for
        if time.monotonic() > deadline:
            raise ServiceFailed(
                _("The service was not ready within {seconds} s.", seconds=round(timeout)), where=url
            )
        time.sleep(0.01)


def replay_http(url: str, contract: Contract, station: str = "http") -> Replay:
    """The golden examples through a running service at ``url``."""
    golden = contract.golden.to_json()
    begin = time.perf_counter()
    got = post_rows(url, golden["rows"])
    milliseconds = (time.perf_counter() - begin) * 1000
    worst, differing = compare(golden, got, contract.tolerance.to_json())
    return replay_of(station, len(golden["rows"]), worst, milliseconds, differing, contract.tolerance)


def servers() -> tuple[Server, ...]:
    """Every service that somebody started on this machine as this user, oldest first."""
    found = (_read(file) for file in sorted(paths.runtime_dir().glob(f"{PREFIX}*.json")))
    judged = [_judged(record) for record in found if record]
    spoken = (replace(one, message=again(one.told.get("message"), one.message)) for one in judged)
    return tuple(sorted(spoken, key=lambda record: record.started))


def running() -> tuple[RunningServer, ...]:
    """The services that are starting or ready."""
    return tuple(RunningServer(record) for record in servers() if record.state in ("starting", "ready"))


def find(name: str) -> RunningServer:
    """The service with this id, model tag or model name; of several, the newest.

    Raises:
        NotFound: there is none.
    """
    known = servers()
    for record in reversed(known):
        if name in (record.id, record.model, record.model.partition(":")[0]):
            return RunningServer(record)
    raise NotFound(
        _("There is no service {name}.", name=repr(name)),
        remedy=_("There are: {names}", names=", ".join(record.id for record in known) or "–"),
    )


def forget(identity: str) -> None:
    """Takes the record of a service that has ended away; its log stays.

    Raises:
        EkibenError: it still runs.
    """
    server = find(identity)
    if server.record.state in ("starting", "ready"):
        raise EkibenError(_("The service still runs."), where=server.record.id, remedy=_("Stop it first."))
    _file(server.record.id).unlink(missing_ok=True)


class RunningServer:
    """A handle on a service, from any process. As a context manager it stops the service at the end."""

    def __init__(self, record: Server) -> None:
        self.record = record
        self._contract: Contract | None = None

    @property
    def url(self) -> str:
        """Its address, ``http://127.0.0.1:PORT``."""
        return self.record.url

    @property
    def contract(self) -> Contract:
        """The contract that the service checks rows against."""
        if self._contract is None:
            file = Path(self.record.project) / "contract.json"
            self._contract = Contract.from_json(json.loads(file.read_text(encoding="utf-8")))
        return self._contract

    def predict(self, rows: Any) -> Prediction:
        """Answers over HTTP. ``rows``: a DataFrame, an array, a list of rows, or one row as a dict.

        Raises:
            InvalidRows: the service refused them, with each place.
            ServiceFailed: it did not answer.
        """
        begin = time.perf_counter()
        body = post_rows(self.url, wire_rows(rows, self.contract))
        return Prediction.from_json(
            {
                "outputs": {name: values for name, values in body.items() if name != "warnings"},
                "milliseconds": (time.perf_counter() - begin) * 1000,
                "warnings": body["warnings"],
            }
        )

    def replay(self) -> Replay:
        """The golden examples through this service.

        Raises:
            ReplayMismatch: an answer differs from the notebook's.
        """
        replay = replay_http(self.url, self.contract)
        if not replay.passed:
            raise mismatch(replay)
        return replay

    def watch(self) -> dict[str, Any]:
        """What it counted since it started: requests, latency, problems, memory, drift by field.

        Raises:
            ServiceFailed: it does not answer.
        """
        return get_json(f"{self.url}/watch")

    def log(self, tail: int = 200) -> str:
        """The last ``tail`` lines that the service printed."""
        return _tail(Path(self.record.log), tail)

    def stop(self, timeout: float = 10.0) -> None:
        """Asks it to end, then ends it with all its children. Stopping twice is fine."""
        record = _read(_file(self.record.id)) or self.record
        if record.pid:
            paths.stop_tree(record.pid, record.birth, timeout)
        _file(record.id).unlink(missing_ok=True)
        self.record = replace(record, state="stopped")

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ekiben service {self.record.id} {self.record.state} {self.url}>"

    def _repr_html_(self) -> str:
        from ekiben.views import server_html

        return server_html(self.record)


def _file(identity: str) -> Path:
    return paths.runtime_dir() / f"{PREFIX}{identity}.json"


def _read(file: Path) -> Server | None:
    try:
        return Server.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError, PermissionError):
        return None  # gone since it was listed, or not one of ours


def _judged(record: Server) -> Server:
    """The record with the state that the process table shows."""
    if record.state not in ("starting", "ready"):
        return record
    if record.pid == 0:
        age = time.time() - datetime.fromisoformat(record.started).timestamp()
        return record if age < UNBORN else replace(record, state="failed", message=_("It never started."))
    if paths.alive(record.pid, record.birth):
        return replace(record, memory=paths.memory(record.pid))
    return replace(record, state="failed", message=_("The process is gone without a goodbye."))


def _fail(file: Path, record: Server, message: str) -> None:
    known = _read(file) or record
    told = replace(known, state="failed", message=message, told=kept({"message": message}))
    paths.write_atomic(file, json.dumps(told.to_json()))


def _new_log(identity: str) -> Path:
    folder = paths.home() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    living = {record.log for record in servers()}
    old = sorted(folder.glob("*.log"), key=_changed)[:-LOGS_KEPT]
    for file in old:
        if str(file) not in living:
            file.unlink(missing_ok=True)
    return folder / f"{identity}.log"


def _changed(file: Path) -> float:
    """When a file was last written; one that another process has removed meanwhile is the oldest."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _tail(file: Path, lines: int) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - lines * 400))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])
