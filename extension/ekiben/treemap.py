"""Weights as rectangles, and the picture of them as SVG: no script, and the host's own colours.

The layout is the squarified treemap of Bruls, Huizing and van Wijk (2000): the rectangles of a row are
laid along the shorter side as long as that makes the worst of them squarer.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ekiben.amounts import size
from ekiben.listings import cut, expected
from ekiben.records import Part, SizeEstimate
from ekiben.words import _

#: Pixels of the picture.
WIDTH, HEIGHT = 640.0, 260.0
#: Parts beyond these are drawn together.
_SHOWN = 40
#: Fill by kind: JupyterLab's colour, else one that stands on light and on dark.
_FILLS = {
    "base": "var(--jp-layout-color3,#8e8e8e)",
    "package": "var(--jp-brand-color1,#3b82c4)",
    "code": "var(--jp-success-color1,#3c8f4a)",
    "model": "var(--jp-warn-color1,#c77a1e)",
    "other": "var(--jp-layout-color3,#8e8e8e)",
}


class Box(NamedTuple):
    """A rectangle: left, top, width, height."""

    x: float
    y: float
    w: float
    h: float


def squarify(weights: Sequence[float], room: Box) -> list[Box]:
    """One rectangle a weight, in order; ``weights`` are over 0 and descend, areas are in their ratio."""
    total = sum(weights)
    boxes: list[Box] = []
    if not total:
        return boxes
    scale = room.w * room.h / total
    areas = [weight * scale for weight in weights]
    while areas:
        side = min(room.w, room.h)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
            count += 1
        row, areas = areas[:count], areas[count:]
        thick = sum(row) / side if side else 0.0
        along = 0.0
        for area in row:
            length = area / thick if thick else 0.0
            upright = room.w >= room.h
            boxes.append(
                Box(room.x, room.y + along, thick, length)
                if upright
                else Box(room.x + along, room.y, length, thick)
            )
            along += length
        room = (
            Box(room.x + thick, room.y, max(room.w - thick, 0.0), room.h)
            if room.w >= room.h
            else Box(room.x, room.y + thick, room.w, max(room.h - thick, 0.0))
        )
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """The largest ratio of sides in a row that is laid along ``side``."""
    total = sum(row)
    if not total or not side:
        return float("inf")
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * min(row)))


def grouped(parts: Sequence[Part]) -> list[Part]:
    """The heaviest parts, and the rest of them as one."""
    heavy = sorted((part for part in parts if part.bytes > 0), key=lambda part: -part.bytes)
    rest = heavy[_SHOWN:]
    if len(rest) < 2:
        return heavy
    many = Part(_("{n} smaller parts", n=len(rest)), "other", sum(part.bytes for part in rest))
    return sorted([*heavy[:_SHOWN], many], key=lambda part: -part.bytes)


def title(part: Part) -> str:
    """What is said of a part: name, version, size, whether it was imported."""
    name = f"{part.name} {part.version}".strip()
    told = f"{name} · {size(part.bytes)}"
    return f"{told} · {_('never imported')}" if part.imported is False else told


def svg(parts: Sequence[Part]) -> str:
    """The picture; a part that was never imported is hatched. Empty where nothing weighs."""
    shown = grouped(parts)
    if not shown:
        return ""
    boxes = squarify([part.bytes for part in shown], Box(0, 0, WIDTH, HEIGHT))
    drawn = "".join(_one(part, box) for part, box in zip(shown, boxes, strict=True))
    label = escape(_("What weighs what in the image: {names}", names=", ".join(title(p) for p in shown[:5])))
    hatch = (
        '<defs><pattern id="ek-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="2" height="6" fill="currentColor" opacity=".18"/>'
        "</pattern></defs>"
    )
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'style="width:100%;max-width:{WIDTH:g}px;height:auto;display:block;margin:8px 0" '
        f'font-family="var(--jp-ui-font-family,system-ui,sans-serif)" font-size="11">{hatch}{drawn}</svg>'
    )


def estimate_html(estimate: SizeEstimate) -> str:
    """The picture of what an image will weigh."""
    return f"<div><p>{escape(expected(estimate))}</p>{svg(estimate.parts)}</div>"


def _one(part: Part, box: Box) -> str:
    wide, high = max(box.w - 1, 0.1), max(box.h - 1, 0.1)
    place = f'x="{box.x + 0.5:.1f}" y="{box.y + 0.5:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    drawn = f'<rect {place} fill="{_FILLS.get(part.kind, _FILLS["other"])}" fill-opacity=".3"/>'
    if part.imported is False:
        drawn += f'<rect {place} fill="url(#ek-hatch)"/>'
    letters = int((box.w - 8) / 6.6)
    if letters >= 3 and box.h >= 16:
        drawn += _text(part.name.rpartition("/")[2], letters, box, 13)
        if box.h >= 30:
            drawn += _text(size(part.bytes), letters, box, 26)
    return f"<g><title>{escape(title(part))}</title>{drawn}</g>"


def _text(words: str, letters: int, box: Box, down: float) -> str:
    shown = cut(words, letters)
    shown = shown if shown == words else cut(words, letters - 1) + "…"
    return f'<text x="{box.x + 4:.1f}" y="{box.y + down:.1f}" fill="currentColor">{escape(shown)}</text>'
