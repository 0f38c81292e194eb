"""Packing on several cores: one stream, the same on any number of them, and gone when it is given up."""

from __future__ import annotations

import os
import random
import threading
import zlib

import pytest
from ekiben.builders.oci.deflate import Deflate


def packed(pieces: list[bytes]) -> bytes:
    packer = Deflate(3)
    try:
        told = [*(part for piece in pieces for part in packer.pack(piece)), *packer.end()]
        return b"".join(part for _key, part in told)
    finally:
        packer.close()


def test_it_is_one_stream_and_the_same_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [bytes(random.Random(7).choices(range(97, 123), k=9)) for _ in range(2000)]
    chosen = random.Random(8).choices(words, k=700_000)
    text = b" ".join(chosen)
    pieces = [text[at : at + (1 << 20)] for at in range(0, len(text), 1 << 20)]
    first = packed(pieces)
    assert zlib.decompress(first, -15) == text
    for cores in (1, 3, 16):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert packed(pieces) == first
    whole = zlib.compressobj(3, zlib.DEFLATED, -15)
    assert len(first) < 1.01 * len(whole.compress(text) + whole.flush())


def test_nothing_and_crumbs_are_streams_too() -> None:
    assert zlib.decompress(packed([]), -15) == b""
    assert zlib.decompress(packed([b"", b"a", b"", b"bc"]), -15) == b"abc"


def test_given_up_it_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    packer = Deflate(9)
    list(packer.pack(os.urandom(1 << 20)))
    packer.close()
    assert set(threading.enumerate()) <= before
