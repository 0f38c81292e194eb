"""A job as HTML: where it is, how far, and how it ended. No script."""

from __future__ import annotations

from html import escape

from ekiben.amounts import size
from ekiben.records import Job, LayerStep
from ekiben.words import _


def job_html(job: Job) -> str:
    """One quiet block that an output can show in place of the one before."""
    head = f"<b>{escape(job.verb)} {escape(job.subject)}</b>"
    if job.state != "running":
        ends = {
            "done": _("✓ done"),
            "failed": _("✕ failed: {error}", error=job.error),
            "cancelled": _("○ cancelled"),
        }
        lines = [head, f"<span>{escape(ends[job.state])}</span>"]
        if job.state == "failed" and job.remedy:
            lines.append(f"<span>→ {escape(job.remedy)}</span>")
        return _block(lines, 'style="white-space:pre-wrap"')
    if not job.steps:
        return _block([head, f"<span>{escape(_('starting'))}</span>"])
    where = _("step {step} of {steps}", step=job.step, steps=job.steps)
    bar = (
        f'<progress value="{job.step - 1}" max="{job.steps}" aria-label="{escape(where)}" '
        'style="width:16em;accent-color:var(--jp-brand-color1)"></progress>'
    )
    quiet = "color:var(--jp-ui-font-color2)"
    done = [f'<span style="{quiet}">{escape(layer_line(layer))}</span>' for layer in job.layers]
    hint = f'<span style="{quiet}">{escape(_("Interrupt the kernel to cancel."))}</span>'
    return _block([head, f"{bar} {escape(where)}", f"<span>{escape(job.message)}</span>", *done, hint])


def layer_line(layer: LayerStep) -> str:
    """``✓ Python packages · 61 MB · 12.3 s · made``."""
    hows = {
        "made": _("made"),
        "reused": _("reused"),
        "fetched": _("fetched"),
        "sent": _("sent"),
        "again": _("sent from its start again, after a break"),
        "resumed": _("sent, resumed after a break"),
        "there": _("the registry has it"),
        "mounted": _("the registry has it"),
    }
    seconds = f"{layer.seconds:.1f} s"
    return f"✓ {layer.name} · {size(layer.bytes)} · {seconds} · {hows.get(layer.how, layer.how)}"


def _block(lines: list[str], style: str = "") -> str:
    return f'<div role="status" {style}>' + "<br>".join(lines) + "</div>"
