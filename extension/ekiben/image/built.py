"""A finished image as an object: its record, a picture in a notebook, and its verbs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ekiben import registry
from ekiben.amounts import size
from ekiben.errors import BuildFailed, EngineMissing, NotFound
from ekiben.image import advisories, kept, sbom
from ekiben.image.abilities import Loading, Runnable, Saving
from ekiben.image.choosing import pusher
from ekiben.image.layers import Layers, picture
from ekiben.image.names import check_reference
from ekiben.image.telling import Told
from ekiben.listings import proof
from ekiben.records import Image, LayerStep, Replay
from ekiben.status import Status
from ekiben.words import _


def find(reference: str) -> BuiltImage:
    """The image of this name, or of this digest's beginning.

    Raises:
        NotFound: there is none.
    """
    for record in kept.images():
        digest = record.digest.removeprefix("sha256:")
        if reference in (record.reference, record.digest) or (
            len(reference) >= 12 and digest.startswith(reference)
        ):
            return BuiltImage(record)
    raise NotFound(
        _("There is no image {name}.", name=reference),
        where=reference,
        remedy=_("See which there are: {verb}", verb="ekiben images"),
    )


class BuiltImage:
    """A built image: its record, a small table in a notebook, and ``remove``."""

    def __init__(self, record: Image, proof: Replay | None = None) -> None:
        self.record = record
        #: The proof in a fresh environment, where one was asked for.
        self.environment = proof

    @property
    def reference(self) -> str:
        """The name that the engine knows it by."""
        return self.record.reference

    @property
    def replay(self) -> Replay | None:
        """The proof."""
        return self.record.replay

    @property
    def layers(self) -> Layers:
        """The layers, with what weighs what in them; a picture in a notebook."""
        return Layers(self.record)

    def save(self, path: str | Path) -> Path:
        """Writes the image to this disk: ``….tar`` for ``docker load`` and ``podman load``, else an OCI layout folder.

        Raises:
            BuildFailed: something else lies there, the disk is full, or the builder does not save.
        """
        target = Path(path).expanduser().resolve()
        builder = registry.builder(self.record.engine)
        if not isinstance(builder, Saving):
            raise BuildFailed(_("{engine} does not save images.", engine=builder.name), where=builder.name)
        if target.is_dir() and (target.suffix == ".tar" or any(target.iterdir())):
            raise BuildFailed(
                _("There is a folder already that is not empty."),
                where=str(target),
                remedy=_("Choose another name, or remove it first."),
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            builder.save(self.record, target)
        except OSError as problem:
            raise BuildFailed(
                _("The image cannot be written: {why}", why=problem.strerror or problem),
                where=str(target),
                remedy=_(
                    "Choose a place that you may write to and that has room for {size}.",
                    size=size(self.record.bytes),
                ),
            ) from problem
        return target

    def load(self) -> str:
        """Puts the image into the local engine's store; gives the engine's name.

        Raises:
            EngineMissing: none works here.
        """
        builder = registry.builder(self.record.engine)
        if not isinstance(builder, Loading):
            return self.record.engine  # the engine that built it has it
        with Status() as status:
            found = builder.load(self.record, status.say)
        if not found:
            raise EngineMissing(
                _("No container engine that works here."),
                remedy=_(
                    "Save it as a file and load it elsewhere: {command}", command="image.save('image.tar')"
                ),
            )
        return found

    def push(self, reference: str = "", layer: Callable[[LayerStep], None] | None = None) -> int | None:
        """Sends the proven image to the registry in ``reference``, its own name unless told; gives the bytes sent.

        None: not known, as engines do not tell.
        ``layer`` hears of each layer that has arrived, where the builder tells.

        Raises:
            BuildFailed: it was not proven, or the registry cannot be reached or refuses.
            InvalidName: the name has no registry.
        """
        if not self.record.proven:
            raise BuildFailed(
                _("Only a proven image is pushed."),
                where=self.reference,
                remedy=_("Look why it was not: {verb}", verb="ekiben images"),
            )
        target = reference or self.reference
        check_reference(target)
        sender = pusher(registry.builder(self.record.engine), target)
        with Status() as status:
            return sender.push(self.record, Told(status.say, layer), target)

    @property
    def sbom(self) -> dict[str, Any]:
        """The bill of materials (CycloneDX); it is attached to the image too where ekiben made its layers.

        Raises:
            NotFound: it has none.
        """
        file = sbom.file(self.record)
        if not file.is_file():
            raise NotFound(
                _("The image has no bill of materials."),
                where=self.reference,
                remedy=_("{command}, then build again.", command="%pip install 'ekiben[sbom]'"),
            )
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return data

    def remove(self) -> None:
        """Takes the image from the engine and its record from the list."""
        try:
            registry.builder(self.record.engine).remove(self.record.reference)
        except BuildFailed as problem:
            # Somebody removed it by the engine's own command.
            if not re.search(r"no such image|not known|not found", problem.message, re.IGNORECASE):
                raise
        kept.forget(self.record.reference)

    def __repr__(self) -> str:
        return f"<ekiben image {self.reference}: {size(self.record.bytes)}, {proof(self.record)}>"

    def _repr_html_(self) -> str:
        record = self.record
        builder = registry.builder(record.engine)
        run = f"{record.engine} run --rm -p 3000:3000 {record.reference}"
        run = builder.command(record) if isinstance(builder, Runnable) else run
        facts = (
            (_("Image"), record.reference),
            (_("Model"), record.model),
            (_("Digest"), record.digest.removeprefix("sha256:")[:12]),
            (_("Size"), _("{size} in {n} layers", size=size(record.bytes), n=len(record.layers))),
            (_("Proof"), proof(record)),
            (_("Run it"), run),
            *((_("Note"), finding.message) for finding in record.findings),
            *(((_("Audit"), advisories.sentence(record.audit)),) if record.audit else ()),
        )
        cell = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'
        rows = "".join(
            f'<tr><th scope="row" {cell}>{escape(name)}</th><td {cell}>{escape(value)}</td></tr>'
            for name, value in facts
        )
        return f"<div><table>{rows}</table>{picture(record)}</div>"
