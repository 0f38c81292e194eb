"""Lists of records as small tables: text for a terminal, HTML for a notebook, JSON for a program."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape

from ekiben.amounts import form, size
from ekiben.records import Finding, Image, Job, Model, Record, Server, SizeEstimate
from ekiben.words import _, again


@dataclass(frozen=True)
class Listing:
    """``records`` with the ``columns`` and ``rows`` that show them; ``empty`` is said when none is."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Record, ...]
    empty: str

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Columns in line; a Chinese character takes two places."""
        if not self.rows:
            return self.empty
        lines = [self.columns, *self.rows]
        widths = [max(width_of(line[k]) for line in lines) for k in range(len(self.columns))]
        return "\n".join(
            "  ".join(
                cell + " " * (width - width_of(cell)) for cell, width in zip(line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def json(self) -> str:
        """The records' own JSON, as one list."""
        return json.dumps([record.to_json() for record in self.records], indent=2, ensure_ascii=False)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f'<p style="opacity:.75">{escape(self.empty)}</p>'
        cell = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'
        head = "".join(f"<th {cell}>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td {cell}>{_linked(text)}</td>" for text in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def servers(found: Sequence[Server]) -> Listing:
    """Running services, and those that failed."""
    return Listing(
        (
            "ID",
            _("Model"),
            _("State"),
            "URL",
            _("Process"),
            _("Memory"),
            _("Form"),
            _("Started"),
            _("Notebook"),
        ),
        tuple(
            (
                s.id,
                s.model,
                _state(s.state),
                s.url,
                str(s.pid),
                size(s.memory) if s.memory else "–",
                form(s.form, s.speedup),
                when(s.started),
                s.notebook or "–",
            )
            for s in found
        ),
        tuple(found),
        _("No service is running."),
    )


def models(found: Sequence[Model]) -> Listing:
    """Wrapped models in the BentoML store."""
    from ekiben.views import task

    return Listing(
        (
            _("Model"),
            _("Estimator"),
            _("Task"),
            _("Inputs"),
            _("Size"),
            _("Kept as"),
            _("Form"),
            _("Created"),
        ),
        tuple(
            (
                m.tag,
                m.estimator,
                task(m.contract),
                str(len(m.contract.inputs)),
                size(m.bytes),
                m.storage,
                form("native" if not m.compiled.active else m.compiled.form, m.compiled.speedup),
                when(m.created),
            )
            for m in found
        ),
        tuple(found),
        _("No model was wrapped yet."),
    )


def images(found: Sequence[Image]) -> Listing:
    """Container images with their proof; an unproven one with the name that it was to get."""
    return Listing(
        (_("Image"), _("Model"), _("Size"), _("Proof"), _("Vulnerabilities"), _("Engine"), _("Created")),
        tuple(
            (_named(i), i.model, size(i.bytes), proof(i), _audited(i), i.engine, when(i.created))
            for i in found
        ),
        tuple(found),
        _("No image was built yet."),
    )


def parts(estimate: SizeEstimate) -> Listing:
    """What an image will be made of, the heaviest first."""
    return Listing(
        (_("Part"), _("Size")),
        tuple((part.name, size(part.bytes)) for part in estimate.parts),
        tuple(estimate.parts),
        "",
    )


def expected(estimate: SizeEstimate) -> str:
    """What an image will weigh, in a sentence."""
    told = _("Estimated size: about {size}.", size=size(estimate.bytes))
    if estimate.unknown:
        told += " " + _("Not known of: {names}", names=", ".join(estimate.unknown))
    return told


#: Places of a job's message in a listing.
_MESSAGE = 60


def jobs(found: Sequence[Job]) -> Listing:
    """Slow verbs, running and ended."""
    return Listing(
        ("ID", _("Verb"), _("Subject"), _("State"), _("Step"), _("Message"), _("Started")),
        tuple(
            (
                j.id,
                j.verb,
                j.subject,
                _state(j.state),
                f"{j.step}/{j.steps}",
                _short(j.error or j.message),
                when(j.started),
            )
            for j in found
        ),
        tuple(found),
        _("No job is running."),
    )


class Findings(Listing):
    """Findings are sentences: in a terminal each has a line, and its remedy the next one."""

    def text(self) -> str:
        """``warning  what was found``, then ``→ the remedy``."""
        width = max(width_of(row[0]) for row in self.rows)
        lines = []
        for level, message, remedy in self.rows:
            lines.append(level + " " * (width + 2 - width_of(level)) + message)
            if remedy:
                lines.append(" " * (width + 2) + f"→ {remedy}")
        return "\n".join(lines)


def findings(found: Sequence[Finding]) -> Listing:
    """What ``doctor`` found."""
    words = {"info": _("info"), "warning": _("warning"), "error": _("error")}
    return Findings(
        (_("Level"), _("Finding"), _("Remedy")),
        tuple(
            (words[f.level], again(f.told.get("message"), f.message), again(f.told.get("remedy"), f.remedy))
            for f in found
        ),
        tuple(found),
        "",
    )


def when(moment: str) -> str:
    """An ISO 8601 moment in local time to the minute; other text as it is."""
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return moment or "–"
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return then.astimezone().strftime("%Y-%m-%d %H:%M")


def _state(state: str) -> str:
    words = {
        "starting": _("starting"),
        "ready": _("ready"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "running": _("running"),
        "done": _("done"),
        "cancelled": _("cancelled"),
    }
    return words.get(state, state)


def proof(image: Image) -> str:
    """Whether the image was proven, and what speaks against it where it was not."""
    if image.replay is None:
        why = next((finding.message for finding in image.findings if finding.level == "error"), "")
        return _("not proven: {why}", why=cut(why.partition("\n")[0], 60)) if why else _("not proven")
    wrong = len({mismatch.row for mismatch in image.replay.mismatches})
    right, rows = image.replay.rows - wrong, image.replay.rows
    if wrong:
        return _("not proven: {right}/{rows} rows agree", right=right, rows=rows)
    return _("proven {right}/{rows}", right=right, rows=rows)


def _audited(image: Image) -> str:
    """How many vulnerabilities are known of its packages."""
    if image.audit is None:
        return "–"
    if not image.audit.checked:
        return _("not checked")
    found = len(image.audit.vulnerabilities)
    return _("{n} known", n=found) if found else _("none known")


def _named(image: Image) -> str:
    return f"{image.reference} ({image.wanted})" if image.wanted else image.reference


def _short(text: str) -> str:
    """The first line, for a column; the log has the whole."""
    line = next(iter(text.splitlines()), "")
    return line if width_of(line) <= _MESSAGE and line == text else f"{cut(line, _MESSAGE - 2)} …"


def cut(text: str, places: int) -> str:
    """``text`` in at most ``places`` places of a terminal."""
    kept = text
    while width_of(kept) > places:
        kept = kept[:-1]
    return kept


def width_of(text: str) -> int:
    """The places that a text takes in a terminal; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _linked(text: str) -> str:
    shown = escape(text)
    if text.startswith("http://127.0.0.1"):
        return f'<a href="{shown}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    return shown
