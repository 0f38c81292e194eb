"""The log: a line a request, with its id, and never what was sent unless ``EKIBEN_LOG_PAYLOADS`` is 1.

``EKIBEN_LOG=json`` writes one JSON object a line, whatever speaks (also the server's own words and
tracebacks). The form for people, which is the default, shows at most ``MOST`` requests a second and counts
the rest; ``EKIBEN_LOG=quiet`` leaves requests out. A request's id is its ``X-Request-Id``, else the trace
id of its ``traceparent`` (W3C Trace Context), else made here; the answer carries it.
"""

from __future__ import annotations

import itertools
import json
import logging
import secrets
import sys
import time
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any

FORMS = ("text", "json", "quiet")
#: Requests that the text form shows in one turn.
MOST = 50
#: Lines of JSON that are written at a time.
PIECE = 200
#: Bytes of a body that are shown where payloads are asked for.
SHOWN = 2000
#: The id of the request whose trouble is being told.
troubled: ContextVar[str] = ContextVar("troubled", default="")

_made = itertools.count(1)
_here = secrets.token_hex(6).encode()
_ALLOWED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=@")

Entry = tuple[float, bytes, str, str, int, float, bytes]


def marks(headers: list[tuple[bytes, bytes]]) -> tuple[str, bytes]:
    """The client's language (two letters) and the request's id."""
    speaks, identity = marked(headers)
    return speaks, identity or made()


def marked(headers: list[tuple[bytes, bytes]]) -> tuple[str, bytes]:
    """The same, but no id where the client sent none."""
    speaks, identity = "en", b""
    for name, value in headers:
        if name == b"accept-language":
            speaks = value[:2].decode("latin-1").lower()
        elif name == b"x-request-id":
            if 0 < len(value) <= 128 and _ALLOWED.issuperset(value):
                identity = value
        elif name == b"traceparent" and not identity:
            parts = value.split(b"-")
            if len(parts) >= 4 and len(parts[1]) == 32 and _ALLOWED.issuperset(parts[1]):
                identity = parts[1]
    return speaks, identity


def made() -> bytes:
    """An id of ours."""
    return b"%b%x" % (_here, next(_made))


class Journal:
    """Takes entries on a request's way, and writes them in ``turn``."""

    def __init__(self, form: str, payloads: bool = False) -> None:
        self.form = form
        self.payloads = payloads
        self.waiting: list[Entry] = []
        #: Requests that are only counted, as many as are shown wait already; and how many of them were told.
        self.more = self.told = 0

    def add(
        self, identity: bytes, method: str, path: str, status: int, seconds: float, body: bytes = b""
    ) -> None:
        """One request was answered."""
        form = self.form
        if form == "quiet":
            return
        if form == "text" and len(self.waiting) >= (MOST if status < 500 else 2 * MOST):
            self.more += 1
            return
        shown = body[:SHOWN] if self.payloads else b""
        self.waiting.append((time.time(), identity, method, path, status, seconds, shown))

    def turn(self, last: bool = False) -> None:
        """Writes what has come together."""
        entries, self.waiting = self.waiting, []
        more = self.more - self.told
        self.told += more
        if not entries:
            return
        if self.form == "json":
            # Piece by piece, so that requests are answered between.
            for start in range(0, len(entries), PIECE):
                sys.stderr.write(_as_json(entries[start : start + PIECE]))
        else:
            sys.stderr.write(_as_text(entries, more))
        sys.stderr.flush()


def _as_json(entries: list[Entry]) -> str:
    lines = []
    for moment, identity, method, path, status, seconds, body in entries:
        told = {
            "time": _iso(moment),
            "level": "info" if status < 500 else "error",
            "request": identity.decode("latin-1"),
            "method": method,
            "path": path,
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        if body:
            told["body"] = body.decode("utf-8", "replace")
        lines.append(told)
    try:
        import msgspec
    except ImportError:
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return msgspec.json.Encoder().encode_lines(lines).decode()


def _as_text(entries: list[Entry], more: int) -> str:
    # Trouble is shown first where not all can be.
    shown = entries if len(entries) <= MOST else sorted(entries, key=lambda entry: entry[4] < 500)[:MOST]
    lines = []
    for moment, identity, method, path, status, seconds, body in sorted(shown):
        clock = datetime.fromtimestamp(moment).strftime("%H:%M:%S")
        told = f"{clock} {status} {method} {json.dumps(path)[1:-1]} {seconds * 1000:.1f} ms {identity.decode('latin-1')}"
        lines.append(f"{told} {body.decode('utf-8', 'replace')!r}" if body else told)
    more += len(entries) - len(shown)
    if more:
        lines.append(f"and {more} more requests")
    return "\n".join(lines) + "\n"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")


class JsonLines(logging.Formatter):
    """A record of ``logging`` as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, the traceback in it."""
        told: dict[str, Any] = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if troubled.get():
            told["request"] = troubled.get()
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class Plain(logging.Formatter):
    """For people: the level, the message, the request that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The line and the traceback below it."""
        about = f" (request {troubled.get()})" if troubled.get() else ""
        text = f"{record.levelname + ':':<9} {record.getMessage()}{about}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def logging_config(form: str) -> dict[str, Any]:
    """What ``logging.config.dictConfig`` takes: all that the server and the service say, in one form."""
    made = JsonLines if form == "json" else Plain
    handler = {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}
    names = ("uvicorn", "uvicorn.error", "ekiben")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": made}},
        "handlers": {"lines": handler},
        "loggers": {
            name: {"handlers": [] if name == "uvicorn.error" else ["lines"], "level": "INFO"}
            | ({} if name == "uvicorn.error" else {"propagate": False})
            for name in names
        },
    }
