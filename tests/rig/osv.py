"""A server that speaks OSV's query protocol, for advisories of the tests' own.

It stands in for osv.dev, which the tests cannot reach; pip-audit and ekiben ask it over HTTP as they would ask
the real one: a question alone (``/v1/query``), many at once whose answers are ids in pages (``/v1/querybatch``),
and an advisory by its id (``/v1/vulns/ID``). Which versions are affected it does not work out: that is in ``known``.
The protocol: https://google.github.io/osv.dev/api/; an advisory: https://ossf.github.io/osv-schema/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rig.web import served

Record = dict[str, Any]


@dataclass
class Advisories:
    """Where to ask, what was asked, and the advisories by package and version.

    An empty version stands for each. ``asked`` has package and version of the questions alone, ``batches`` the
    ecosystem too. A page of a batch's answer holds ``page`` ids; an advisory in ``lost`` cannot be had by its id.
    """

    url: str
    known: dict[tuple[str, str], list[Record]]
    page: int = 1000
    lost: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)
    batches: list[list[tuple[str, str, str]]] = field(default_factory=list)

    def about(self, ecosystem: str, name: str, version: str) -> list[Record]:
        """The advisories that name the package in that ecosystem."""
        found = self.known.get((name, version)) or self.known.get((name, "")) or []
        return [one for one in found if _names(one, ecosystem, name)]


def _names(record: Record, ecosystem: str, name: str) -> bool:
    packages = [one["package"] for one in record["affected"]]
    return any((one["ecosystem"], one["name"]) == (ecosystem, name) for one in packages)


def advisory(package: str, id: str, alias: str, fixed: str, ecosystem: str = "PyPI", **more: Any) -> Record:
    """An advisory about all versions of ``package`` before ``fixed``, or all where that is empty.

    ``more`` goes into what it says of the package.
    """
    end = [{"fixed": fixed}] if fixed else []
    return {
        "schema_version": "1.6.0",
        "id": id,
        # Distributions' records name what they are about as upstream, the others as the same under other names.
        ("aliases" if ecosystem == "PyPI" else "upstream"): alias.split(),
        "summary": f"{package} before {fixed or 'the next'} does what it should not",
        "published": "2026-01-02T03:04:05Z",
        "modified": "2026-01-02T03:04:05Z",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *end]}],
                **more,
            }
        ],
    }


@contextmanager
def answering(known: dict[tuple[str, str], list[Record]], **how: Any) -> Iterator[Advisories]:
    """A server on a free port of 127.0.0.1 that answers with ``known``; it ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    told = Advisories(f"http://127.0.0.1:{server.server_port}/v1/query", known, **how)
    server.advisories = told  # type: ignore[attr-defined]
    with served(server):
        yield told


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/querybatch":
            return self._batch(query["queries"])
        if self.path != "/v1/query" or query["package"]["ecosystem"] != "PyPI":
            return self._refuse("no such query")
        wanted = (query["package"]["name"], query["version"])
        self.server.advisories.asked.append(wanted)
        found = self.server.advisories.about("PyPI", *wanted)
        self._answer(200, {"vulns": found} if found else {})

    def _batch(self, queries: list[Record]) -> None:
        source: Advisories = self.server.advisories
        named = [(one["package"]["ecosystem"], one["package"]["name"], one["version"]) for one in queries]
        if len(queries) > 1000:
            return self._refuse("too many queries")
        if not all(re.fullmatch(r"PyPI|Debian(:\d+)?|Ubuntu:\d+\.\d+(:LTS)?", one[0]) for one in named):
            return self._refuse("invalid ecosystem")
        source.batches.append(named)
        results: list[Record] = []
        for query, wanted in zip(queries, named, strict=True):
            found = source.about(*wanted)
            begin = int(query.get("page_token", 0))
            end = begin + source.page
            ids = [{"id": one["id"], "modified": one["modified"]} for one in found[begin:end]]
            more = {"next_page_token": str(end)} if end < len(found) else {}
            results.append({**({"vulns": ids} if ids else {}), **more})
        self._answer(200, {"results": results})

    def do_GET(self) -> None:
        source: Advisories = self.server.advisories
        every = [one for found in source.known.values() for one in found]
        id = self.path.rpartition("/")[2]
        found = [one for one in every if one["id"] == id and id not in source.lost]
        if not self.path.startswith("/v1/vulns/") or not found:
            return self._answer(404, {"code": 5, "message": "Bug not found."})
        self._answer(200, found[0])

    def _refuse(self, why: str) -> None:
        self._answer(400, {"code": 3, "message": why})

    def _answer(self, status: int, data: Record) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: Any) -> None:
        """Tests have a list of what was asked."""
