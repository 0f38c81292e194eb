"""Layers: the same to the byte, for the platform that was asked for, streamed, whole or not there."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ekiben import registry
from ekiben.builders.oci import layers, layout, remote, root
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.layers import Entry
from ekiben.builders.oci.reference import parse
from ekiben.errors import BuildFailed
from ekiben.records import Image, Project
from rig.projects import base, nothing, small
from rig.registry import Registry
from test_image import in_container


@pytest.fixture
def ground(
    hub: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]
) -> Registry:
    """A registry with a small base for both platforms, no engine, a home of its own, pip as the person has it."""
    monkeypatch.setenv("HOME", person["HOME"])
    monkeypatch.setenv("PATH", str(fresh_home / "no-engine"))
    monkeypatch.setenv("TMPDIR", str(fresh_home / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (fresh_home / "tmp").mkdir()
    for machine in ("amd64", "arm64"):
        listed = f"Package: libc6\nArchitecture: {machine}\nVersion: 2.36-9\n".encode()
        base(f"{hub.address}/{machine}:1", machine, Entry("var/lib/dpkg/status.d/libc6", listed))
    return hub


def build(project: Project, hub: Registry, reference: str, machine: str = "amd64") -> Image:
    return registry.builder("oci").build(project, reference, f"{hub.address}/{machine}:1", nothing)


def whole(image: Image) -> dict[str, Any]:
    """The manifest of an image whose files all have the digests that they are called by."""
    folder = layout.place(image.reference)
    for file in (folder / "blobs" / "sha256").iterdir():
        assert layout.digest_of(file.read_bytes()) == f"sha256:{file.name}"
    return dict(json.loads(layout.manifest_text(folder)))


@in_container
def test_elsewhere_it_is_the_same_to_the_byte(
    ground: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    project = small(fresh_home / "one")
    first = build(project, ground, "small:1")
    told = whole(first)
    before = os.umask(0o077)
    try:
        shutil.copytree(fresh_home / "bentoml/models", fresh_home / "other/home/models")
        shutil.copytree(fresh_home / "one", fresh_home / "other/project")
        monkeypatch.setenv("BENTOML_HOME", str(fresh_home / "other/home"))
        monkeypatch.setenv("UV_CACHE_DIR", str(fresh_home / "other/uv"))
        (fresh_home / "other/tmp").mkdir()
        monkeypatch.setenv("TMPDIR", str(fresh_home / "other/tmp"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        second = build(replace(project, folder=str(fresh_home / "other/project")), ground, "another/name:2")
    finally:
        os.umask(before)
    assert second.digest == first.digest
    assert whole(second) == told
    assert not any((fresh_home / "tmp").iterdir()) and not any((fresh_home / "other/tmp").iterdir())


@in_container
def test_an_image_for_arm_is_all_of_arm(
    ground: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/arm64")
    project = small(fresh_home / "one")
    with pytest.raises(BuildFailed, match="has no image for linux/arm64"):
        build(project, ground, "small:1", "amd64")
    made = build(project, ground, "small:1", "arm64")
    folder = layout.place(made.reference)
    assert layout.config_of(folder)["architecture"] == "arm64"
    oci: Any = registry.builder("oci")
    told = [(one.kind, one.name, one.version, one.architecture) for one in oci.system(made)]
    assert told == [
        ("deb", "libc6", "2.36-9", "arm64"),
        ("generic", "python", platform.python_version(), "arm64"),
    ]
    named = Image.from_json({**made.to_json(), "reference": f"{ground.address}/small:1"})
    shutil.copytree(folder, layout.place(named.reference))
    oci.push(named, nothing)
    back = remote.resolve(Client(ground.address), parse(named.reference), "linux/arm64")
    assert (back.digest, back.config["architecture"]) == (made.digest, "arm64")
    machines = set()
    for layer in whole(made)["layers"]:
        with tarfile.open(layout.blob(folder, layer["digest"])) as archive:
            for member in archive:
                head = archive.extractfile(member).read(20) if member.isfile() else b""  # type: ignore[union-attr]
                if head.startswith(b"\x7fELF"):
                    machines.add(int.from_bytes(head[18:20], "little"))
                elif member.name.endswith(".dist-info/WHEEL"):
                    assert "x86_64" not in member.name
    assert machines == {183}, "183 is the number of AArch64"


@in_container
def test_builds_side_by_side_do_not_harm_each_other(
    ground: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    projects = [small(fresh_home / f"p{n}", f"small:{n}", size=n * 1000) for n in range(3)]
    again = """import sys, json; from ekiben import registry; from ekiben.records import Project
image = registry.builder("oci").build(Project.from_json(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3], print)
print(json.dumps(image.to_json()))"""
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                again,
                json.dumps(project.to_json()),
                f"side:{n}",
                f"{ground.address}/amd64:1",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n, project in enumerate(projects * 2)
    ]
    told = [process.communicate(timeout=1500)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 6
    images = [Image.from_json(json.loads(text.splitlines()[-1])) for text in told]
    for image in images:
        whole(image)
    assert [image.digest for image in images[:3]] == [image.digest for image in images[3:]]
    assert len({image.digest for image in images}) == 3
    assert list((layers.folder() / "parts").iterdir()) == []
    assert not any((fresh_home / "tmp").iterdir())


@in_container
def test_a_large_model_is_never_in_memory(
    ground: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    size = 1200 << 20
    project = small(fresh_home / "one", size=size)
    code = """import sys, json; from ekiben import registry; from ekiben.records import Project
oci = registry.builder("oci")
image = oci.build(Project.from_json(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3], lambda *_: None)
sent = oci.push(image, lambda _: None)
# Of this program alone: what getrusage tells begins with the size of the process that started it.
status = open("/proc/self/status").read()
most = int(status.split("VmHWM:")[1].split()[0])
print(json.dumps([sent, most, image.to_json()]))"""
    name = f"{ground.address}/large:1"
    command = [sys.executable, "-c", code, json.dumps(project.to_json()), name, f"{ground.address}/amd64:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sent, most, told = json.loads(done.stdout.splitlines()[-1])
    assert sent > size
    assert most < 160 << 10, "kilobytes; twelve pieces of an upload and the interpreter"
    weights = Image.from_json(told).layers[-1]
    assert size < weights.bytes < size * 1.001, "random bytes are not packed"


def test_a_layer_is_the_same_whenever_it_is_made(fresh_home: Path) -> None:
    (fresh_home / "a.txt").write_text("a" * 10_000)
    (fresh_home / "noise").write_bytes(os.urandom(2 << 20))
    small = [Entry("app/b", b"b"), Entry("app/a.txt", fresh_home / "a.txt")]
    first = layers.make("1", small, "x", nothing)
    os.utime(fresh_home / "a.txt", (1, 1))
    assert layers.make("2", reversed(small), "x", nothing) == first
    assert layers.known("1") == first
    assert first.media == layers.GZIP
    noise = layers.make("3", [Entry("app/noise", fresh_home / "noise")], "x", nothing)
    assert noise.media == layers.TAR, "what does not shrink is not packed"
    assert noise.digest == noise.diff


def test_layers_stay_inside_their_root(fresh_home: Path) -> None:
    import io
    import tarfile

    outside = fresh_home / "outside"
    outside.mkdir()
    target = fresh_home / "root"
    target.mkdir()
    members = [
        ("etc", tarfile.SYMTYPE, str(outside)),
        ("etc/passwd", tarfile.REGTYPE, ""),
        ("../up", tarfile.REGTYPE, ""),
        ("usr/lib", tarfile.DIRTYPE, ""),
        ("lib", tarfile.SYMTYPE, "usr/lib"),
        ("lib/one", tarfile.REGTYPE, ""),
        ("lib/two", tarfile.LNKTYPE, "lib/one"),
        ("usr/lib/.wh.one", tarfile.REGTYPE, ""),
    ]
    pile = io.BytesIO()
    with tarfile.open(fileobj=pile, mode="w") as archive:
        for name, kind, goal in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, goal
            archive.addfile(info)
    pile.seek(0)
    with tarfile.open(fileobj=pile) as archive:
        for member in archive:
            root._unpack(archive, member, target)
    assert list(outside.iterdir()) == []
    assert not (fresh_home / "up").exists()
    assert [path.name for path in (target / "usr/lib").iterdir()] == ["two"]
