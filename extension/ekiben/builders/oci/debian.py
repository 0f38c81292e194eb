"""Single libraries out of Debian's packages, as the base image itself would get them; nothing is run.

The base's own ``sources.list`` and keyrings say where from. The archive's ``InRelease`` is checked against
the base's keys with ``gpgv``; where that is not installed, the archive is asked over TLS only. Every file
is checked against the digest that the signed one gives.

Formats: https://wiki.debian.org/DebianRepository/Format; names of library packages: Debian Policy 8.1.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.request import urlopen

from ekiben import scratch
from ekiben.errors import BuildFailed
from ekiben.network import why
from ekiben.shell import lines_log
from ekiben.words import _

_PAUSES = (0.5, 2.0, None)
_PGP = re.compile(rb"-----BEGIN PGP SIGNED MESSAGE-----.*?\n\n(.*?)-----BEGIN PGP SIGNATURE-----", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """An archive's suite with its components; ``keyring`` is empty where any of the base's keys will do."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = ""


@dataclass(frozen=True)
class Package:
    """A binary package as the archive's index tells of it; ``source`` is the field of that name, often empty."""

    name: str
    version: str
    url: str
    sha256: str
    source: str = ""


def sources(files: dict[str, bytes]) -> list[Source]:
    """The archives in a base's ``sources.list`` and ``sources.list.d``, in both spellings."""
    from debian.deb822 import Deb822

    found: list[Source] = []
    for path, body in sorted(files.items()):
        if path.endswith(".sources"):
            for entry in Deb822.iter_paragraphs(io.BytesIO(body)):
                if "deb" not in entry.get("Types", "").split() or entry.get("Enabled", "yes") == "no":
                    continue
                named = entry.get("Signed-By", "").strip()
                keyring = named.lstrip("/") if named.startswith("/") else ""
                found += [
                    Source(uri.rstrip("/"), suite, tuple(entry.get("Components", "").split()), keyring)
                    for uri in entry["URIs"].split()
                    for suite in entry["Suites"].split()
                ]
        elif path.endswith((".list", "sources.list")):
            for line in body.decode("utf-8", "replace").splitlines():
                parts = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line)
                if parts:
                    signed = re.search(r"signed-by=/(\S+)", parts[1] or "")
                    names = tuple(parts[4].partition("#")[0].split())
                    found.append(Source(parts[2].rstrip("/"), parts[3], names, signed[1] if signed else ""))
    return [one for one in found if one.components]


class Archive:
    """One suite of an archive for one architecture (``amd64``); its index is read once."""

    def __init__(self, source: Source, architecture: str, files: dict[str, bytes]) -> None:
        self.source, self.architecture = source, architecture
        self.uri = source.uri if shutil.which("gpgv") else re.sub("^http:", "https:", source.uri)
        self._digests = self._released(files)
        self._index: dict[str, str] | None = None

    def package(self, name: str) -> Package | None:
        """The package of a name, or None."""
        if self._index is None:
            self._index = {}
            for component in self.source.components:
                text = self._listed(f"{component}/binary-{self.architecture}/Packages")
                for stanza in text.split(b"\n\n"):
                    head = stanza[9 : stanza.find(b"\n")] if stanza.startswith(b"Package: ") else b""
                    if head:
                        self._index[head.decode()] = stanza.decode("utf-8", "replace")
        entry = self._index.get(name)
        if entry is None:
            return None
        told = dict(re.findall(r"^(Version|Filename|SHA256|Source): (\S.*)$", entry, re.MULTILINE))
        url = f"{self.uri}/{told['Filename']}"
        return Package(name, told["Version"], url, told["SHA256"], told.get("Source", ""))

    def holders(self, library: str) -> list[str]:
        """The packages with a file of that name in a library folder, as the archive's ``Contents`` tell."""
        found: list[str] = []
        for component in self.source.components:
            try:
                text = self._listed(f"{component}/Contents-{self.architecture}")
            except BuildFailed:
                continue  # a suite of updates has none
            pattern = rb"^(?:usr/)?lib/(?:[^/\s]+-linux-gnu[^/\s]*/)?%s\s+(\S+)$" % re.escape(
                library.encode()
            )
            for line in re.findall(pattern, text, re.MULTILINE):
                found += [name.rpartition("/")[2] for name in line.decode().split(",")]
        return found

    def _released(self, files: dict[str, bytes]) -> dict[str, tuple[str, int]]:
        """Digest and size by path, from the signed list of the suite."""
        url = f"{self.uri}/dists/{self.source.suite}/InRelease"
        text = fetch(url)
        if shutil.which("gpgv"):
            self._verify(text, url, files)
        elif not url.startswith("https:"):
            raise BuildFailed(
                _("The archive's signature cannot be checked: gpgv is not installed."), where=url
            )
        signed = _PGP.search(text)
        body = (signed[1] if signed else text).decode("utf-8", "replace")
        listed = body.partition("\nSHA256:\n")[2]
        rows = re.findall(r"^ ([0-9a-f]{64})\s+(\d+)\s+(\S+)$", listed, re.MULTILINE)
        return {path: (digest, int(size)) for digest, size, path in rows}

    def _verify(self, text: bytes, url: str, files: dict[str, bytes]) -> None:
        named = [self.source.keyring] if self.source.keyring else []
        rings = named or [
            path for path in files if re.match(r"(etc/apt/trusted|usr/share/keyrings/debian-)", path)
        ]
        with scratch.folder("build") as place:
            argv = ["gpgv", "--quiet", "--homedir", str(place)]
            for number, path in enumerate(rings):
                if files.get(path) and not files[path].startswith(b"-----"):  # gpgv reads no armour
                    ring = place / f"{number}.gpg"
                    ring.write_bytes(files[path])
                    argv += ["--keyring", str(ring)]
            message = place / "InRelease"
            message.write_bytes(text)
            done = subprocess.run([*argv, str(message)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildFailed(_("The archive's signature is not one that the base trusts."), where=url)

    def _listed(self, path: str) -> bytes:
        """A list of the suite, unpacked, in the smallest form that it has."""
        unpack: dict[str, Callable[[bytes], bytes]] = {
            ".xz": lzma.decompress,
            ".gz": gzip.decompress,
            "": bytes,
        }
        for suffix, opened in unpack.items():
            if f"{path}{suffix}" in self._digests:
                digest, _size = self._digests[f"{path}{suffix}"]
                folder, _slash, _name = path.rpartition("/")
                # By its digest, so that an archive that is renewed meanwhile still gives the same.
                url = f"{self.uri}/dists/{self.source.suite}"
                try:
                    packed = fetch(f"{url}/{folder}/by-hash/SHA256/{digest}")
                except BuildFailed:
                    packed = fetch(f"{url}/{path}{suffix}")
                return opened(checked(packed, digest, f"{url}/{path}{suffix}"))
        raise BuildFailed(_("The archive has no {path}.", path=path), where=self.uri)


def archives(found: list[Source], architecture: str, files: dict[str, bytes]) -> Iterator[Archive]:
    """Those that can be read; one that cannot is told in the log and does without."""
    for source in found:
        try:
            yield Archive(source, architecture, files)
        except BuildFailed as problem:
            lines_log.warning("%s %s: %s", source.uri, source.suite, problem.message)


def newest(found: list[Package]) -> Package:
    """The one with the highest version."""
    from debian.debian_support import Version

    return max(found, key=lambda package: Version(package.version))


@dataclass(frozen=True)
class Opened:
    """Libraries by their name (links give what they lead to), and the copyright file; where another package
    has that, ``documented_by`` names it.
    """

    libraries: dict[str, bytes]
    rights: bytes
    documented_by: str = ""


def contents(package: Package) -> Opened:
    """What a package holds; fetched, and nothing of it run."""
    from debian.debfile import DebFile

    body = checked(fetch(package.url), package.sha256, package.url)
    with DebFile(fileobj=io.BytesIO(body)) as deb, deb.data.tgz() as archive:
        libraries: dict[str, bytes] = {}
        links: dict[str, str] = {}
        rights, other = b"", ""
        for member in archive:
            name = member.name.rpartition("/")[2]
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and ".so" in name:
                libraries[name] = file.read()
            elif file is not None and name == "copyright":
                rights = file.read()
            elif member.issym() and ".so" in name:
                links[name] = member.linkname.rpartition("/")[2]
            elif member.issym() and member.name.endswith(f"usr/share/doc/{package.name}"):
                other = member.linkname.rpartition("/")[2]
    for name, goal in links.items():
        if goal in libraries:
            libraries[name] = libraries[goal]
    return Opened(libraries, rights, other)


def guesses(library: str) -> list[str]:
    """The names that Debian gives the package of ``libgomp.so.1``: ``libgomp1``, ``libgomp1t64``."""
    stem, _so, version = library.partition(".so.")
    joint = "-" if stem[-1:].isdigit() else ""
    name = f"{stem}{joint}{version}".lower().replace("_", "-")
    return [name, f"{name}t64"]


def checked(body: bytes, digest: str, url: str) -> bytes:
    """The bytes, if they have that digest."""
    if hashlib.sha256(body).hexdigest() != digest:
        raise BuildFailed(_("What came is not what was asked for: {digest}", digest=digest), where=url)
    return body


def fetch(url: str) -> bytes:
    """What is at an address; some megabytes at most.

    Raises:
        BuildFailed: it cannot be had.
    """
    for pause in _PAUSES:
        try:
            with urlopen(url, timeout=60) as answer:
                return bytes(answer.read())
        except OSError as problem:
            gone = getattr(problem, "code", 0)
            if pause is None or gone in (403, 404):
                raise BuildFailed(
                    _("{url} cannot be had: {why}", url=url, why=why(problem)),
                    where=url,
                ) from problem
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")
