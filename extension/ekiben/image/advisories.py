"""Known vulnerabilities of the packages, as pip-audit reports them; what was not checked is told.

OSV is asked; ``EKIBEN_ADVISORIES`` is the address of another server of its kind, or ``off``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.image.reach import Reach, source
from ekiben.records import Audit, Vulnerability
from ekiben.shell import APART
from ekiben.words import _

#: Seconds that the report may take once everything else is done.
PATIENCE = 20.0
_SOCKET = 8
#: The package that pip-audit adds to its reason.
_SUBJECT = re.compile(r"(?::? [\w.-]+ \([^()]*\))$")
#: Vulnerabilities that are named in one sentence.
_SHOWN = 5
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)")


class Watch:
    """The report on the requirements of a service, begun at once and collected at the end of the build."""

    def __init__(self, requirements: str) -> None:
        lines = [line.strip() for line in requirements.splitlines()]
        wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
        found = [pin for line in wanted if (pin := _PIN.match(line))]
        self.pins = sorted({f"{pin[1]}=={pin[2]}" for pin in found})
        self.others = tuple(line for line in wanted if not _PIN.match(line))
        self.why = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._reach: Reach | None = None
        self._folder: Path | None = None
        if source() == "off":
            self.why = _("switched off by EKIBEN_ADVISORIES")
        elif find_spec("pip_audit") is None:
            self.why = _("pip-audit is not installed: {command}", command="%pip install 'ekiben[sbom]'")
        elif self.pins:
            self._begin()

    def _begin(self) -> None:
        self._reach = Reach(source())
        self._folder = scratch.make("audit")
        wanted = self._folder / "requirements.txt"
        wanted.write_text("\n".join(self.pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(wanted), "--no-deps"]
        command += [
            "--disable-pip",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--timeout",
            str(_SOCKET),
        ]
        command += ["--output", str(wanted.with_name("report.json"))]
        command += ["--vulnerability-service", "osv", "--osv-url", source()]
        with open(wanted.with_name("log"), "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **APART
            )
        birth = paths.process_birth(self._process.pid) or 0.0
        (self._folder / "pid").write_text(f"{self._process.pid} {birth}", encoding="utf-8")

    def report(self, patience: float = PATIENCE) -> Audit:
        """What was found; waits no longer than ``patience`` seconds, and not for a source out of reach."""
        if self._process is None or self._folder is None or self._reach is None:
            return Audit(unchecked=(*self.pins, *self.others), why=self.why)
        why = self._reach.why_not()
        if why:
            self.end()
            return self._not(why)
        folder = self._folder
        try:
            self._process.wait(patience)
            told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired:
            return self._not(_("the source of advisories did not answer in time"))
        except (OSError, ValueError):
            log = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return self._not(log[-1][-300:] if log else "")
        finally:
            self.end()
        return self._read(told["dependencies"])

    def _read(self, listed: list[dict[str, Any]]) -> Audit:
        # A source that cannot be reached looks like one that does not know the package.
        skipped = [one for one in listed if "skip_reason" in one]
        found = tuple(
            Vulnerability(
                one["name"],
                one["version"],
                hit["id"],
                tuple(hit["fix_versions"]),
                tuple(hit.get("aliases", ())),
            )
            for one in listed
            for hit in one.get("vulns", ())
        )
        return Audit(
            checked=len(listed) - len(skipped),
            unchecked=(*(one["name"] for one in skipped), *self.others),
            vulnerabilities=found,
            why=_reason(skipped, len(listed)),
        )

    def _not(self, why: str) -> Audit:
        return Audit(unchecked=(*self.pins, *self.others), why=why)

    def end(self) -> None:
        """Ends it, and leaves nothing; once is enough."""
        if self._process is not None and self._process.poll() is None:
            paths.stop_tree(self._process.pid, paths.process_birth(self._process.pid), timeout=2.0)
            self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _reason(skipped: list[dict[str, Any]], all_of_them: int) -> str:
    """Why packages were not checked: pip-audit names one package where the source knew none at all."""
    if not skipped:
        return ""
    if len(skipped) == all_of_them > 1:
        return _("the source of advisories knows none of the packages: EKIBEN_ADVISORIES names another")
    return _SUBJECT.sub("", skipped[0]["skip_reason"])[:300]


def beside(audit: Audit, system: Audit) -> Audit:
    """Both reports in one: the service's own packages, and those that they stand on."""
    return Audit(
        audit.checked + system.checked,
        (*audit.unchecked, *system.unchecked),
        (*audit.vulnerabilities, *system.vulnerabilities),
        audit.why or system.why,
    )


def sentence(audit: Audit) -> str:
    """The report in one sentence, or two."""
    if not audit.checked:
        why = audit.why or _("no source of advisories answered")
        return _("Known vulnerabilities: not checked ({why}).", why=why)
    found = audit.vulnerabilities
    if found:
        told = _(
            "Known vulnerabilities: {n}, of {all} packages: {named}",
            n=len(found),
            all=audit.checked,
            named="; ".join(map(named, found[:_SHOWN])),
        )
        told += " …" if len(found) > _SHOWN else "."
    else:
        told = _("Known vulnerabilities: none, of {n} packages.", n=audit.checked)
    if audit.unchecked:
        names = ", ".join(audit.unchecked[:8]) + (" …" if len(audit.unchecked) > 8 else "")
        told += " " + _("Not checked: {names}", names=names) + (f" ({audit.why})" if audit.why else "")
    return told


def named(one: Vulnerability) -> str:
    """``jinja2 3.1.2 PYSEC-2026-1 (CVE-2026-1), fixed in 3.1.3``."""
    aliases = f" ({', '.join(one.aliases)})" if one.aliases else ""
    fixed = _("fixed in {versions}", versions=", ".join(one.fixed)) if one.fixed else _("not fixed yet")
    return f"{one.package} {one.version} {one.id}{aliases}, {fixed}"
