"""The image's bill of materials in CycloneDX: every package with its version, Python's and the distribution's, the
model, and the base.

It is of the image alone: two builds of the same image give the same text. It is sent anew with every image that
differs by a line, so nothing in it is spelled at length: no white space, and short names for its own references.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path

from ekiben import __version__, paths
from ekiben.errors import MissingDependency
from ekiben.image import kept
from ekiben.records import Image, Model
from ekiben.records.image import SystemPackage
from ekiben.words import _

MEDIA = "application/vnd.cyclonedx+json"


def bill(image: Image, model: Model, system: tuple[SystemPackage, ...] = ()) -> str:
    """The bill as JSON, CycloneDX 1.6; ``system`` are the packages that the image stands on.

    Raises:
        MissingDependency: the library that writes it is not installed.
    """
    try:
        from cyclonedx.model import HashAlgorithm, HashType, Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
        from packageurl import PackageURL
    except ImportError as error:
        raise MissingDependency(
            _("There is no bill of materials: cyclonedx-python-lib is not installed."),
            remedy="%pip install 'ekiben[sbom]'",
        ) from error

    def sha(digest: str) -> list[HashType]:
        hexadecimal = digest.removeprefix("sha256:")
        return [HashType(alg=HashAlgorithm.SHA_256, content=hexadecimal)] if len(hexadecimal) == 64 else []

    whole = Component(
        type=ComponentType.CONTAINER,
        name=model.tag,
        version=image.digest,
        bom_ref="image",
        hashes=sha(image.digest),
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image.digest))
    bom.metadata.component = whole
    # The model's, so that the bill is the same whenever it is written.
    bom.metadata.timestamp = datetime.fromisoformat(model.created or "1980-01-01T00:00:00+00:00")
    bom.metadata.tools.components.add(
        Component(type=ComponentType.APPLICATION, name="ekiben", version=__version__)
    )
    inside = [
        Component(
            type=ComponentType.LIBRARY,
            name=part.name,
            version=part.version,
            purl=PackageURL("pypi", name=part.name, version=part.version),
            bom_ref=f"pypi/{part.name}",
            properties=[Property(name="ekiben:imported", value=str(part.imported).lower())]
            if part.imported is not None
            else None,
        )
        for part in image.parts
        if part.kind == "package"
    ]
    for one in system:
        about = {"arch": one.architecture, "distro": f"{one.distribution}-{one.release}".strip("-")}
        purl = PackageURL(
            one.kind,
            namespace=one.distribution or None,
            name=one.name,
            version=one.version,
            qualifiers={key: value for key, value in about.items() if value},
        )
        inside.append(
            Component(
                type=ComponentType.LIBRARY,
                name=one.name,
                version=one.version,
                purl=purl,
                bom_ref="/".join([one.kind, one.name, one.architecture, *["added"] * one.added]),
                properties=[Property(name="ekiben:from", value="added" if one.added else "base")],
            )
        )
    inside.append(
        Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=model.name,
            version=model.version,
            bom_ref="model",
            hashes=sha(model.digest),
        )
    )
    name, _at, digest = image.base.rpartition("@")
    if name:
        inside.append(
            Component(
                type=ComponentType.CONTAINER, name=name, version=digest, bom_ref="base", hashes=sha(digest)
            )
        )
    bom.components.update(inside)
    bom.register_dependency(whole, inside)
    told = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def file(image: Image) -> Path:
    """Where the bill of an image lies: beside its record."""
    return kept.beside(image.reference, ".cdx.json")


def keep(image: Image, text: str) -> None:
    """Writes the bill beside the image's record."""
    paths.write_atomic(file(image), text)
