"""What a service needs, pinned to what is installed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions

from ekiben.records import Finding
from ekiben.words import _


def pinned(imports: Iterable[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Lines ``name==version`` for the modules ``imports``, BentoML, and all that they need in turn.

    Modules of the standard library and of the notebook itself have no distribution and are left out.
    """
    homes = packages_distributions()
    waiting = {name for module in imports for name in homes.get(module, ())} | {"bentoml", "uvicorn", "psutil"}
    done: dict[str, Distribution] = {}
    while waiting:
        name = waiting.pop()
        key = _canonical(name)
        if key in done:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # an optional need that is not installed here is not needed there
        done[key] = found
        waiting.update(_needs(found))
    findings = tuple(entry for entry in (_local(key, done[key]) for key in sorted(done)) if entry)
    return tuple(f"{key}=={done[key].version}" for key in sorted(done)), findings


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needs(found: Distribution) -> set[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    names: set[str] = set()
    for line in found.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue  # an old package's own spelling; pip reads it at install time
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            names.add(needed.name)
    return names


def _local(name: str, found: Distribution) -> Finding | None:
    """A package installed from a folder or a repository cannot be had by its name and version."""
    origin = found.read_text("direct_url.json")
    url = json.loads(origin).get("url", "") if origin else ""
    if not url or url.endswith(".whl"):
        return None
    return Finding(
        "warning",
        _("{name} was installed from {url}; an image can only fetch its released version.", name=name, url=url),
        _("Install a released version of {name} and wrap again.", name=name),
    )
