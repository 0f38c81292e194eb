"""Records as HTML that needs no script: for notebooks, exports and pages that show notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ekiben.amounts import form, size
from ekiben.records import Compiled, Contract, Field, Model, Piece, Prediction, Replay, Server
from ekiben.runtime.images import seen as seen_image
from ekiben.words import _, again

CELL = 'style="text-align:left;vertical-align:top;padding:2px 16px 2px 0"'
QUIET = 'style="opacity:.75"'
#: More rows than this are counted, not shown.
SHOWN = 10


def table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A plain table; cells are escaped here."""
    head = "".join(f"<th {CELL}>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td {CELL}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def box_html(model: Model, replays: tuple[Replay, ...]) -> str:
    """The card without its form: model, contract, proof."""
    facts = (
        f"{model.estimator} · {task(model.contract)} · {storage(model.storage)} · {compiled(model.compiled)}"
    )
    findings = "".join(
        f"<p>{escape(again(finding.told.get('message'), finding.message))} "
        f"<span {QUIET}>{escape(again(finding.told.get('remedy'), finding.remedy))}</span></p>"
        for finding in model.findings
    )
    return (
        f"<div><p><b>{escape(model.tag)}</b><br><span {QUIET}>{escape(facts)}</span></p>{findings}"
        f"{contract_html(model.contract)}{_carried(model)}{replays_html(replays)}</div>"
    )


def ways(found: Compiled) -> list[str]:
    """How trees are asked, for people."""
    words = {
        "few:table": _("few rows: looked up in a table of the trees' answers"),
        "few:walk": _("few rows: down one tree after the other"),
        "many:walk": _("many rows: down one tree after the other"),
        "many:bits": _("many rows: 64 at a time, as the bits of a number"),
        "many:lanes": _("many rows: down all trees at once, level by level"),
        "all:walk": _("down one tree after the other"),
        "all:bits": _("64 rows at a time, as the bits of a number"),
        "all:lanes": _("down all trees at once, level by level"),
    }
    return [words[way] for way in found.ways if way in words]


def compiled(found: Compiled) -> str:
    """What answers, how much faster it is and how that was proven; or why the native object does."""
    if not found.form:
        return _("native") + (f" ({found.reason})" if found.reason else "")
    if not found.serves:
        return _("native by choice; {form} is there", form=found.form)
    if found.worst:
        rows = _(
            "{rows} rows of the sample and {edges} at its edges agree within {worst}",
            rows=found.rows,
            edges=found.edges,
            worst=f"{found.worst:.1g}",
        )
    else:
        rows = _(
            "{rows} rows of the sample and {edges} at its edges agree to the last digit",
            rows=found.rows,
            edges=found.edges,
        )
    told = "; ".join([found.form, *ways(found), rows])
    return f"{form(found.form, found.speedup)} ({told})"


def _carried(model: Model) -> str:
    if not model.carried:
        return ""
    title = escape(_("The notebook's own code"))
    return f"<details><summary>{title}</summary>{carried_html(model.carried)}</details>"


def contract_html(contract: Contract) -> str:
    """Fields as a table, and what happens to what the sample did not have."""
    rows = [
        (field.name, field.dtype, _("allowed") if field.nullable else "–", seen(field))
        for field in contract.inputs
    ]
    told = table((_("field"), _("type"), _("missing"), _("values")), rows)
    return f"{told}<p {QUIET}>{escape(' '.join(_rules(contract)))}</p>"


def _rules(contract: Contract) -> list[str]:
    """A sentence a rule, only of kinds that the contract has."""
    unseen = {
        "reject": _("Categories that it did not have are refused."),
        "warn": _("Categories that it did not have are answered with a warning."),
        "accept": _("Categories that it did not have are accepted."),
    }
    outside = {
        "reject": _("Numbers beyond a range are refused."),
        "warn": _("Numbers beyond a range are answered with a warning."),
        "accept": _("Numbers beyond a range are accepted."),
    }
    fields = contract.inputs
    count = contract.sample_rows
    told = [
        _("Seen in 1 row of the sample.") if count == 1 else _("Seen in {n} rows of the sample.", n=count)
    ]
    told += [unseen[contract.unseen]] if any(field.kind == "category" for field in fields) else []
    return told + ([outside[contract.outside]] if any(field.minimum is not None for field in fields) else [])


def carried_html(pieces: tuple[Piece, ...]) -> str:
    """The notebook's own code: what travels, then what was left."""
    rows = [(piece.name, _kind(piece.kind), _how(piece.how), piece.place, piece.note) for piece in pieces]
    return (
        table((_("name"), _("kind"), _("how"), _("from"), ""), rows)
        if rows
        else _("Nothing of the notebook's own code.")
    )


def carried_text(pieces: tuple[Piece, ...]) -> str:
    """The same in aligned lines."""
    rows = [(_how(piece.how), _kind(piece.kind), piece.name, piece.place, piece.note) for piece in pieces]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) or _("Nothing of the notebook's own code.")


def _kind(name: str) -> str:
    return {
        "function": _("function"),
        "class": _("class"),
        "import": _("import"),
        "constant": _("constant"),
        "object": _("object"),
        "module": _("module"),
        "file": _("data file"),
    }.get(name, name)


def _how(name: str) -> str:
    return {
        "source": _("as written"),
        "value": _("its value"),
        "kept": _("saved"),
        "copied": _("copied"),
        "left": _("left"),
    }.get(name, name)


def replays_html(replays: tuple[Replay, ...]) -> str:
    """Stations down, verdict across."""
    columns = (_("station"), _("rows that agree"), _("worst difference"), _("time"), _("verdict"))
    return table(columns, [_verdict(replay) for replay in replays]) if replays else ""


def replays_text(replays: tuple[Replay, ...]) -> str:
    """The same in aligned lines."""
    rows = [_verdict(replay) for replay in replays]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    )


def _verdict(replay: Replay) -> tuple[str, str, str, str, str]:
    stations = {
        "kernel": _("saved copy, in the kernel"),
        "process": _("clean process"),
        "http": _("service over HTTP"),
        "image": _("container image"),
        "environment": _("fresh environment"),
        "notebook": _("notebook in a fresh kernel"),
    }
    if replay.problem:
        return (stations.get(replay.station, replay.station), "–", "–", "–", f"✗ {replay.problem}")
    return (
        stations.get(replay.station, replay.station),
        f"{replay.rows - len({entry.row for entry in replay.mismatches})}/{replay.rows}",
        f"{replay.worst:.3g}",
        f"{replay.milliseconds:.1f} ms",
        _("✓ as in the notebook") if replay.passed else _("✗ differs"),
    )


def prediction_html(prediction: Prediction) -> str:
    """One line a row: the answer, then the probability of each class."""
    outputs = prediction.outputs
    answers: list[Any] = outputs.get("predictions", [])
    classes = [str(name) for name in outputs.get("classes", ())]
    shares = outputs.get("probabilities")
    columns = ("", _("prediction"), *(classes if shares else ()))
    rows = [
        (str(index), str(answer), *(map(_share, shares[index]) if shares else ()))
        for index, answer in enumerate(answers[:SHOWN])
    ]
    more = (
        f"<p {QUIET}>" + escape(_("{n} rows more", n=len(answers) - SHOWN)) + "</p>"
        if len(answers) > SHOWN
        else ""
    )
    notes = "".join(
        f"<p>⚠ {escape(entry.path)}: {escape(entry.message)}</p>" for entry in prediction.warnings[:SHOWN]
    )
    return f"{table(columns, rows)}{more}{notes}<p {QUIET}>{prediction.milliseconds:.1f} ms</p>"


def _share(value: Any) -> str:
    """A probability; there may be none, or those of several outputs."""
    if isinstance(value, list):
        return ", ".join(map(_share, value))
    return f"{value:.3f}" if isinstance(value, (int, float)) else "–"


def server_html(server: Server) -> str:
    """Model, state and address of a service."""
    link = f'<a href="{escape(server.url)}">{escape(server.url)}</a>' if server.url else "–"
    facts = " · ".join(
        [server.id, form(server.form, server.speedup), *([size(server.memory)] if server.memory else [])]
    )
    return f"<p>{state(server.state)} <b>{escape(server.model)}</b> · {link} <span {QUIET}>{escape(facts)}</span></p>"


def state(name: str) -> str:
    """A state with its mark."""
    return {
        "ready": _("● ready"),
        "starting": _("◐ starting"),
        "stopped": _("○ stopped"),
        "failed": _("✕ failed"),
    }.get(name, name)


def task(contract: Contract) -> str:
    """The task in words."""
    return {
        "classification": _("classification"),
        "regression": _("regression"),
        "clustering": _("clustering"),
        "outlier detection": _("outlier detection"),
        "prediction": _("prediction"),
    }.get(contract.task, contract.task)


def storage(name: str) -> str:
    """How the model is kept, in words."""
    return {"skops": _("kept with skops"), "cloudpickle": _("kept as a pickle")}.get(name, name)


def seen(field: Field) -> str:
    """What the sample held, short."""
    if field.categories is not None:
        more = len(field.categories) - 8
        return ", ".join(str(entry) for entry in field.categories[:8]) + (f" … (+{more})" if more > 0 else "")
    if field.kind == "image":
        return seen_image(field.to_json())
    if field.minimum is not None:
        return f"{field.minimum} … {field.maximum}"
    return "–"
