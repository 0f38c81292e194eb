"""Names of images, and the base image where none is named."""

from __future__ import annotations

import os
import re

from ekiben.errors import InvalidName
from ekiben.records import Model
from ekiben.words import _

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?"
_REFERENCE = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")


def default_base(model: Model) -> str:
    """The base image when the user names none."""
    python = ".".join(model.python.split(".")[:2])
    return os.environ.get("EKIBEN_BASE_IMAGE") or f"docker.io/library/python:{python}-slim"


def check_reference(reference: str) -> None:
    """Raises InvalidName unless ``reference`` can name an image (``name:tag``, ``host/name:tag``)."""
    if not _REFERENCE.fullmatch(reference) or len(reference) > 255:
        raise InvalidName(
            _("{reference} is no image name.", reference=repr(reference))
            if reference
            else _("An image needs a name: -t NAME:TAG"),
            where="reference",
            remedy=_("Lower-case letters, digits, “.”, “_”, “-”, then “:” and a tag: iris:1"),
        )


def unproven(digest: str) -> str:
    """The name that an image keeps whose proof failed: its digest is all that may be said of it."""
    return f"ekiben-unproven:{digest.removeprefix('sha256:')[:12]}"
