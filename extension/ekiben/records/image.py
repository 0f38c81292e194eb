"""A container image, what is in it, and what it will weigh."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from ekiben.codec import FORMAT, Record
from ekiben.records.finding import Finding
from ekiben.records.service import Replay


@dataclass(frozen=True)
class Layer(Record):
    """One layer of an image: ``bytes`` as stored by the engine, and the step that made it."""

    digest: str
    bytes: int
    made_by: str


@dataclass(frozen=True)
class Part(Record):
    """Something in an image that weighs: ``bytes`` are its share of the image's own ``bytes``.

    ``kind`` is ``base``, ``package``, ``code``, ``model`` or ``other``. ``imported`` tells whether the
    service imported it until it had answered the golden examples; None where that is not known.
    """

    name: str
    kind: str
    bytes: int
    version: str = ""
    imported: bool | None = None


@dataclass(frozen=True)
class Vulnerability(Record):
    """A known one: ``id`` as the advisory has it, ``fixed`` the versions that are without it."""

    package: str
    version: str
    id: str
    fixed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit(Record):
    """Packages held against known advisories. ``why`` says why some or all were not.

    ``checked`` counts the packages that an advisory source answered for, ``unchecked`` names the others.
    """

    checked: int = 0
    unchecked: tuple[str, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class SystemPackage(Record):
    """A package of the image's distribution, as ``debian`` ``12`` has it.

    ``added`` tells that it is no part of the base: one of its libraries was copied into a layer. ``kind`` is the
    package's type as package URLs have it: ``deb``, or ``generic`` for a Python that is in no package. ``source``
    is the source package that it was made of, empty where that is not known, and ``source_version`` its version
    where it is another.
    """

    name: str
    version: str
    architecture: str = ""
    distribution: str = "debian"
    release: str = ""
    added: bool = False
    kind: str = "deb"
    source: str = ""
    source_version: str = ""


@dataclass(frozen=True)
class SizeEstimate(Record):
    """What an image will weigh, before it is built: compressed bytes, as a registry would hold it.

    ``unknown`` names the packages whose size nobody told; they are not in ``bytes``.
    """

    bytes: int
    parts: tuple[Part, ...] = ()
    unknown: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        html: str = import_module("ekiben.treemap").estimate_html(self)
        return html


@dataclass(frozen=True)
class LayerStep(Record):
    """A layer that a build is done with.

    ``how`` is ``made``, ``reused`` or ``fetched``; at a push ``sent``, ``resumed`` (sent, with a break between),
    ``again`` (from its start, after a break: the registry had forgotten), ``there`` or ``mounted`` (not sent: the
    registry has it).
    """

    name: str
    bytes: int
    seconds: float
    how: str


@dataclass(frozen=True)
class Image(Record):
    """A container image. ``replay`` is its proof; without one that passed it is not called done.

    ``base`` is the image under it with its digest, where the builder tells it. ``wanted`` is the name
    that an unproven image was to get; its findings say why it did not. ``parts`` are what weighs, the
    heaviest first; ``audit`` is the report on known vulnerabilities.
    """

    reference: str
    digest: str
    bytes: int
    engine: str
    model: str
    created: str
    layers: tuple[Layer, ...] = ()
    replay: Replay | None = None
    base: str = ""
    findings: tuple[Finding, ...] = ()
    wanted: str = ""
    parts: tuple[Part, ...] = ()
    audit: Audit | None = None
    format: int = FORMAT

    @property
    def proven(self) -> bool:
        """Whether it answered as the notebook did."""
        return self.replay is not None and self.replay.passed
