"""Slow verbs: a child process that prints one JSON event a line, and a supervisor that keeps its record.

The events::

    {"event": "step", "step": 3, "steps": 40, "message": "…"}      counted from 1
    {"event": "layer", "name": "…", "bytes": 1, "seconds": 0.1, "how": "made"}   a layer of an image is done
    {"event": "log", "line": "…"}
    {"event": "done", "result": {…}}
    {"event": "error", "error": "…", "type": "BuildFailed", "where": "…", "remedy": "…"}

``told`` beside them has the sentences of an event as ``words.kept`` gives them.

A line that is none of these is a log line. Each job has three files in Jupyter's runtime directory:
``ekiben-job-<id>.json`` (a ``records.Job``), ``.events`` (the events, the last is ``done`` or
``error``) and ``.log`` (text for people). The supervisor is ``python -m ekiben.jobs``; it leads a
session of its own and writes the files itself, so a job outlives the kernel that started it, and any
process can list, follow and cancel it. Cancelling is asked for with a fourth file, ``.cancel``,
because a signal would not reach a process on Windows.
"""

from __future__ import annotations

import json
import os
import queue
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from ekiben import paths, scratch
from ekiben.errors import EkibenError, NotFound
from ekiben.records import Job, LayerStep
from ekiben.words import _, again, kept, language

#: Seconds that a cancelled child has to tidy up before it is killed.
GRACE = 30.0
#: Seconds between two looks at a file that grows.
_LOOK = 0.2

# How a supervisor leaves its parent's console, how it starts its child, and how it asks it to end.
_DETACHED: dict[str, Any] = {"start_new_session": True}
_CHILD: dict[str, Any] = {}
_ASK = signal.SIGTERM
if sys.platform == "win32":
    _CHILD = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    _DETACHED = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    _ASK = signal.CTRL_BREAK_EVENT

_started: list[subprocess.Popen[bytes]] = []


def start(
    verb: str,
    subject: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Job:
    """Starts ``argv`` as a job and returns once its record is on disk.

    ``verb`` and ``subject`` name it to people (``build``, ``iris:1``). The child gets this process's
    environment with ``env`` over it.

    Raises:
        EkibenError: the supervisor did not come up.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    identity = secrets.token_hex(4)
    record = _path(identity, ".json")
    log = _path(identity, ".log")
    seed = Job(
        id=identity,
        verb=verb,
        subject=subject,
        state="running",
        step=0,
        steps=0,
        message="",
        log=str(log),
        pid=0,
        birth=0.0,
        started=_now(),
    )
    paths.write_atomic(record, json.dumps(seed.to_json()))
    with open(log, "ab", opener=paths.private) as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ekiben.jobs", str(record), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=cwd or record.parent,
            env={**os.environ, "EKIBEN_LANG": language(), **(env or {})},
            **_DETACHED,
        )
    _started.append(process)
    while True:
        # The exit is looked at first: a supervisor that ends at once has written its record by then.
        ended = process.poll() is not None
        job = _read(record)
        if job is not None and job.pid:
            return job
        if ended:
            text = log.read_text(encoding="utf-8", errors="replace")
            _delete(identity)
            raise EkibenError(_("The job did not start: {reason}", reason=text.strip()[-500:]), where=verb)
        time.sleep(0.01)


def jobs() -> tuple[Job, ...]:
    """Every job that has a record, the latest first; one whose supervisor died is told as failed."""
    found = [_read(path) for path in paths.runtime_dir().glob("ekiben-job-*.json")]
    known = [_truth(job) for job in found if job is not None and job.pid]
    return tuple(sorted(known, key=lambda job: job.started, reverse=True))


def find(id: str) -> Job:
    """The job ``id``.

    Raises:
        NotFound: there is none.
    """
    job = _read(_path(id, ".json")) if re.fullmatch(r"[0-9a-f]{1,32}", id) else None
    if job is None:
        raise NotFound(
            _("There is no job {id}.", id=id), remedy=_("See which there are: {verb}", verb="ekiben jobs")
        )
    return _truth(job)


def follow(id: str) -> Iterator[dict[str, Any]]:
    """The events of a job from its first on, as they come; the last is ``done`` or ``error``."""
    job = find(id)
    events = _path(id, ".events")
    offset, rest = 0, b""
    while True:
        # Read the state before the events: what was written before the end is then never missed.
        job = find(id)
        if events.exists():
            with open(events, "rb") as file:
                file.seek(offset)
                fresh = file.read()
            offset += len(fresh)
            *lines, rest = (rest + fresh).split(b"\n")
            for line in lines:
                event: dict[str, Any] = json.loads(line)
                yield event
                if event["event"] in ("done", "error"):
                    return
        if job.state != "running":
            yield {
                "event": "error",
                "error": job.error,
                "type": "EkibenError",
                "where": "",
                "remedy": job.remedy,
            }
            return
        time.sleep(_LOOK)


def cancel(id: str, timeout: float = GRACE) -> Job:
    """Stops a running job with every process that it started; an ended one comes back as it is.

    The child is asked first, so that it can undo what is half done; after ``timeout`` seconds it is
    killed.
    """
    job = find(id)
    if job.state != "running":
        return job
    paths.write_atomic(_path(id, ".cancel"), str(timeout))
    deadline = time.monotonic() + timeout + 5.0
    while paths.alive(job.pid, job.birth) and time.monotonic() < deadline:
        time.sleep(0.05)
    paths.stop_tree(job.pid, job.birth, timeout=1.0)
    written = _read(_path(id, ".json"))
    if written is not None and written.state == "running":
        # The supervisor had to be killed, so its last word is written here.
        error = _("Cancelled.")
        told = {**written.told, **kept({"error": error})}
        _write(replace(written, state="cancelled", ended=_now(), error=error, told=told))
    return find(id)


def forget(id: str) -> None:
    """Removes the record and the log of a job that has ended.

    Raises:
        NotFound: there is no such job.
        EkibenError: it still runs.
    """
    job = find(id)
    if job.state == "running":
        raise EkibenError(_("The job {id} still runs.", id=id), where=id, remedy=_("Cancel it first."))
    # When the supervisor was killed, its child may live on in the session.
    paths.stop_tree(job.pid, job.birth, timeout=5.0)
    _delete(id)


def log(id: str, tail: int = 200) -> str:
    """The last ``tail`` lines of a job's log."""
    path = Path(find(id).log)
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-tail:])


def emit(event: str, **values: Any) -> None:
    """Prints one event; for the child's side."""
    told = kept(values)
    extra = {"told": told} if told else {}
    print(json.dumps({"event": event, **values, **extra}, ensure_ascii=False), flush=True)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _path(identity: str, suffix: str) -> Path:
    return paths.runtime_dir() / f"ekiben-job-{identity}{suffix}"


def _read(path: Path) -> Job | None:
    """The record, or None where it is gone or not one of ours."""
    try:
        return Job.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _write(job: Job) -> None:
    paths.write_atomic(_path(job.id, ".json"), json.dumps(job.to_json(), ensure_ascii=False))


def _delete(identity: str) -> None:
    for suffix in (".json", ".events", ".log", ".cancel"):
        _path(identity, suffix).unlink(missing_ok=True)


def _truth(job: Job) -> Job:
    """The job as it is, in the reader's language: a record that says running beside a dead supervisor is a failure."""
    job = _actual(job)
    told = job.told
    return replace(
        job,
        message=again(told.get("message"), job.message),
        error=again(told.get("error"), job.error),
        remedy=again(told.get("remedy"), job.remedy),
    )


def _actual(job: Job) -> Job:
    if job.state != "running" or not job.pid or paths.alive(job.pid, job.birth):
        return job
    # It may have ended between the reading of the record and the look at the process.
    latest = _read(_path(job.id, ".json")) or job
    if latest.state != "running":
        return latest
    return replace(
        latest,
        state="failed",
        error=_("The job's process was ended from outside."),
        remedy=_("Start it again."),
        told={part: known for part, known in latest.told.items() if part == "message"},
    )


class _Supervisor:
    """Runs the child and writes down what it says."""

    def __init__(self, record: Path) -> None:
        job = _read(record)
        if job is None:
            raise SystemExit(f"no job record: {record}")
        self.folder = record.parent
        self.job = replace(job, pid=os.getpid(), birth=paths.process_birth(os.getpid()) or 0.0)
        self.events = open(record.with_suffix(".events"), "ab", buffering=0, opener=paths.private)  # noqa: SIM115
        self.log = open(job.log, "ab", buffering=0, opener=paths.private)  # noqa: SIM115
        self.cancel = record.with_suffix(".cancel")
        self.record = record
        self.error: dict[str, Any] | None = None
        self.asked = False
        self.keep()

    def keep(self) -> None:
        """Writes the record."""
        paths.write_atomic(self.record, json.dumps(self.job.to_json(), ensure_ascii=False))
        self.kept = time.monotonic()
        self.stale = False

    def tell(self, event: dict[str, Any]) -> None:
        """Appends one event."""
        self.events.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")

    def hear(self, line: bytes) -> None:
        """Takes one line of the child."""
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "event" not in event:
            event = {"event": "log", "line": text}
        kind = event["event"]
        if kind == "step":
            self.job = replace(
                self.job,
                step=int(event["step"]),
                steps=int(event["steps"]),
                message=str(event["message"]),
                told=event.get("told") or {},
            )
            self.log.write(f"[{event['step']}/{event['steps']}] {event['message']}\n".encode())
            # A burst of quick steps is one write of the record.
            self.stale = True
            if time.monotonic() - self.kept > 0.1:
                self.keep()
        elif kind == "layer":
            done = LayerStep.from_json(event)
            self.job = replace(self.job, layers=(*self.job.layers, done))
            self.log.write(f"{done.name}: {done.bytes} bytes, {done.seconds:.1f} s, {done.how}\n".encode())
            self.stale = True
        elif kind == "log":
            self.log.write(f"{event['line']}\n".encode())
        elif kind == "done":
            self.job = replace(self.job, result=event.get("result"))
            return
        elif kind == "error":
            self.error = event
            return
        self.tell(event)

    def run(self, argv: list[str]) -> None:
        """From the child's start to its end, with the last word in the record."""
        try:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, **_CHILD
            )
        except OSError as problem:
            self.error = {"error": str(problem), "type": "EkibenError", "where": argv[0], "remedy": ""}
            self.end(None)
            return
        birth = paths.process_birth(child.pid)
        assert child.stdout is not None
        lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
        limit: float | None = None
        while True:
            try:
                line = lines.get(timeout=_LOOK)
                if line is None:
                    break
                self.hear(line)
            except queue.Empty:
                # A grandchild may hold the pipe open long after the child's end.
                if child.poll() is not None:
                    break
                if self.stale:
                    self.keep()
            if limit is None and (self.asked or self.cancel.exists()):
                self.asked = True
                limit = time.monotonic() + self.grace()
                child.send_signal(_ASK)
            if limit is not None and time.monotonic() > limit:
                paths.stop_tree(child.pid, birth, timeout=0.0)
        status = child.wait()
        paths.stop_others(timeout=1.0)
        scratch.sweep()  # a child that was killed could not
        self.end(status)

    def grace(self) -> float:
        """Seconds that the canceller grants."""
        return float(self.cancel.read_text()) if self.cancel.exists() else GRACE

    def end(self, status: int | None) -> None:
        """The last word: ``done``, ``failed`` or ``cancelled``."""
        error = self.error
        if error is None and self.job.result is None:
            told = _("It ended with status {status} before it was done.", status=status)
            error = {"error": told, "type": "EkibenError", "where": "", "remedy": _("Read its log.")}
        if error is None:
            self.job = replace(self.job, state="done", step=self.job.steps, ended=_now())
            self.tell({"event": "done", "result": self.job.result})
        else:
            cancelled = self.asked or error.get("type") == "Cancelled"
            if cancelled:
                error = {"error": _("Cancelled."), "type": "Cancelled", "where": "", "remedy": ""}
            self.job = replace(
                self.job,
                state="cancelled" if cancelled else "failed",
                ended=_now(),
                error=str(error.get("error", "")),
                remedy=str(error.get("remedy", "")),
                told={**self.job.told, **kept(error), **error.get("told", {})},
            )
            self.tell({**error, "event": "error"})
        self.keep()
        self.cancel.unlink(missing_ok=True)


def _pump(pipe: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def main(arguments: list[str]) -> int:
    """``python -m ekiben.jobs RECORD argv…``: supervises one job."""
    supervisor = _Supervisor(Path(arguments[0]))

    def asked(_number: int, _frame: object) -> None:
        supervisor.asked = True

    signal.signal(signal.SIGTERM, asked)
    signal.signal(signal.SIGINT, asked)
    supervisor.run(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
