"""What weighs what in an image: files to packages, and modules that were imported to packages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ekiben.records import Part

#: Folders that tell one package from another below a shared name (``opentelemetry/sdk``) lie no deeper.
_DEPTH = 3


@dataclass(frozen=True)
class Package:
    """An installed distribution: bytes of its files, and the places (``a/b``) that are its alone."""

    name: str
    version: str
    bytes: int
    places: tuple[str, ...] = ()


def alone(files: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """For each package the shortest places that no other one has, of the files that Python could import.

    ``files`` are paths in site-packages by package.
    """
    owners: dict[str, set[str]] = {}
    for name, listed in files.items():
        for path in listed:
            for place in _places(path):
                owners.setdefault(place, set()).add(name)
    found: dict[str, list[str]] = {name: [] for name in files}
    for place, names in sorted(owners.items()):
        above = place.rpartition("/")[0]
        if len(names) == 1 and len(owners.get(above, ())) != 1:
            found[next(iter(names))].append(place)
    return {name: tuple(places) for name, places in found.items()}


def _places(path: str) -> list[str]:
    """``a/b/c.py`` is at home in ``a``, ``a/b`` and ``a/b/c``; what is no module is at home nowhere."""
    if not path.endswith((".py", ".so", ".pyd", ".pyc")) or path.startswith(".."):
        return []
    parts = [part for part in path.split("/") if part != "__pycache__"]
    parts[-1] = parts[-1].partition(".")[0]
    if parts[-1] == "__init__":
        parts.pop()
    return ["/".join(parts[:depth]) for depth in range(1, min(len(parts), _DEPTH) + 1)]


def owner(path: str, homes: Mapping[str, str]) -> str:
    """The package that a file or a module (``a/b/c.py``) belongs to, by the places of all; else empty."""
    return next((homes[place] for place in _places(path) if place in homes), "")


def homes(packages: Iterable[Package]) -> dict[str, str]:
    """The places of all packages with the package's name."""
    return {place: package.name for package in packages for place in package.places}


def parts(packages: Iterable[Package], modules: Collection[str], share: float = 1.0) -> list[Part]:
    """The packages as parts of an image; ``modules`` (``a.b.c``) are those that were imported.

    ``share`` is what a byte takes as it is stored. Where nothing is known of imports, or a package has
    nothing to import, the part does not say whether it was.
    """
    known = tuple(packages)
    places = homes(known)
    used = {owner(module.replace(".", "/") + ".py", places) for module in modules}
    return [
        Part(
            name=package.name,
            kind="package",
            bytes=round(package.bytes * share),
            version=package.version,
            imported=package.name in used if modules and package.places else None,
        )
        for package in known
    ]
