"""Images without an engine: proven, pulled and run as a cluster runs them, loaded, kept small when retrained."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from ekiben import image, registry
from ekiben.builders.oci import layers, layout, referrers, root
from ekiben.builders.oci.reference import source
from ekiben.errors import BuildFailed, Cancelled, EngineMissing, InvalidName, ReplayMismatch
from ekiben.records import Image
from ekiben.widget import CardWidget
from packageurl import PackageURL
from rig import Rig
from rig.projects import SECRET, nothing, small
from rig.registry import Registry
from test_image import in_container, tampered

if TYPE_CHECKING:
    from ekiben.box import Box


@in_container
def test_it_is_proven_in_a_container(built: Image, container_rig: Rig, iris_box: Box) -> None:
    assert built.replay is not None
    assert (built.replay.station, built.replay.passed) == ("image", True)
    assert built.replay.rows == len(iris_box.contract.golden.rows)
    assert built.engine == "oci"
    assert built.findings == ()
    assert built.base.startswith(f"{source(container_rig.base)}@sha256:")
    assert built.bytes < 200e6
    assert [layer.made_by for layer in built.layers[-5:]] == [
        "Python packages",
        "bytecode of the packages",
        "the runtime",
        "the service",
        f"the model {iris_box.model.tag}",
    ]
    assert any(built.reference in name for name in container_rig.names())
    assert not any("candidate" in name for name in container_rig.names())
    assert container_rig.containers() == ""
    html = image.BuiltImage(built)._repr_html_()
    assert f"podman run --rm -p 3000:3000 {built.reference}" in html or "docker run" in html
    kinds = {part.kind for part in built.parts}
    assert kinds >= {"base", "package", "code", "model"}
    assert sum(part.bytes for part in built.parts) == pytest.approx(built.bytes, rel=0.01)
    imported = {part.name: part.imported for part in built.parts}
    assert imported["uvicorn"] is True and imported["bentoml"] is False
    assert "<svg" in html and "bentoml" in html
    assert built.audit is not None
    assert built.audit.checked or built.audit.why, "checked, or told why not"
    bill = image.BuiltImage(built).sbom
    assert {one["name"] for one in bill["components"]} >= {"uvicorn", "scikit-learn", "faces-iris"}
    assert bill["metadata"]["component"]["version"] == built.digest
    # What the base stands on is in it too, as dpkg has it.
    status = container_rig.run("run", "--rm", container_rig.base, "cat", "/var/lib/dpkg/status")
    (libc,) = re.findall(r"^Package: libc6\n(?:.+\n)*?Version: (\S+)$", status, re.MULTILINE)
    (told,) = [one for one in bill["components"] if one["name"] == "libc6"]
    purl = PackageURL.from_string(told["purl"])
    assert (purl.type, purl.namespace, purl.name, purl.version) == ("deb", "debian", "libc6", libc)
    assert set(purl.qualifiers) == {"arch", "distro"}
    (attached,) = referrers.attached(layout.place(built.reference))
    assert json.loads(attached[1])["subject"]["digest"] == built.digest
    labels = layout.config_of(layout.place(built.reference))["config"]["Labels"]
    assert labels["io.ekiben.model"] == iris_box.model.tag
    assert labels["org.opencontainers.image.created"] == iris_box.model.created


@in_container
def test_nothing_of_this_machine_is_in_it(built: Image) -> None:
    """No secret of the environment, no place of this disk, no tool of the build or of the notebook."""
    base = built.base.rpartition("@")[0]
    ours = [layer for layer in built.layers if layer.made_by != base]
    names: list[str] = []
    found: dict[bytes, list[str]] = {SECRET.encode(): [], os.environ["HOME"].encode(): []}
    for layer in ours:
        with tarfile.open(layout.blob(layout.place(built.reference), layer.digest)) as archive:
            for member in archive:
                names.append(member.name)
                body = archive.extractfile(member)
                text = body.read() if body else b""
                for word, places in found.items():
                    places += [member.name] if word in text else []
    config = layout.blob(layout.place(built.reference), _config(built)).read_bytes()
    assert all(word not in config for word in found)
    assert found == {word: [] for word in found}
    packages = {part.name for part in built.parts if part.kind == "package"}
    assert packages & {"ekiben", "jupyterlab", "ipykernel", "notebook", "pytest", "uv", "pip"} == set()
    assert not any(name.startswith(("usr/", "bin/", "etc/", "root/")) for name in names)


def _config(built: Image) -> str:
    digest: str = json.loads(layout.manifest_text(layout.place(built.reference)))["config"]["digest"]
    return digest


@in_container
def test_verify_goes_to_the_latest_image_too(built: Image, container_rig: Rig, iris_box: Box) -> None:
    proof = iris_box.verify()
    assert [replay.station for replay in proof] == ["kernel", "process", "image"]
    assert proof[-1].passed and proof[-1].rows == len(iris_box.contract.golden.rows)
    assert container_rig.containers() == ""


@in_container
def test_its_size_was_foreseen(
    built: Image, container_rig: Rig, iris_box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iris_box.predict_size(base=container_rig.base)
    kinds = {part.name: part.bytes for part in told.parts if part.kind == "base"}
    assert kinds == {part.name: part.bytes for part in built.parts if part.kind == "base"}
    packages = {part.name for part in built.parts if part.kind == "package"}
    assert packages == {part.name for part in told.parts if part.kind == "package"} | set(told.unknown)
    assert told.unknown == ()
    assert told.bytes == pytest.approx(built.bytes, rel=0.15)
    assert "Estimated size: about" in told._repr_html_()
    # The command line and the card ask the same, and nothing is built for it.
    before = image.images()
    command = [sys.executable, "-m", "ekiben", "build", iris_box.model.tag, "--base", container_rig.base]
    done = subprocess.run([*command, "--dry-run", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"event": "done", "result": told.to_json()}
    text = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True).stdout
    assert container_rig.base in text and "Estimated size: about" in text.splitlines()[-1]
    replies: list[dict[str, Any]] = []
    monkeypatch.setenv("EKIBEN_BASE_IMAGE", container_rig.base)
    card = CardWidget(iris_box)
    card.send = lambda content, buffers=None: replies.append(content)
    card._handle_custom_msg({"id": 7, "verb": "foresee"}, [])
    deadline = time.monotonic() + 600
    while not replies and time.monotonic() < deadline:
        time.sleep(0.05)
    assert replies == [{"id": 7, "ok": True, "data": told.to_json()}]
    monkeypatch.setenv("EKIBEN_BASE_IMAGE", "127.0.0.1:9/python:3")
    with pytest.raises(EngineMissing, match=r"127\.0\.0\.1:9 cannot be reached"):
        iris_box.predict_size()
    assert image.images() == before


@in_container
def test_pulled_it_runs_without_root_on_a_read_only_disk(
    built: Image, container_rig: Rig, iris_box: Box, hub: Registry
) -> None:
    name = f"{hub.address}/pulled/iris:2"
    oci: Any = registry.builder("oci")
    named = _named(built, name)
    assert oci.push(named, nothing) == pytest.approx(built.bytes, rel=0.01)
    assert oci.push(named, nothing) == 0
    # A registry without the referrers API finds the bill of materials by the tag that stands in for it.
    wanted = f"http://{hub.address}/v2/pulled/iris/manifests/{built.digest.replace(':', '-')}"
    request = Request(wanted, headers={"Accept": "application/vnd.oci.image.index.v1+json"})
    with urlopen(request, timeout=60) as response:
        (told,) = json.loads(response.read())["manifests"]
    assert told["artifactType"] == "application/vnd.cyclonedx+json"
    layout.remove(name)
    container_rig.run("pull", "-q", *container_rig.plain, name)
    port = image.free_port()
    limits = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    # Not even /tmp can be written to; shared memory can.
    limits += ["--read-only-tmpfs=false"] if container_rig.engine == "podman" else []
    published = ["-p", f"127.0.0.1:{port}:{port}", "-e", f"PORT={port}"]
    container = container_rig.run("run", "-d", *limits, *published, name).strip()
    try:
        image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 300)
        proof = image.replay_http(f"http://127.0.0.1:{port}", iris_box.contract)
        assert proof.passed
        assert container_rig.run("exec", container, "id", "-u").strip() == "1000"
        config = layout.config_of(layout.place(built.reference))["config"]
        container_rig.run("exec", container, *config["Healthcheck"]["Test"][1:])
        with pytest.raises(AssertionError):  # nobody answers there
            container_rig.run("exec", "-e", "PORT=9", container, *config["Healthcheck"]["Test"][1:])
        began = time.monotonic()
        container_rig.run("stop", "-t", "300", container)
        assert time.monotonic() - began < 200, "it ends when it is asked to"
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
    found = image.find(built.reference)
    folder = found.save(tmp_path / "deep" / "layout")
    assert layout.digest_of(layout.manifest_text(folder)) == built.digest
    assert (folder / "sbom.cdx.json").is_file()
    with pytest.raises(BuildFailed, match="not empty"):
        found.save(folder)
    assert found.load() == container_rig.engine


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
        (kept,) = [one for one in image.images() if one.wanted == made.reference]
        assert (kept.digest, kept.proven) == (made.digest, False)
        assert layout.place(kept.reference).is_dir()
        image.BuiltImage(kept).remove()
        assert not layout.place(kept.reference).exists()
    finally:
        image.BuiltImage(made).remove()
    assert [path.name for path in layout.home().iterdir() if "alone" in path.name] == []


@in_container
def test_a_retrained_model_sends_little(
    built: Image, container_rig: Rig, hub: Registry, no_engine: Path
) -> None:
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
def test_no_base_is_one_clear_error(container_rig: Rig, iris_box: Box, hub: Registry) -> None:
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
def test_a_layer_that_is_not_packed_loads_from_a_folder_and_a_file(
    container_rig: Rig, fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]
) -> None:
    monkeypatch.setenv("HOME", person["HOME"])
    oci: Any = registry.builder("oci")
    project = small(fresh_home / "one", size=3 << 20)
    weights = next((fresh_home / "bentoml/models").rglob("weights")).read_bytes()
    made = oci.build(project, "ekiben-test/plain:1", container_rig.base, nothing)
    try:
        manifest = json.loads(layout.manifest_text(layout.place(made.reference)))
        assert [layer["mediaType"] for layer in manifest["layers"]][-2:] == [layers.GZIP, layers.TAR]
        place = "/home/ekiben/bentoml/models/small/1/weights"
        code = f"import hashlib; print(hashlib.sha256(open('{place}', 'rb').read()).hexdigest())"
        command = ["run", "--rm", "--entrypoint", "python3", made.reference, "-c", code]
        assert container_rig.run(*command).strip() == hashlib.sha256(weights).hexdigest()
        oci.save(made, fresh_home / "image.tar")
        container_rig.run("rmi", made.reference)
        container_rig.run("load", "-i", str(fresh_home / "image.tar"))
        assert container_rig.run(*command).strip() == hashlib.sha256(weights).hexdigest()
    finally:
        oci.remove(made.reference)
