"""Known vulnerabilities of the distribution's packages: asked over HTTP by their sources' names.

The server is a stand-in for osv.dev (see ``rig.osv``), which the tests cannot reach.
"""

from __future__ import annotations

import pytest
from ekiben.image import advisories, system_advisories
from ekiben.image.system_advisories import SystemWatch
from ekiben.records import Audit, Vulnerability
from ekiben.records.image import SystemPackage
from rig.osv import advisory, answering

WHERE = "Debian:12"
LIBC = SystemPackage("libc6", "2.36-9", "amd64", "debian", "12", source="glibc")
BIN = SystemPackage("libc-bin", "2.36-9", "amd64", "debian", "12", source="glibc")
GCC = SystemPackage("cpp", "4:12.2", "amd64", "debian", "12", source="gcc-defaults", source_version="1.203")
BARE = SystemPackage("libodd1", "1", "amd64", "debian", "12")
PYTHON = SystemPackage("python", "3.11.9", "amd64", "", "", kind="generic")

KNOWN = {
    ("glibc", "2.36-9"): [
        advisory("glibc", "DEBIAN-CVE-2026-0001", "CVE-2026-0001", "", WHERE),
        advisory("glibc", "DEBIAN-CVE-2026-0002", "CVE-2026-0002", "2.36-10", WHERE),
        # The announcement of what the record before it told, and of one that has no record.
        advisory("glibc", "DSA-1-1", "CVE-2026-0002 CVE-2026-0001", "2.36-10", WHERE),
        advisory("glibc", "DSA-2-1", "CVE-2026-0002 CVE-2026-0003", "2.36-11", WHERE),
        advisory(
            "glibc",
            "DEBIAN-CVE-2010-0001",
            "CVE-2010-0001",
            "",
            WHERE,
            ecosystem_specific={"urgency": "unimportant"},
        ),
    ],
    ("gcc-defaults", "1.203"): [advisory("gcc-defaults", "TEST-3", "", "1.204", WHERE)],
    ("libodd1", ""): [advisory("libodd1", "TEST-4", "", "2", WHERE)],
}
SYSTEM = (LIBC, BIN, GCC, BARE, PYTHON)
FOUND = (
    Vulnerability("gcc-defaults", "1.203", "TEST-3", ("1.204",)),
    Vulnerability("glibc", "2.36-9", "CVE-2026-0002", ("2.36-10",), ("DEBIAN-CVE-2026-0002",)),
    Vulnerability("glibc", "2.36-9", "DSA-2-1", ("2.36-11",), ("CVE-2026-0002", "CVE-2026-0003")),
    Vulnerability("glibc", "2.36-9", "CVE-2026-0001", (), ("DEBIAN-CVE-2026-0001",)),
)


@pytest.mark.parametrize("page", [1000, 2])
def test_sources_are_asked_once_page_by_page(monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    with answering(KNOWN, page=page) as source:
        monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
        told = SystemWatch(SYSTEM).report()
    glibc, gcc = (WHERE, "glibc", "2.36-9"), (WHERE, "gcc-defaults", "1.203")
    assert source.batches[0] == [gcc, glibc]
    assert source.batches[1:] == ([] if page == 1000 else [[glibc], [glibc]])
    assert told == Audit(3, ("libodd1 1", "python 3.11.9"), FOUND)
    both = advisories.beside(Audit(2, ("local",)), told)
    assert advisories.sentence(both) == (
        "Known vulnerabilities: 4, of 5 packages: gcc-defaults 1.203 TEST-3, fixed in 1.204; "
        "glibc 2.36-9 CVE-2026-0002 (DEBIAN-CVE-2026-0002), fixed in 2.36-10; "
        "glibc 2.36-9 DSA-2-1 (CVE-2026-0002, CVE-2026-0003), fixed in 2.36-11; "
        "glibc 2.36-9 CVE-2026-0001 (DEBIAN-CVE-2026-0001), not fixed yet. "
        "Not checked: local, libodd1 1, python 3.11.9"
    )


def test_more_questions_than_one_request_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [SystemPackage(f"p{n}", "1", "amd64", "debian", "12", source=f"p{n}") for n in range(1001)]
    with answering({}) as source:
        monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
        assert SystemWatch(many).report() == Audit(1001)
    assert [len(batch) for batch in source.batches] == [1000, 1]


def test_an_advisory_that_cannot_be_read_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(KNOWN, lost=frozenset({"TEST-3"})) as source:
        monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
        told = SystemWatch([GCC]).report()
    assert told == Audit(
        1, ("whether 1 of these are fixed",), (Vulnerability("gcc-defaults", "1.203", "TEST-3"),)
    )


def test_what_was_not_checked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({}) as source:
        pass
    monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
    told = SystemWatch(SYSTEM).report()
    assert (told.checked, told.unchecked) == (0, ("5 packages of the base image",)) and told.why
    sentence = advisories.sentence(advisories.beside(Audit(7), told))
    assert sentence.startswith(
        "Known vulnerabilities: none, of 7 packages. Not checked: 5 packages of the base"
    )
    assert sentence.endswith(f"({told.why})")
    monkeypatch.setenv("EKIBEN_ADVISORIES", "off")
    assert "EKIBEN_ADVISORIES" in SystemWatch(SYSTEM).report().why
    monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
    fedora = SystemPackage("glibc", "2.39", "x86_64", "fedora", "40", source="glibc")
    assert SystemWatch([fedora]).report().why == "OSV has no advisories of this distribution"
    assert SystemWatch(()).report() == Audit()


@pytest.mark.parametrize(
    ("system", "release", "name"),
    [
        ("debian", "12", "Debian:12"),
        ("debian", "", ""),
        ("ubuntu", "24.04", "Ubuntu:24.04:LTS"),
        ("ubuntu", "25.04", "Ubuntu:25.04"),
        ("ubuntu", "24.10", "Ubuntu:24.10"),
        ("alpine", "3.20", ""),
    ],
)
def test_names_of_releases(system: str, release: str, name: str) -> None:
    assert system_advisories.ecosystem(system, release) == name


def test_a_source_that_answers_nonsense_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fedora_like = SystemPackage("libc6", "1", "amd64", "debian", "twelve", source="glibc")
    with answering({}) as source:
        monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
        told = SystemWatch([fedora_like]).report()
    assert told.checked == 0 and "400" in told.why
