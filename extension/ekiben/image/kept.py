"""The records of images: JSON files under ``<BENTOML_HOME>/ekiben/images``."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from ekiben import paths
from ekiben.records import Image


def images() -> tuple[Image, ...]:
    """The images that were built, the latest first: proven ones, and those that were not (``wanted``)."""
    found = []
    for file in (paths.home() / "images").glob("*.json"):
        if file.name.endswith(".cdx.json"):
            continue
        try:
            found.append(Image.from_json(json.loads(file.read_text(encoding="utf-8"))))
        except (FileNotFoundError, ValueError, TypeError):
            continue  # removed since it was listed, or not one of ours
    return tuple(sorted(found, key=lambda image: image.created, reverse=True))


def keep(image: Image) -> None:
    """Writes the record of an image; one of the same name is replaced."""
    paths.write_atomic(_file(image.reference), json.dumps(image.to_json(), ensure_ascii=False, indent=1))


def forget(reference: str) -> None:
    """Takes the record away."""
    for suffix in (".json", ".cdx.json"):
        beside(reference, suffix).unlink(missing_ok=True)


def beside(reference: str, suffix: str) -> Path:
    """A file that lies beside the record, and goes with it."""
    return _file(reference).with_suffix(suffix)


def _file(reference: str) -> Path:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", reference)[:80]
    return paths.home() / "images" / f"{safe}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}.json"
