"""The packages of an image's distribution, as dpkg writes them down.

Debian's own images have one list, ``/var/lib/dpkg/status``; distroless ones a file a package under
``/var/lib/dpkg/status.d``. Format: deb822(5); names of a package: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from ekiben.records.image import SystemPackage

#: Where the lists lie in an image, and where it says which distribution it is; no leading slash.
STATUS = re.compile(r"^var/lib/dpkg/status(\.d/[^/]+)?$")
RELEASE = ("etc/os-release", "usr/lib/os-release")
#: Bytes of the longest list that is read.
MOST = 32 << 20


def packages(files: Mapping[str, bytes]) -> tuple[SystemPackage, ...]:
    """The packages that are installed, by name; ``files`` are those above by path, others do not matter."""
    from debian.deb822 import Deb822

    system, release = distribution(files)
    found = set()
    for path, body in files.items():
        if not STATUS.match(path):
            continue
        for entry in Deb822.iter_paragraphs(io.BytesIO(body), use_apt_pkg=False):
            # What was removed and left its settings is listed too; distroless lists tell no status.
            installed = entry.get("Status", "installed").split()[-1:] == ["installed"]
            if installed and "Package" in entry and "Version" in entry:
                architecture = entry.get("Architecture", "")
                source, other = made_of(entry["Package"], entry.get("Source", ""))
                found.add(
                    SystemPackage(
                        entry["Package"],
                        entry["Version"],
                        architecture,
                        system,
                        release,
                        source=source,
                        source_version=other,
                    )
                )
    return tuple(sorted(found, key=lambda one: (one.name, one.architecture)))


def made_of(package: str, source: str) -> tuple[str, str]:
    """The source package that a stanza's ``Source`` names, and its version where it has one of its own.

    ``gcc-defaults (1.203)``; a package without the field is made of the source of its own name.
    """
    name, _open, version = source.partition("(")
    return name.strip() or package, version.strip(" )")


def distribution(files: Mapping[str, bytes]) -> tuple[str, str]:
    """``("debian", "12")`` as ``os-release`` has it; Debian where it says nothing."""
    text = next((files[path] for path in RELEASE if files.get(path)), b"").decode("utf-8", "replace")
    told = dict(re.findall(r"^(ID|VERSION_ID)=[\"']?([^\"'\n]*)", text, re.MULTILINE))
    return told.get("ID", "debian"), told.get("VERSION_ID", "")
