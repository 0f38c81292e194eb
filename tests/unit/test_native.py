"""Which native libraries are missing, and where Debian has them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ekiben.builders.oci import debian, shared_objects
from ekiben.builders.oci.shared_objects import Linked

DEB822 = b"""Types: deb deb-src
# a comment
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://archive.example/sources
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://archive.example/off
Suites: bookworm
Components: main
"""
ONE_LINE = b"""# deb http://archive.example/old etch main
deb [arch=amd64 signed-by=/etc/apt/keyrings/a.gpg] http://archive.example/debian/ bookworm main contrib # ours
deb-src http://archive.example/debian bookworm main
deb http://archive.example/flat ./
"""


def test_the_archives_of_a_base_in_both_spellings() -> None:
    ring = "usr/share/keyrings/debian-archive-keyring.gpg"
    assert debian.sources({"etc/apt/sources.list.d/debian.sources": DEB822}) == [
        debian.Source("http://archive.example/debian", suite, ("main", "contrib"), ring)
        for suite in ("bookworm", "bookworm-updates")
    ]
    assert debian.sources({"etc/apt/sources.list": ONE_LINE, "etc/os-release": b"ID=debian"}) == [
        debian.Source(
            "http://archive.example/debian", "bookworm", ("main", "contrib"), "etc/apt/keyrings/a.gpg"
        )
    ]


@pytest.mark.parametrize(
    ("library", "package"),
    [("libgomp.so.1", "libgomp1"), ("libglib-2.0.so.0", "libglib-2.0-0"), ("libGL.so.1", "libgl1")],
)
def test_the_usual_name_of_a_librarys_package(library: str, package: str) -> None:
    assert debian.guesses(library)[0] == package


def test_the_newest_of_several_archives_counts() -> None:
    versions = ("12.2.0-14", "12.2.0-14+deb12u1", "12.2.0-14~bpo11+1", "9.9")
    listed = [debian.Package("libgomp1", version, "", "") for version in versions]
    assert debian.newest(listed).version == "12.2.0-14+deb12u1"


def test_what_nobody_has_is_missing() -> None:
    linked = [
        Linked("a/_a.so", "_a.so", ("libc.so.6", "libmine.so.2", "libgomp.so.1", "libcuda.so.1")),
        Linked("a.libs/libmine-3f.so.2.1", "libmine.so.2", ("libm.so.6", "libz-9a.so")),
        Linked("b.libs/libz-9a.so", "libz-9a.so", ()),
        Linked("c/_c.so", "_c.so", ("libgomp.so.1",)),
    ]
    assert shared_objects.missing(linked, {"libc.so.6", "libm.so.6"}) == {
        "libgomp.so.1": ("a/_a.so", "c/_c.so")
    }
    assert shared_objects.missing(linked, {"libc.so.6", "libm.so.6", "libgomp.so.1"}) == {}


def test_lightgbm_needs_openmp_and_scikit_learn_brings_its_own() -> None:
    lacks, brings = (
        Path(str(importlib.util.find_spec(name).origin)).parent for name in ("lightgbm", "sklearn")
    )  # type: ignore[union-attr]
    there = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libstdc++.so.6", "libgcc_s.so.1", "librt.so.1"}
    there |= {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libdl.so.2"}
    assert set(shared_objects.missing(shared_objects.scan(lacks), there)) == {"libgomp.so.1"}
    own = [*shared_objects.scan(brings), *shared_objects.scan(brings.with_name("scikit_learn.libs"))]
    assert any(name.startswith("libgomp") for one in own for name in one.needed)
    assert shared_objects.missing(own, there) == {}


def test_what_is_no_shared_object_is_none(tmp_path: Path) -> None:
    (tmp_path / "linker.so").write_text("INPUT(libreal.so.1)")
    (tmp_path / "cut.so").write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9)
    (tmp_path / "empty.so").touch()
    assert shared_objects.scan(tmp_path) == []
