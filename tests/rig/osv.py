"""A server that speaks OSV's query protocol, for one advisory of the tests' own.

It stands in for osv.dev, which the tests cannot reach; pip-audit asks it over HTTP as it would ask the real one.
The protocol: https://google.github.io/osv.dev/post-v1-query/; an advisory: https://ossf.github.io/osv-schema/.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Advisories:
    """Where to ask, what was asked (package and version), and the advisories by that.

    An empty version stands for each.
    """

    url: str
    known: dict[tuple[str, str], dict[str, Any]]
    asked: list[tuple[str, str]] = field(default_factory=list)


def advisory(package: str, id: str, alias: str, fixed: str) -> dict[str, Any]:
    """An advisory about all versions of ``package`` before ``fixed``."""
    return {
        "schema_version": "1.6.0",
        "id": id,
        "aliases": [alias],
        "summary": f"{package} before {fixed} does what it should not",
        "published": "2026-01-02T03:04:05Z",
        "modified": "2026-01-02T03:04:05Z",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }
        ],
    }


@contextmanager
def answering(known: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Advisories]:
    """A server on a free port of 127.0.0.1 that answers with ``known``; it ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    told = Advisories(f"http://127.0.0.1:{server.server_port}/v1/query", known)
    server.advisories = told  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/query" or query["package"]["ecosystem"] != "PyPI":
            return self._answer(400, {"code": 3, "message": "no such query"})
        wanted = (query["package"]["name"], query["version"])
        self.server.advisories.asked.append(wanted)
        known = self.server.advisories.known
        found = known.get(wanted) or known.get((wanted[0], ""))
        self._answer(200, {"vulns": [found]} if found else {})

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: Any) -> None:
        """Tests have a list of what was asked."""
