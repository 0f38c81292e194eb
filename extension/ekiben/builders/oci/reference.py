"""Names of images: ``host/repository:tag@digest``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ekiben.errors import InvalidName
from ekiben.words import _

#: Where names without a host live.
HUB = "docker.io"
_HERE = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")


@dataclass(frozen=True)
class Reference:
    """A name in parts. ``host`` is empty where the name has none; ``digest`` goes before ``tag``."""

    host: str
    repository: str
    tag: str
    digest: str = ""

    @property
    def wanted(self) -> str:
        """What is asked of the registry: the digest, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        head = f"{self.host}/{self.repository}" if self.host else self.repository
        return f"{head}@{self.digest}" if self.digest else f"{head}:{self.tag}"


def parse(text: str) -> Reference:
    """The parts of ``text``; the tag is ``latest`` unless told.

    Raises:
        InvalidName: it is no name of an image.
    """
    name, _at, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if has_host else ("", name)
    repository, _colon, tag = path.partition(":")
    if not repository or (digest and not digest.startswith("sha256:")):
        raise InvalidName(_("{reference} is no image name.", reference=repr(text)), where="reference")
    return Reference(host, repository, tag or "latest", digest)


def source(text: str) -> Reference:
    """As ``parse``, with the host and folder that a short name means: ``python`` is Docker Hub's."""
    found = parse(text)
    if found.host and found.host != HUB:
        return found
    repository = found.repository if "/" in found.repository else f"library/{found.repository}"
    return Reference(HUB, repository, found.tag, found.digest)


def here(host: str) -> bool:
    """Whether a registry is on this machine."""
    return bool(_HERE.fullmatch(host))


def plain(host: str) -> bool:
    """Whether a registry may be spoken to without TLS: on this machine, or where it was asked for
    (``EKIBEN_HTTP_REGISTRIES``).
    """
    return here(host) or host in os.environ.get("EKIBEN_HTTP_REGISTRIES", "").replace(",", " ").split()
