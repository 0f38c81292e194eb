"""Verbs about services: serve, ps, log, stop, predict."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ekiben import desk, jobs, listings, service
from ekiben.cli.terminal import interrupt, note, show
from ekiben.errors import InvalidRows, NotFound, ServiceFailed
from ekiben.paths import alive
from ekiben.words import _

if TYPE_CHECKING:
    from ekiben.records import Prediction
    from ekiben.service import RunningServer


def serve(options: argparse.Namespace) -> int:
    """Starts the service; in the foreground it lives until Ctrl-C, with its log on the terminal."""
    from ekiben.wrapping import open_box

    box = open_box(options.tag)
    for finding in box.project.findings:
        note(f"{finding.message} {finding.remedy}")
    note(_("Starting {tag} …", tag=box.model.tag))
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, interrupt)
    # An interruption while it starts is undone by ``serve`` itself.
    server = box.serve(timeout=options.timeout)
    try:
        print(server.url, server.record.id, flush=True)
        if not options.detach:
            note(_("Ctrl-C stops it."))
            _watch(server)
    except KeyboardInterrupt:
        note(_("Stopping …"))
        server.stop()
    return 0


def ps(options: argparse.Namespace) -> int:
    """Lists services."""
    return show(listings.servers(service.servers()), options.json)


def log(options: argparse.Namespace) -> int:
    """Prints the end of a log."""
    if any(job.id == options.id for job in jobs.jobs()):
        print(jobs.log(options.id, options.n))
    else:
        print(service.find(options.id).log(options.n))
    return 0


def stop(options: argparse.Namespace) -> int:
    """Stops one service or all of them."""
    if options.all:
        ended = desk.stop_all()
    else:
        server = service.find(options.id)
        server.stop()
        ended = (server.record,)
    for record in ended:
        note(_("Stopped {id}.", id=record.id))
    return 0


def predict(options: argparse.Namespace) -> int:
    """Prints the answers as JSON."""
    rows = _rows(options.file)
    server = desk.serving(options.id)
    if server is None:
        from ekiben.wrapping import open_box

        answer = open_box(options.id).predict(rows)
    else:
        answer = server.predict(rows)
    print(json.dumps(_answer(answer), ensure_ascii=False, indent=2))
    return 0


def _watch(server: RunningServer) -> None:
    """Shows the log until the service ends."""
    record = server.record
    with Path(record.log).open(encoding="utf-8", errors="replace") as file:
        while True:
            living = alive(record.pid, record.birth)
            for line in file:
                sys.stderr.write(line)
            if not living:
                break
            time.sleep(0.3)
    if any(one.id == record.id and one.state == "failed" for one in service.servers()):
        raise ServiceFailed(
            _("The service ended by itself."),
            where=record.log,
            remedy=_("Read its log: ekiben log {id}", id=record.id),
        )
    note(_("It was stopped."))


def _rows(name: str) -> list[Any]:
    """The rows of a file, of the standard input (``-``), or of JSON that was typed in a file's place."""
    try:
        if name.lstrip()[:1] in ("{", "["):
            text, name = name, "JSON"
        else:
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        data = json.loads(text)
    except OSError as error:
        raise NotFound(
            _("The file cannot be read: {reason}", reason=error.strerror or error),
            where=name,
            remedy=_wanted(),
        ) from error
    except ValueError as error:  # not JSON, or not UTF-8
        told = _("This is not JSON: {reason}", reason=error)
        problem = {"path": name, "code": "not_json", "message": told, "remedy": _wanted()}
        raise InvalidRows(told, problems=(problem,), remedy=_wanted()) from error
    if isinstance(data, dict):
        data = data.get("rows", [data])
    if not isinstance(data, list):
        problem = {
            "path": name,
            "code": "not_rows",
            "message": _("neither a list nor an object"),
            "remedy": _wanted(),
        }
        raise InvalidRows(_("There are no rows in it."), problems=(problem,), remedy=_wanted())
    return data


def _wanted() -> str:
    return _("A list with an object a row: {example}", example='[{"age": 40}, {"age": 51}]')


def _answer(answer: Prediction) -> dict[str, Any]:
    return {**answer.outputs, "warnings": [notice.to_json() for notice in answer.warnings]}
