"""Layers, the same to the byte wherever they are made: sorted names, one time, our own gzip header.

They are kept under ``<BENTOML_HOME>/ekiben/layers``: ``blobs/<sha256>`` and, by a key of what it was made
of, ``keys/<key>.json``. A file appears there whole or not at all, so builds may run side by side.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.builders.oci import contents, pieces
from ekiben.builders.oci.deflate import Deflate

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"
#: 1 January 1980, as in wheels: every file's time.
_TIME = 315532800
_LEVEL = 3
#: Part of every key: another way of writing, or another zlib, gives other bytes.
_FORMAT = f"5-{_LEVEL}-{zlib.ZLIB_RUNTIME_VERSION}"
#: A layer whose samples shrink by less is stored as it is.
_WORTH = 0.9
_SAMPLE = 256 << 10
#: Raw bytes that are packed as one piece.
_PIECE = 1 << 20
_KEPT = 30 * 24 * 3600.0
_LOOK = 3600.0


@dataclass(frozen=True)
class Link:
    """The same file as the one at ``path`` of the layer, which comes before it."""

    path: str


@dataclass(frozen=True)
class Entry:
    """A path in the image (no leading slash) and what is there: a file, bytes, or None for a folder."""

    path: str
    source: Path | bytes | Link | None = None
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Stored:
    """A layer on this disk; ``diff`` is the digest of its uncompressed bytes."""

    digest: str
    diff: str
    bytes: int
    media: str
    made_by: str = ""  # goes into the image, so it is the same in every language
    told: str = ""  # and so does this: what else there is to say of it
    seconds: float = field(default=0.0, compare=False)  # what making it took
    reused: bool = field(default=False, compare=False)


def folder() -> Path:
    """Where layers are kept."""
    return paths.home() / "layers"


def blob(digest: str) -> Path:
    """The file of a digest."""
    return folder() / "blobs" / digest.removeprefix("sha256:")


def key_of(*parts: Any) -> str:
    """A key of plain data."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()


def known(key: str) -> Stored | None:
    """The layer that was made of this, where it still lies here."""
    file = folder() / "keys" / f"{key}.json"
    try:
        found = Stored(**json.loads(file.read_text(encoding="utf-8")))
        os.utime(file)
        os.utime(blob(found.digest))
        contents.touch(folder(), found.digest)
        pieces.touch(folder(), found.digest)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return replace(found, reused=True, seconds=0.0)


def make(
    key: str,
    entries: Iterable[Entry],
    made_by: str,
    tick: Callable[[], None],
    told: str = "",
    *,
    parts_at: str = "",
) -> Stored:
    """Writes a layer and keeps it under ``key``; what ``tick`` raises stops it and leaves nothing.

    What lies in the folder ``parts_at`` is packed on its own, path by path of the next name, and taken from the
    layers that lie here where one has the same.
    """
    began = time.monotonic()
    listed = sorted(_with_folders(entries), key=lambda entry: entry.path)
    with part() as file:
        packed = _worth_packing(listed)
        known_pieces = pieces.Pieces(folder()).get if packed and parts_at else None
        with open(file, "wb") as target, closing(_Out(target, packed, tick, known_pieces)) as out:
            with tarfile.open(
                fileobj=out,
                mode="w",
                format=tarfile.PAX_FORMAT,
                copybufsize=_PIECE,  # type: ignore[call-overload]
            ) as archive:
                last = ""
                for entry in listed:
                    now = _part_of(entry.path, parts_at)
                    if now != last:
                        out.cut()
                    _add(archive, entry)
                    last = now
                if parts_at:
                    out.cut()
            stored = replace(out.stored(made_by), told=told)
        lies = [(one.path, one.source, _size(one)) for one in listed if isinstance(one.source, (Path, bytes))]
        contents.keep(folder(), stored.digest, contents.weigh(lies))
        keep(file, stored.digest)
        if out.listed:
            pieces.keep(folder(), stored.digest, out.listed)
    stored = replace(stored, seconds=round(time.monotonic() - began, 2))
    paths.write_atomic(folder() / "keys" / f"{key}.json", json.dumps(asdict(stored)))
    return stored


@contextmanager
def part() -> Iterator[Path]:
    """A name for a file that is being written; at the end there is no such file."""
    file = folder() / "parts" / scratch.name()
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def keep(file: Path, digest: str) -> None:
    """Moves a whole file to its digest."""
    blob(digest).parent.mkdir(parents=True, exist_ok=True)
    os.replace(file, blob(digest))


def put(file: Path, target: Path) -> None:
    """The same file at another place: a link where the system has them, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copyfile(file, target)


def prune() -> None:
    """Forgets what no build has used for a month, once an hour at most, and what killed ones were writing."""
    scratch.clear(folder() / "parts")
    looked = folder() / "pruned"
    with suppress(FileNotFoundError):
        if time.time() - looked.stat().st_mtime < _LOOK:
            return
    if folder().is_dir():
        looked.touch()
    kinds = ("blobs", "keys", "parts", "contents", "uploads", "bytecode", "pieces")
    for file in (file for kind in kinds for file in folder().glob(f"{kind}/*")):
        try:
            if time.time() - file.stat().st_mtime > _KEPT:
                file.unlink()
        except FileNotFoundError:
            continue  # another build tidied up as well


def _with_folders(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, and each folder on the way to them once."""
    seen: set[str] = set()
    listed = list(entries)
    seen.update(entry.path for entry in listed if entry.source is None)
    yield from listed
    for entry in listed:
        for above in Path(entry.path).parents:
            path = above.as_posix()
            if path != "." and path not in seen:
                seen.add(path)
                yield Entry(path, mode=0o755)


def _part_of(path: str, above: str) -> str:
    """The part of a layer that a path lies in: ``above`` and the name after it; empty outside of ``above``."""
    inner = path.removeprefix(f"{above}/") if above else path
    return inner.partition("/")[0] + ("/" if "/" in inner else "") if inner != path else ""


def _size(entry: Entry) -> int:
    if isinstance(entry.source, Path):
        return entry.source.stat().st_size
    return len(entry.source) if isinstance(entry.source, bytes) else 0


def _worth_packing(entries: list[Entry]) -> bool:
    """Whether gzip shrinks the bulk: samples of the largest files, so that no gigabytes are read twice."""
    sizes = [
        (entry.source.stat().st_size, entry.source) for entry in entries if isinstance(entry.source, Path)
    ]
    largest = sorted(sizes, reverse=True, key=lambda pair: pair[0])[:4]
    if sum(size for size, _file in largest) < 4 * _SAMPLE:
        return True
    raw = packed = 0
    for size, file in largest:
        with open(file, "rb") as stream:
            for place in (0, size // 2):
                stream.seek(place)
                piece = stream.read(_SAMPLE)
                raw += len(piece)
                packed += len(zlib.compress(piece, 1))
    return packed < _WORTH * raw


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mtime, info.mode, info.uid = _TIME, entry.mode, entry.owner
    if entry.source is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(entry.source, Link):
        info.type, info.linkname = tarfile.LNKTYPE, entry.source.path
        archive.addfile(info)
    elif isinstance(entry.source, bytes):
        import io

        info.size = len(entry.source)
        archive.addfile(info, io.BytesIO(entry.source))
    else:
        with open(entry.source, "rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            archive.addfile(info, file)


class _Out:
    """A file object for ``tarfile`` that hashes, packs and hashes again.

    With ``known``, which gives packed pieces by their keys, ``listed`` is where the pieces of this one are.
    """

    def __init__(
        self,
        target: Any,
        packed: bool,
        tick: Callable[[], None],
        known: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self.target, self.tick = target, tick
        self.digest = hashlib.sha256()
        self.diff = hashlib.sha256() if packed else self.digest  # unpacked, the two are one
        self.size, self.raw, self.crc = 0, 0, 0
        self.listed: pieces.Listed = []
        self.waiting = bytearray()
        self.listing = known is not None
        self.packer = (Deflate(_LEVEL, known) if known else Deflate(_LEVEL)) if packed else None
        if packed:
            self._put(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")  # no time, no name, no system

    def tell(self) -> int:
        """The bytes of the archive so far."""
        return self.raw + len(self.waiting)

    def write(self, data: bytes) -> int:
        """Takes a piece of the archive."""
        self.waiting += data
        while len(self.waiting) >= _PIECE:
            piece = bytes(self.waiting[:_PIECE])
            del self.waiting[:_PIECE]
            self._pack(piece)
        return len(data)

    def cut(self) -> None:
        """What comes from here on is packed as if nothing were before it."""
        if self.packer is not None:
            if self.waiting:
                self._pack(bytes(self.waiting))
                self.waiting.clear()
            self.packer.forget()

    def stored(self, made_by: str) -> Stored:
        """The end of the layer."""
        if self.waiting:
            self._pack(bytes(self.waiting))
            self.waiting.clear()
        if self.packer is not None:
            self._take(self.packer.end())
            self._put(struct.pack("<LL", self.crc, self.raw & 0xFFFFFFFF))
        self.target.flush()
        return Stored(
            digest=f"sha256:{self.digest.hexdigest()}",
            diff=f"sha256:{self.diff.hexdigest()}",
            bytes=self.size,
            media=TAR if self.packer is None else GZIP,
            made_by=made_by,
        )

    def close(self) -> None:
        """Ends the threads that pack."""
        if self.packer is not None:
            self.packer.close()

    def _pack(self, data: bytes) -> None:
        self.tick()
        self.raw += len(data)
        if self.packer is None:
            self._put(data)
        else:
            self._take(self.packer.pack(data))
            self.diff.update(data)
            self.crc = zlib.crc32(data, self.crc)

    def _take(self, packed: Iterable[tuple[str, bytes]]) -> None:
        for key, piece in packed:
            if self.listing and key:
                self.listed.append((key, self.size, len(piece)))
            self._put(piece)

    def _put(self, data: bytes) -> None:
        self.target.write(data)
        self.digest.update(data)
        self.size += len(data)
