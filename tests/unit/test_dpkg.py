"""The packages of a distribution, read from what dpkg keeps in an image's layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ekiben.builders import dpkg
from ekiben.builders.oci import below, layers, native
from ekiben.builders.oci.layers import Entry
from ekiben.records.image import SystemPackage

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u10
Description: GNU C Library: Shared libraries
 Contains the standard libraries.

Package: old-settings
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0+deb12u1
"""
RELEASE = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
LIBC = SystemPackage("libc6", "2.36-9+deb12u10", "amd64", "debian", "12", source="glibc")
TIME = SystemPackage("tzdata", "2025b-0+deb12u1", "all", "debian", "12", source="tzdata")


def test_installed_packages_are_told_and_removed_ones_are_not() -> None:
    assert dpkg.packages({"var/lib/dpkg/status": STATUS, "etc/os-release": RELEASE}) == (LIBC, TIME)
    assert dpkg.packages({"etc/os-release": RELEASE, "var/lib/dpkg/info/libc6.list": b"/lib"}) == ()


def test_distroless_has_a_file_a_package() -> None:
    libc, _removed, time = STATUS.replace(b"Status: install ok installed\n", b"").split(b"\n\n")
    files = {"var/lib/dpkg/status.d/libc6": libc, "var/lib/dpkg/status.d/dHpkYXRh": time}
    files |= {"var/lib/dpkg/status.d/libc6.md5sums": b"0123  lib/libc.so.6\n", "usr/lib/os-release": RELEASE}
    assert dpkg.packages(files) == (LIBC, TIME)


def test_a_base_is_looked_into_once_and_its_upper_layers_count(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*entries: Entry) -> dict[str, str]:
        return {"digest": layers.make(layers.key_of(str(entries)), entries, "base", lambda: None).digest}

    first = made(
        Entry("usr/lib/os-release", RELEASE),
        Entry("var/lib/dpkg/status", STATUS.partition(b"Package: tzdata")[0]),
        Entry("usr/lib/libc.so.6", b"c"),
    )
    second = made(Entry("var/lib/dpkg/status", STATUS))
    base = {"layers": [first, second]}
    seen = below.look(base, lambda: None)
    assert seen == below.Below(frozenset({"libc.so.6"}), (LIBC, TIME))
    monkeypatch.setattr(below, "_walk", None)
    assert below.look(base, lambda: None) == seen


def test_the_packages_of_added_libraries_are_known_by_their_layer(fresh_home: Path) -> None:
    told = {"libgomp1": {"version": "12.2", "source": "gcc-12"}, "libfoo2": {"version": "1:2", "source": ""}}
    told["libbar1"] = {"version": "3"}  # as layers were that told of no source
    entries = (Entry(f"{native.HOME}/packages.json", json.dumps(told).encode()),)
    made = layers.make(layers.key_of("added"), entries, "native libraries: …", lambda: None)
    assert native.added(layers.blob(made.digest)) == (
        SystemPackage("libgomp1", "12.2", added=True, source="gcc-12"),
        SystemPackage("libfoo2", "1:2", added=True, source="libfoo2"),
        SystemPackage("libbar1", "3", added=True),
    )


def test_sources_have_a_version_of_their_own_or_not() -> None:
    assert dpkg.made_of("cpp", "gcc-defaults (1.203)") == ("gcc-defaults", "1.203")
    assert dpkg.made_of("libc6", "glibc") == ("glibc", "")
    assert dpkg.made_of("tzdata", "") == ("tzdata", "")
