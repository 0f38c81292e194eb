"""Images without an engine: the same to the byte, pushed to a real registry, pulled, run, replayed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from ekiben import image, registry
from ekiben.builders.oci import layers, layout, packages, remote, root
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.credentials import login
from ekiben.builders.oci.layers import Entry
from ekiben.builders.oci.reference import parse, source
from ekiben.errors import BuildFailed, Cancelled, EngineMissing, InvalidName, ReplayMismatch
from ekiben.records import Image
from rig import Rig
from test_image import in_container, tampered

if TYPE_CHECKING:
    from ekiben.box import Box

BASIC = "ekiben:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"  # secret


def nothing(*_anything: Any) -> None:
    """Hears progress and says nothing."""


@dataclass
class Hub:
    """A registry that can be ended and started again where it was."""

    folder: Path
    address: str
    password: bool = False

    def start(self) -> None:
        settings = self.folder / "registry.yml"
        (self.folder / "users").write_text(BASIC)
        auth = (
            f"auth: {{htpasswd: {{realm: test, path: {self.folder / 'users'}}}}}\n" if self.password else ""
        )
        settings.write_text(
            "version: 0.1\nlog: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'blobs'}}}}}\n"
            f"http: {{addr: '{self.address}', secret: known-after-a-restart}}\n{auth}"
        )
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                urlopen(f"http://{self.address}/v2/", timeout=2).close()
                return
            except OSError as problem:
                if getattr(problem, "code", 0) == 401:
                    return
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def hub(container_rig: Rig, tmp_path: Path) -> Iterator[Hub]:
    """An empty registry."""
    found = Hub(tmp_path, f"127.0.0.1:{image._free_port()}")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH without container engines; gives the temporary folder of this test, to see that it is left empty."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "env", "unshare", "chroot", "mount", "mkdir", "chmod"):
        found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if found:
            (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture(scope="module")
def built(container_rig: Rig, iris_box: Box) -> Iterator[Image]:
    """Built, proven in a container and pushed to the registry of the base image, if that is on this machine."""
    home = container_rig.base.rpartition("/")[0]
    push = home.startswith("127.0.0.1")
    reference = f"{home if push else '127.0.0.1:5000'}/ekiben-test/oci:1"
    made = image.build(
        iris_box.project, iris_box.model, reference, engine="oci", base=container_rig.base, push=push
    )
    yield made
    image.BuiltImage(made).remove()
    assert not layout.place(reference).exists()
    assert not any("ekiben-test/oci" in name for name in container_rig.names())


@in_container
def test_it_is_proven_in_a_container(built: Image, container_rig: Rig, iris_box: Box) -> None:
    assert built.replay is not None
    assert (built.replay.station, built.replay.passed) == ("image", True)
    assert built.replay.rows == len(iris_box.contract.golden.rows)
    assert built.engine == "oci"
    assert built.findings == ()
    assert built.base.startswith(f"{source(container_rig.base)}@sha256:")
    assert built.bytes < 350e6
    assert [layer.made_by for layer in built.layers[-4:]] == [
        "Python packages",
        "bytecode of the packages",
        "the service",
        f"the model {iris_box.model.tag}",
    ]
    assert any(built.reference in name for name in container_rig.names())
    assert not any("candidate" in name for name in container_rig.names())
    assert container_rig.containers() == ""
    html = image.BuiltImage(built)._repr_html_()
    assert f"podman run --rm -p 3000:3000 {built.reference}" in html or "docker run" in html
    labels = layout.config_of(layout.place(built.reference))["config"]["Labels"]
    assert labels["io.ekiben.model"] == iris_box.model.tag
    assert labels["org.opencontainers.image.created"] == iris_box.model.created


@in_container
def test_pulled_it_runs_without_root_on_a_read_only_disk(
    built: Image, container_rig: Rig, iris_box: Box, hub: Hub
) -> None:
    name = f"{hub.address}/pulled/iris:2"
    oci: Any = registry.builder("oci")
    named = _named(built, name)
    assert oci.push(named, nothing) == pytest.approx(built.bytes, rel=0.01)
    assert oci.push(named, nothing) == 0
    layout.remove(name)
    options = ["--tls-verify=false"] if container_rig.engine == "podman" else []
    container_rig.run("pull", "-q", *options, name)
    port = image._free_port()
    limits = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    # Not even /tmp can be written to; shared memory can.
    limits += ["--read-only-tmpfs=false"] if container_rig.engine == "podman" else []
    published = ["-p", f"127.0.0.1:{port}:{port}", "-e", f"PORT={port}"]
    container = container_rig.run("run", "-d", *limits, *published, name).strip()
    try:
        image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 90)
        proof = image.replay_http(f"http://127.0.0.1:{port}", iris_box.contract)
        assert proof.passed
        assert container_rig.run("exec", container, "id", "-u").strip() == "1000"
        began = time.monotonic()
        container_rig.run("stop", "-t", "30", container)
        assert time.monotonic() - began < 20, "it ends when it is asked to"
    finally:
        container_rig.run("rm", "-f", container)
        container_rig.run("rmi", name)


def _named(built: Image, reference: str) -> Image:
    """The same image under another name too."""
    shutil.copytree(layout.place(built.reference), layout.place(reference), copy_function=os.link)
    return Image.from_json({**built.to_json(), "reference": reference})


@in_container
def test_an_archive_of_it_loads(built: Image, container_rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    registry.builder("oci").save(built, file)  # type: ignore[attr-defined]
    assert built.reference in container_rig.run("load", "-i", str(file))
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".tar" and path.is_file()] == []


@in_container
@pytest.mark.parametrize("isolated", [True, False])
def test_without_an_engine_it_is_proven_on_its_layers(
    built: Image,
    container_rig: Rig,
    iris_box: Box,
    no_engine: Path,
    monkeypatch: pytest.MonkeyPatch,
    isolated: bool,
) -> None:
    if not isolated:
        monkeypatch.setattr(root, "isolates", lambda: False)
    expected = isolated and root.isolates()
    made = image.build(
        iris_box.project, iris_box.model, "ekiben-test/alone:1", engine="oci", base=container_rig.base
    )
    try:
        assert made.replay is not None
        assert made.replay.passed
        assert made.digest == built.digest
        assert bool(made.findings) is not expected
        assert expected or "without isolation" in image.BuiltImage(made)._repr_html_()
        assert list(no_engine.iterdir()) == []
        if not isolated:
            return  # one of the two is enough for what follows
        with pytest.raises(ReplayMismatch):
            image.build(
                iris_box.project,
                tampered(iris_box.model),
                made.reference,
                engine="oci",
                base=container_rig.base,
            )
        assert layout.place(made.reference).is_dir(), "the proven one keeps the name"
    finally:
        image.BuiltImage(made).remove()
    assert [path.name for path in layout.home().iterdir() if "alone" in path.name] == []


@in_container
def test_a_retrained_model_sends_little(built: Image, container_rig: Rig, hub: Hub, no_engine: Path) -> None:
    import ekiben
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    table, target = load_iris(return_X_y=True, as_frame=True)
    box = ekiben.wrap(LogisticRegression(C=0.5, max_iter=500).fit(table, target), table, name="faces-iris")
    oci: Any = registry.builder("oci")
    name = f"{hub.address}/iris:1"
    oci.push(_named(built, name), nothing)
    again = oci.build(box.project, name, container_rig.base, nothing)
    try:
        changed = [one for one, old in zip(again.layers, built.layers, strict=True) if one != old]
        assert len(changed) == 2, "the service, which names the model, and the model"
        assert oci.push(again, nothing) < 100_000
        assert again.digest != built.digest
    finally:
        oci.remove(name)


@in_container
def test_elsewhere_it_is_the_same_to_the_byte(
    built: Image,
    container_rig: Rig,
    iris_box: Box,
    no_engine: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    here = layers.folder()
    store = Path(os.environ["BENTOML_HOME"])
    shutil.copytree(store / "models", tmp_path / "home" / "models")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    # The packages' own sameness is told apart below; here they are lent, to spare the time.
    lent = {layer.digest for layer in built.layers[:-2]}
    for file in here.glob("keys/*"):
        digest = json.loads(file.read_text())["digest"]
        if digest in lent:
            layers.put(file, layers.folder() / "keys" / file.name)
            layers.put(here / "blobs" / digest[7:], layers.blob(digest))
    before = os.umask(0o077)
    try:
        made = registry.builder("oci").build(iris_box.project, "iris:9", container_rig.base, nothing)
    finally:
        os.umask(before)
    assert made.digest == built.digest


@pytest.mark.slow
def test_packages_are_the_same_to_the_byte(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]
) -> None:
    monkeypatch.setenv("HOME", person["HOME"])  # pip's settings
    wanted = fresh_home / "requirements.txt"
    wanted.write_text("markupsafe==3.0.2\njinja2==3.1.6\n")
    python = ".".join(map(str, sys.version_info[:3]))
    first = packages.made(wanted, python, "linux/amd64", nothing)
    monkeypatch.setenv("BENTOML_HOME", str(fresh_home / "another"))
    monkeypatch.setenv("TMPDIR", str(fresh_home))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = os.umask(0o077)
    try:
        second = packages.made(wanted, python, "linux/amd64", nothing)
    finally:
        os.umask(before)
    assert first == second
    assert len(first) == 2
    arm = packages.made(wanted, python, "linux/arm64", nothing)
    import tarfile

    with tarfile.open(layers.blob(arm[0].digest)) as archive:
        names = archive.getnames()
    assert any("aarch64" in name for name in names)
    assert not any("x86_64" in name or "/bin/" in name for name in names)


@in_container
def test_a_stopped_build_leaves_nothing(
    built: Image, container_rig: Rig, fresh_home: Path, iris_box: Box, no_engine: Path
) -> None:
    shutil.copytree(Path(iris_box.model.folder).parent, fresh_home / "bentoml/models/faces-iris")

    def stop(step: int, _steps: int, message: str) -> None:
        if step >= 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        image.build(
            iris_box.project, iris_box.model, "iris:7", engine="oci", base=container_rig.base, progress=stop
        )
    assert not any(layers.folder().glob("parts/*"))
    assert not layout.home().exists() or not any(layout.home().iterdir())
    assert list(no_engine.iterdir()) == []


@in_container
def test_no_base_is_one_clear_error(container_rig: Rig, iris_box: Box, hub: Hub) -> None:
    given = (iris_box.project, iris_box.model, "iris:8")
    with pytest.raises(BuildFailed, match="no-such-base") as caught:
        image.build(*given, engine="oci", base=f"{hub.address}/no-such-base:1")
    assert "base=" in caught.value.remedy
    with pytest.raises(EngineMissing, match="cannot be reached") as missing:
        image.build(*given, engine="oci", base="127.0.0.1:9/python:3")
    assert "127.0.0.1:9" in missing.value.message
    with pytest.raises(InvalidName, match="names no registry"):
        image.build(*given, engine="oci", base=container_rig.base, push=True)


@in_container
def test_a_registry_that_is_killed_and_started_again_gets_the_rest(hub: Hub, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(1 << 20) * 40)
    digest = layout.digest_of(blob.read_bytes())
    places: list[int] = []

    def tick(done: int) -> None:
        places.append(done)
        if len(places) == 2:
            hub.kill()
            hub.start()

    client = Client(hub.address)
    assert remote.push(client, "big", digest, blob, "", tick) == 40 << 20
    assert places == sorted(set(places)), "nothing was sent twice"
    target = tmp_path / "back"
    remote.fetch(client, "big", digest, target, nothing)
    assert layout.digest_of(target.read_bytes()) == digest
    # Another repository of the same registry has it by being told.
    assert remote.push(client, "other", digest, blob, "big", nothing) == 0


@in_container
def test_a_registry_with_a_password(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.kill()
    hub.password = True
    hub.start()
    blob = tmp_path / "blob"
    blob.write_bytes(b"ekiben")
    digest = layout.digest_of(b"ekiben")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(BuildFailed, match="refuses") as caught:
        remote.push(Client(hub.address), "secret", digest, blob, "", nothing)
    assert f"docker login {hub.address}" in caught.value.remedy
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username":"ekiben","Secret":"secret"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {hub.address: "test"}}))
    assert remote.push(Client(hub.address), "secret", digest, blob, "", nothing) == 6


def test_logins_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert login("ghcr.io") is None
    auths = {
        "ghcr.io": {"auth": "bWU6czpw"},
        "https://index.docker.io/v1/": {"auth": "aHViOng="},
        "az.io": {"identitytoken": "t"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    found = {host: login(host) for host in ("ghcr.io", "docker.io", "az.io", "quay.io")}
    told = {host: (one.user, one.secret) if one else None for host, one in found.items()}
    assert told == {"ghcr.io": ("me", "s:p"), "docker.io": ("hub", "x"), "az.io": ("", "t"), "quay.io": None}


def test_names_in_parts() -> None:
    assert str(source("python:3.11-slim")) == "docker.io/library/python:3.11-slim"
    assert str(source("team/app")) == "docker.io/team/app:latest"
    found = parse("localhost:5000/a/b:c")
    assert (found.host, found.repository, found.tag) == ("localhost:5000", "a/b", "c")
    assert parse("ghcr.io/a@sha256:12").wanted == "sha256:12"
    with pytest.raises(InvalidName):
        parse("a@md5:1")


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
