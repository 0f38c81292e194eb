"""A layer that shares packages with one that lies here takes their packed pieces, and is the same to the byte."""

from __future__ import annotations

import gzip
import hashlib
import random
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ekiben.builders.oci import layers
from ekiben.builders.oci.layers import Entry, Stored
from ekiben.builders.oci.pieces import Pieces
from rig.projects import nothing

SITE = "app/site-packages"


class Packed:
    """Counts what is packed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        whole = zlib.compressobj

        def counted(*told: object, **more: object) -> object:
            self.count += 1
            return whole(*told, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(zlib, "compressobj", counted)

    def since(self) -> int:
        """The pieces since it was last asked."""
        count, self.count = self.count, 0
        return count


@pytest.fixture
def packed(fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packed]:
    yield Packed(monkeypatch)


def package(name: str, size: int) -> list[Entry]:
    """Text of a package, the same for the same name."""
    words = [bytes(random.Random(name).choices(range(97, 123), k=7)) for _ in range(500)]
    text = b" ".join(random.Random(name).choices(words, k=size // 8))
    return [
        Entry(f"{SITE}/{name}/__init__.py", text),
        Entry(f"{SITE}/{name}/last.py", b"answer = 42\n"),
        Entry(f"{SITE}/{name}-1.0.dist-info/RECORD", b""),
    ]


def site(*names: str) -> list[Entry]:
    return [entry for name in names for entry in package(name, 3_000_000)]


def made(entries: list[Entry]) -> Stored:
    return layers.make(layers.key_of(len(entries)), entries, "packages", nothing, parts_at=SITE)


def test_a_package_more_packs_that_package_and_gives_what_a_cold_build_gives(packed: Packed) -> None:
    first = made(site("ants", "cats"))
    alone = packed.since()
    assert alone > 8
    # Before, between and after those that are there.
    warm = made(site("ants", "bees", "cats"))
    assert packed.since() <= alone // 2 + 2
    whole = layers.blob(warm.digest).read_bytes()
    shutil.rmtree(layers.folder())
    cold = made(site("ants", "bees", "cats"))
    assert packed.since() > alone
    assert cold == warm and layers.blob(cold.digest).read_bytes() == whole != first
    with tarfile.open(layers.blob(cold.digest)) as archive:
        names = archive.getnames()
    assert names == sorted(names) and f"{SITE}/bees/last.py" in names
    assert f"sha256:{hashlib.sha256(gzip.decompress(whole)).hexdigest()}" == cold.diff


def test_a_layer_that_is_gone_or_cut_off_is_packed_again(packed: Packed) -> None:
    first = made(site("ants"))
    reference = made(site("ants", "bees"))
    blob = layers.blob(first.digest)
    for spoil in (lambda: blob.write_bytes(blob.read_bytes()[:1000]), blob.unlink):
        layers.blob(reference.digest).unlink(missing_ok=True)
        spoil()
        assert made(site("ants", "bees")) == reference
    note = layers.folder() / "pieces" / f"{reference.digest.removeprefix('sha256:')}.json"
    for text in ("", "{}", '[["key", "a", 1]]', "[1]"):
        note.write_text(text)
        assert Pieces(layers.folder()).get("key") is None


def test_what_lies_elsewhere_is_one_part_and_no_list_is_kept_of_it(packed: Packed) -> None:
    other = layers.make(layers.key_of("model"), [Entry("home/model", b"a" * 2_000_000)], "model", nothing)
    with tarfile.open(layers.blob(other.digest)) as archive:
        assert archive.getnames() == ["home", "home/model"]
    assert not (layers.folder() / "pieces").exists()
