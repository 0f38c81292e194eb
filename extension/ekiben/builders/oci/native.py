"""Native libraries that the wheels need and the base lacks: a layer of them, or the reason why not.

They lie under ``/app/lib``, which ``LD_LIBRARY_PATH`` names: a layer that touches ``/lib`` would replace the
base's link of that name.

``EKIBEN_WITHOUT_LIBRARIES``: names of libraries (``libGL.so.1``) that the service does without.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ekiben import scratch
from ekiben.builders import dpkg
from ekiben.builders.oci import below, debian, layers, shared_objects
from ekiben.builders.oci.layers import Entry, Stored
from ekiben.builders.oci.remote import Base
from ekiben.builders.oci.shared_objects import Linked
from ekiben.errors import BuildFailed
from ekiben.records.image import SystemPackage
from ekiben.words import _

#: Where they lie in the image.
HOME = "app/lib"
_LISTED = f"{HOME}/packages.json"
#: How the layer tells that it was made; the packages follow.
NATIVE = "native libraries: "

Say = Callable[[str], None]


@dataclass
class _Got:
    """What was found so far."""

    libraries: dict[str, bytes] = field(default_factory=dict)
    packages: dict[str, debian.Package] = field(default_factory=dict)
    rights: dict[str, bytes] = field(default_factory=dict)


def layer(linked: list[Linked], base: Base, platform: str, say: Say) -> Stored | None:
    """The layer of what ``linked`` needs and the base, whose layers lie here, has not; None: nothing.

    Raises:
        BuildFailed: a library is missing and cannot be had for this base and platform.
    """

    def tick() -> None:
        say(_("Looking for native libraries"))

    there = below.libraries(base.manifest, tick)
    without = os.environ.get("EKIBEN_WITHOUT_LIBRARIES", "").replace(",", " ").split()
    lacking = shared_objects.missing(linked, {*there, *without})
    if not lacking:
        return None
    key = layers.key_of("native with sources", base.digest, platform, list(lacking), without)
    found = layers.known(key)
    if found is not None:
        return found
    got = _fetched(lacking, there | set(without), base, platform, say)
    told = {
        name: {"version": one.version, "sha256": one.sha256, "source": one.source}
        for name, one in sorted(got.packages.items())
    }
    entries = [Entry(f"{HOME}/{name}", body) for name, body in got.libraries.items()]
    entries += [Entry(f"{HOME}/{name}.copyright", body) for name, body in got.rights.items()]
    entries.append(Entry(_LISTED, json.dumps(told, indent=1).encode()))
    names = ", ".join(f"{one.name} {one.version}" for _name, one in sorted(got.packages.items()))
    return layers.make(key, entries, NATIVE + names, tick)


def added(layer: Path) -> tuple[SystemPackage, ...]:
    """The packages that a layer of ours has libraries of, as its own list tells."""
    with tarfile.open(layer) as archive:
        listed = archive.extractfile(_LISTED)
        told = json.loads(listed.read()) if listed else {}
    found = []
    for name, one in told.items():
        source, other = dpkg.made_of(name, one.get("source", ""))
        # A layer that was made before the list told of sources knows none.
        source = source if "source" in one else ""
        found.append(SystemPackage(name, one["version"], added=True, source=source, source_version=other))
    return tuple(found)


def _fetched(
    lacking: dict[str, tuple[str, ...]], there: frozenset[str] | set[str], base: Base, platform: str, say: Say
) -> _Got:
    """The missing libraries, and what those need in turn."""
    files = below.files(base.manifest, lambda: say(_("Looking for native libraries")))
    known = debian.sources(files)
    if not known or "libc.so.6" in lacking:
        raise refusal(lacking, base, _("the base tells no Debian archive"))
    opened: list[debian.Archive] = []
    rest = debian.archives(known, platform.partition("/")[2], files)
    got = _Got()
    waiting = dict(lacking)
    while waiting:
        name = sorted(waiting)[0]
        say(_("Adding the native library {name}", name=name))
        if not opened:
            opened = list(rest)
        try:
            _add(name, opened, got)
        except BuildFailed as problem:
            raise refusal({name: waiting[name]}, base, problem.message) from problem
        waiting = shared_objects.missing(_linked(got), {*there, *got.libraries})
        waiting |= {one: by for one, by in lacking.items() if one not in got.libraries}
    return got


def _add(name: str, archives: list[debian.Archive], got: _Got) -> None:
    """Puts the library ``name`` among what was got: by the usual name of its package, else by the lists."""
    if any(_from(guess, name, archives, got) for guess in debian.guesses(name)):
        return
    if any(_from(one, name, archives, got) for archive in archives for one in archive.holders(name)):
        return
    raise BuildFailed(_("no package of the base's archives holds it"))


def _from(package: str, name: str, archives: list[debian.Archive], got: _Got) -> bool:
    listed = [one for archive in archives if (one := archive.package(package)) is not None]
    if not listed:
        return False
    chosen = debian.newest(listed)
    opened = debian.contents(chosen)
    if name not in opened.libraries:
        return False
    got.libraries[name] = opened.libraries[name]
    got.packages[package], got.rights[package] = chosen, opened.rights
    shared = [one for archive in archives if (one := archive.package(opened.documented_by)) is not None]
    if shared:
        got.rights[package] = debian.contents(debian.newest(shared)).rights
    return True


def _linked(got: _Got) -> list[Linked]:
    with scratch.folder("build") as place:
        for name, body in got.libraries.items():
            (place / name).write_bytes(body)
        return shared_objects.scan(place)


def refusal(lacking: dict[str, tuple[str, ...]], base: Base, why: str) -> BuildFailed:
    """The error that says which package needs what."""
    lines = [
        f"{name} ← {', '.join(paths[:3])}{' …' if len(paths) > 3 else ''}" for name, paths in lacking.items()
    ]
    return BuildFailed(
        _("The base lacks native libraries, and they cannot be added ({why}):", why=why)
        + "\n"
        + "\n".join(lines),
        where=str(base.reference),
        remedy=_(
            'Name a base that has them (base=…), build with an engine (engine="podman"), or, if the service '
            "does without: EKIBEN_WITHOUT_LIBRARIES={names}",
            names=",".join(lacking),
        ),
    )
