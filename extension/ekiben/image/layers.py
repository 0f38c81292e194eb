"""What an image is made of, to look at: layers, parts, and packages that may go."""

from __future__ import annotations

from html import escape

from ekiben import views
from ekiben.amounts import size
from ekiben.records import Image, Layer, Part
from ekiben.treemap import svg
from ekiben.words import _


class Layers(tuple[Layer, ...]):
    """The layers from the base up; in a notebook a picture of what weighs what."""

    image: Image

    def __new__(cls, image: Image) -> Layers:
        made = super().__new__(cls, image.layers)
        made.image = image
        return made

    @property
    def parts(self) -> tuple[Part, ...]:
        """What weighs: the base, each package, the code, the model; the heaviest first."""
        return self.image.parts

    @property
    def unused(self) -> tuple[Part, ...]:
        """Packages that the service never imported until it had answered the golden examples.

        They are candidates to drop: another route, or other rows, may need them.
        """
        return tuple(part for part in self.parts if part.imported is False)

    def __repr__(self) -> str:
        lines = [f"{size(layer.bytes):>8}  {layer.made_by}" for layer in self]
        if self.unused:
            lines.append(unused_text(self.unused))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [(layer.made_by, size(layer.bytes), layer.digest[7:19]) for layer in self]
        table = views.table((_("layer"), _("size"), _("digest")), rows)
        return f"<div>{picture(self.image)}<details><summary>{escape(_('Layers'))}</summary>{table}</details></div>"


def picture(image: Image) -> str:
    """The treemap with what the proof did not import under it; empty where the parts are not known."""
    drawn = svg(image.parts)
    unused = tuple(part for part in image.parts if part.imported is False)
    if drawn and unused:
        drawn += f"<p {views.QUIET}>{escape(unused_text(unused))}</p>"
    return drawn


def unused_text(unused: tuple[Part, ...]) -> str:
    """One sentence on the packages that were never imported."""
    heaviest = sorted(unused, key=lambda part: -part.bytes)
    names = ", ".join(f"{part.name} ({size(part.bytes)})" for part in heaviest[:5])
    more = "" if len(unused) <= 5 else " " + _("({n} more)", n=len(unused) - 5)
    told = _(
        "Never imported while it was proven, {size} in all: {names}{more}",
        size=size(sum(part.bytes for part in unused)),
        names=names,
        more=more,
    )
    if any(part.name == "bentoml" for part in unused):
        told += " · " + _("BentoML and what it needs are for its own routes.")
    return told
