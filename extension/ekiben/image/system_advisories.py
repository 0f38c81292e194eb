"""Known vulnerabilities of the distribution's packages, as OSV tells them.

Advisories of Debian and Ubuntu name source packages, so those are asked for, with the release as OSV spells it.
What Debian's security team calls unimportant is left out; one vulnerability that is told by its own record and
by an announcement counts once. Protocol: https://google.github.io/osv.dev/post-v1-querybatch/ (at most 1,000
questions at once, pages by each answer's ``next_page_token``), an advisory: https://ossf.github.io/osv-schema/.

``EKIBEN_ADVISORIES`` is the address of another OSV server (``https://osv.example/v1/query``), or ``off``.
"""

from __future__ import annotations

import contextvars
import json
import re
import threading
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from ekiben.image.reach import Reach, source
from ekiben.records import Audit, Vulnerability
from ekiben.records.image import SystemPackage
from ekiben.words import _

#: Seconds that all of it may take.
PATIENCE = 20.0
_AT_ONCE = 1000
_CVE = re.compile(r"CVE-\d{4}-\d+")

#: Ecosystem, source package, version.
Asked = tuple[str, str, str]


def reach() -> Reach | None:
    """Whether the source is there, asked from now on; None where it is not to be asked."""
    return None if source() == "off" else Reach(source())


class SystemWatch:
    """The report on the packages of a distribution, begun at once and collected at the end of the build."""

    def __init__(self, system: Collection[SystemPackage], reach: Reach | None = None) -> None:
        self._system, self._reach = tuple(system), reach
        self._subjects = {one: asked for one in self._system if (asked := _subject(one))}
        self._answer: Audit | None = None
        self._until = time.monotonic() + PATIENCE
        self._thread: threading.Thread | None = None
        self._source = source()
        if self._subjects and self._source != "off":
            # The language is that of whom it is for.
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._look,), daemon=True)
            self._thread.start()

    def report(self) -> Audit:
        """What was found; waits no longer than ``PATIENCE`` seconds after it began, and not where out of ``reach``."""
        if not self._system:
            return Audit()
        if self._source == "off":
            return self._not(_("switched off by EKIBEN_ADVISORIES"))
        if self._thread is None:
            return self._not(_("OSV has no advisories of this distribution"))
        why = self._reach.why_not() if self._reach else ""
        if why:
            return self._not(why)
        self._thread.join(max(self._until - time.monotonic(), 0) + 0.5)
        return self._answer or self._not(_("the source of advisories did not answer in time"))

    def _look(self) -> None:
        asked = sorted(set(self._subjects.values()))
        root = self._source.rsplit("/", 1)[0]
        try:
            hits = _asked(f"{root}/querybatch", asked, self._until)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            self._answer = self._not(_why(problem))
            return
        ids = sorted({id for found in hits.values() for id in found})
        known = _read(root, ids, self._until)
        found: list[Vulnerability] = []
        unread = 0
        for subject in asked:
            records = {id: known.get(id) for id in hits[subject]}
            unread += sum(record is None for record in records.values())
            found += _told(subject, records)
        # What can be mended stands first.
        found.sort(key=lambda one: (not one.fixed, one.package, one.id))
        others = tuple(_plainly(one) for one in self._system if one not in self._subjects)
        doubt = (_("whether {n} of these are fixed", n=unread),) if unread else ()
        self._answer = Audit(len(self._subjects), (*others, *doubt), tuple(found))

    def _not(self, why: str) -> Audit:
        return Audit(unchecked=(_("{n} packages of the base image", n=len(self._system)),), why=why)


def ecosystem(distribution: str, release: str) -> str:
    """OSV's name of a release: ``Debian:12``, ``Ubuntu:24.04:LTS``; empty for others."""
    if distribution == "debian" and release:
        return f"Debian:{release}"
    if distribution == "ubuntu" and release:
        lasting = re.fullmatch(r"\d*[02468]\.04", release)
        return f"Ubuntu:{release}:LTS" if lasting else f"Ubuntu:{release}"
    return ""


def _subject(package: SystemPackage) -> Asked | None:
    where = ecosystem(package.distribution, package.release)
    if package.kind != "deb" or not where or not package.source:
        return None
    return where, package.source, package.source_version or package.version


def _asked(url: str, asked: list[Asked], until: float) -> dict[Asked, list[str]]:
    """The ids of the advisories by what was asked, all pages of them."""
    found: dict[Asked, list[str]] = {one: [] for one in asked}
    waiting = [(one, "") for one in asked]
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        queries = [
            {
                "package": {"ecosystem": where, "name": name},
                "version": version,
                **({"page_token": page} if page else {}),
            }
            for (where, name, version), page in now
        ]
        results = _json(url, until, {"queries": queries})["results"]
        if len(results) != len(now):
            raise ValueError(f"{len(results)} answers to {len(now)} questions")
        for (one, _page), result in zip(now, results, strict=True):
            found[one] += [hit["id"] for hit in result.get("vulns") or ()]
            if result.get("next_page_token"):
                waiting.append((one, result["next_page_token"]))
    return found


def _read(root: str, ids: Iterable[str], until: float) -> dict[str, dict[str, Any]]:
    """The advisories that could be had in time, by id."""

    def one(id: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = _json(f"{root}/vulns/{quote(id)}", until)
            return record if record["id"] == id else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    listed = list(ids)
    with ThreadPoolExecutor(16) as pool:
        got = zip(listed, pool.map(one, listed), strict=True)
        return {id: record for id, record in got if record is not None}


def _told(subject: Asked, records: dict[str, dict[str, Any] | None]) -> list[Vulnerability]:
    """The vulnerabilities of one package; an advisory that could not be read is told by its id."""
    where, name, version = subject
    found: list[Vulnerability] = []
    single: set[str] = set()
    announced: list[tuple[set[str], Vulnerability]] = []
    for id, record in records.items():
        about = _about(record or {}, where, name)
        if about and all(one.get("ecosystem_specific", {}).get("urgency") == "unimportant" for one in about):
            single.update(_names(record or {}))
            continue
        events = [event for one in about for span in one.get("ranges", ()) for event in span["events"]]
        fixed = tuple(dict.fromkeys(event["fixed"] for event in events if "fixed" in event))
        names = _names(record or {})
        cves = [one for one in names if _CVE.fullmatch(one)]
        if len(cves) > 1:
            announced.append((set(cves), Vulnerability(name, version, id, fixed, tuple(cves))))
        elif cves and cves[0] in single:
            continue
        else:
            shown = cves[0] if cves else id
            single.update(cves)
            found.append(
                Vulnerability(name, version, shown, fixed, tuple(one for one in names if one != shown))
            )
    return found + [one for cves, one in announced if not cves <= single]


def _about(record: dict[str, Any], where: str, name: str) -> list[dict[str, Any]]:
    """What an advisory says of the package in that release."""
    listed = record.get("affected", ())
    return [
        one for one in listed if one.get("package") == {**one["package"], "ecosystem": where, "name": name}
    ]


def _names(record: dict[str, Any]) -> list[str]:
    """An advisory's id and its others, the CVE's own among them."""
    told = (record["id"], *record.get("aliases", ()), *record.get("upstream", ())) if record else ()
    return list(dict.fromkeys(told))


def _json(url: str, until: float, body: Any = None) -> Any:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(_("the source of advisories did not answer in time"))
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"} if data else {})
    with urlopen(request, timeout=min(left, 8.0)) as answer:
        return json.loads(answer.read())


def _why(problem: Exception) -> str:
    if isinstance(problem, HTTPError):
        return f"{problem.url}: {problem.code} {problem.reason}"
    return str(getattr(problem, "reason", "") or problem)[:300] or type(problem).__name__


def _plainly(package: SystemPackage) -> str:
    return f"{package.name} {package.version}".strip()
