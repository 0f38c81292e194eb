"""Known vulnerabilities: asked over HTTP as pip-audit asks, told with what mends them, and what was not checked."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ekiben import image
from ekiben.image import advisories, reach, system_advisories
from ekiben.image.system_advisories import SystemWatch
from ekiben.records import Audit, Image, Vulnerability
from ekiben.records.image import SystemPackage
from rig.osv import advisory, answering
from test_image import in_container

if TYPE_CHECKING:
    from ekiben.box import Box

GLIBC = SystemPackage("libc6", "2.36", "amd64", "debian", "12", source="glibc")
REQUIREMENTS = "jinja2==3.1.6\nmarkupsafe==3.0.2\nlocal @ file:///somewhere/local.whl\n"
FOUND = Vulnerability("jinja2", "3.1.6", "CVE-2026-0001", ("3.1.7",), ("TEST-2026-1",))


def test_a_known_one_is_told_with_its_fix_and_the_rest_as_not_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "FIRST", 60.0)
    known = {("jinja2", "3.1.6"): [advisory("jinja2", "TEST-2026-1", "CVE-2026-0001", "3.1.7")]}
    with answering(known) as source:
        monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
        told = advisories.Watch(REQUIREMENTS).report(patience=600)
    assert sorted(source.asked) == [("jinja2", "3.1.6"), ("markupsafe", "3.0.2")]
    assert told == Audit(2, ("local @ file:///somewhere/local.whl",), (FOUND,))
    sentence = advisories.sentence(told)
    assert "1, of 2 packages: jinja2 3.1.6 CVE-2026-0001 (TEST-2026-1), fixed in 3.1.7." in sentence
    assert sentence.endswith("Not checked: local @ file:///somewhere/local.whl")


def test_a_source_that_is_not_there_is_not_a_clean_report(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({}) as source:
        pass
    monkeypatch.setenv("EKIBEN_ADVISORIES", source.url)
    told = advisories.Watch(REQUIREMENTS).report(patience=600)
    assert (told.checked, told.vulnerabilities) == (0, ())
    assert told.unchecked[:2] == ("jinja2==3.1.6", "markupsafe==3.0.2") and told.why
    assert "not checked" in advisories.sentence(told)
    monkeypatch.setenv("EKIBEN_ADVISORIES", "off")
    assert "EKIBEN_ADVISORIES" in advisories.sentence(advisories.Watch(REQUIREMENTS).report())


@in_container
def test_it_stands_in_the_record_the_card_and_the_lists(built: Image, iris_box: Box) -> None:
    assert built.audit is not None
    one, below = built.audit.vulnerabilities
    assert (one.package, one.id, one.fixed) == ("scikit-learn", "CVE-2026-0002", ("99.1",))
    # The base's packages were asked for by their sources' names.
    assert (below.package, below.id, below.fixed) == ("glibc", "CVE-2026-0003", ("9.9-1",))
    pins = [line for line in iris_box.project.files["requirements.txt"].splitlines() if "==" in line]
    system = [
        part for part in image.BuiltImage(built).sbom["components"] if "pkg:deb/" in part.get("purl", "")
    ]
    assert system and built.audit.checked == len(pins) + len(system)
    assert {name.partition(" ")[0] for name in built.audit.unchecked} <= {"python"}
    told = f"scikit-learn {one.version} CVE-2026-0002 (TEST-2026-2), fixed in 99.1"
    assert told in advisories.sentence(built.audit)
    assert told in image.BuiltImage(built)._repr_html_()
    (card,) = [image for image in iris_box.card("box").images if image.reference == built.reference]
    assert card.audit == built.audit
    command = [sys.executable, "-m", "ekiben", "images"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (row,) = [line for line in listed.splitlines() if line.startswith(built.reference)]
    assert "2 known" in row


def test_a_source_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # connections are taken, and nothing is ever said
        monkeypatch.setenv("EKIBEN_ADVISORIES", f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/query")
        monkeypatch.setattr(reach, "FIRST", 0.2)
        watch = advisories.Watch(REQUIREMENTS)
        process = watch._process
        told = watch.report(patience=3600)
        assert process is not None and process.poll() is not None, "it was ended"
        below = SystemWatch([GLIBC], system_advisories.reach()).report()
    for audit in (told, below):
        assert audit.checked == 0 and audit.unchecked
        assert "in time" in audit.why or "timed out" in audit.why


def test_one_that_knows_no_package_is_told_as_that_and_not_as_the_first_of_them() -> None:
    def skipped(*names: str) -> Audit:
        listed = [
            {
                "name": name,
                "version": "1",
                "skip_reason": f"Dependency not found on PyPI and could not be audited: {name} (1)",
            }
            for name in names
        ]
        return advisories.Watch("")._read([*listed, *known])

    known: list[dict[str, object]] = []
    assert "knows none of the packages" in skipped("a2wsgi", "anyio").why
    known.append({"name": "six", "version": "1", "vulns": []})
    one = skipped("a2wsgi")
    assert (one.checked, one.unchecked) == (1, ("a2wsgi",))
    assert one.why == "Dependency not found on PyPI and could not be audited"
