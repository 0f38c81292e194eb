"""What is written on an image, whoever builds it: of the model and its record alone, so that the same
inputs give the same labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ekiben import __version__

_OCI = "org.opencontainers.image"


def labels(notes: Mapping[str, Any], contract: bytes) -> dict[str, str]:
    """The labels of a model's record (``model.json``) and the text of its project's contract."""
    tag = f"{notes['name']}:{notes['version']}"
    origin = notes.get("origin") or {}
    found = {
        f"{_OCI}.created": notes.get("created", ""),
        f"{_OCI}.title": tag,
        f"{_OCI}.version": notes["version"],
        f"{_OCI}.source": origin.get("repository", ""),
        f"{_OCI}.revision": origin.get("revision", ""),
        "io.ekiben.model": tag,
        "io.ekiben.contract": f"sha256:{hashlib.sha256(contract).hexdigest()}",
        "io.ekiben.version": __version__,
        "io.ekiben.notebook": origin.get("notebook", ""),
    }
    if origin.get("revision"):
        found["io.ekiben.dirty"] = "true" if origin.get("dirty") else "false"
    found |= {
        f"io.ekiben.parameter.{name}": value for name, value in (origin.get("parameters") or {}).items()
    }
    return {name: value for name, value in found.items() if value}
