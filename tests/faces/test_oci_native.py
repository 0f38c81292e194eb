"""Native libraries that a slim base lacks: added without running anything, proven, or refused with the remedy."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from ekiben import image
from ekiben.builders.oci import below, debian, layers, layout, native
from ekiben.builders.oci.layers import Entry
from ekiben.builders.oci.reference import source
from ekiben.builders.oci.remote import Base
from ekiben.builders.oci.shared_objects import Linked
from ekiben.errors import BuildFailed
from packageurl import PackageURL
from rig import Rig
from rig.projects import nothing
from test_image import in_container

NEEDY = [Linked("gbm/lib.so", "lib.so", ("libgomp.so.1",))]


@in_container
def test_lightgbm_runs_on_a_base_without_openmp(container_rig: Rig) -> None:
    import ekiben
    from lightgbm import LGBMClassifier
    from sklearn.datasets import load_iris

    table, target = load_iris(return_X_y=True, as_frame=True)
    table.columns = [name.replace(" ", "_") for name in table.columns]
    box = ekiben.wrap(LGBMClassifier(n_estimators=3, verbose=-1).fit(table, target), table, name="boost")
    made = image.build(box.project, box.model, "ekiben-test/boost:1", engine="oci", base=container_rig.base)
    try:
        assert made.replay is not None and made.replay.passed
        assert box.predict_size(base=container_rig.base).bytes == pytest.approx(made.bytes, rel=0.15)
        (layer,) = [one for one in made.layers if one.made_by.startswith("native libraries: libgomp1 ")]
        settings = layout.config_of(layout.place(made.reference))["config"]
        assert settings["Labels"]["io.ekiben.libraries"] == layer.made_by.partition(": ")[2]
        assert "LD_LIBRARY_PATH=/app/lib" in settings["Env"]
        with tarfile.open(layers.blob(layer.digest)) as archive:
            names = set(archive.getnames())
            assert b"GCC" in archive.extractfile("app/lib/libgomp1.copyright").read()  # type: ignore[union-attr]
            told = json.loads(archive.extractfile("app/lib/packages.json").read())  # type: ignore[union-attr]
        assert names == {"app", "app/lib", *(f"app/lib/{name}" for name in _files())}
        assert set(told) == {"libgomp1"} and len(told["libgomp1"]["sha256"]) == 64
        (told,) = [one for one in image.BuiltImage(made).sbom["components"] if one["name"] == "libgomp1"]
        purl = PackageURL.from_string(told["purl"])
        assert (purl.type, purl.version) == ("deb", layer.made_by.rpartition(" ")[2])
        assert told["properties"] == [{"name": "ekiben:from", "value": "added"}]
        command = ["run", "--rm", "--entrypoint", "python3", made.reference, "-c"]
        loads = 'import ctypes; ctypes.CDLL("libgomp.so.1"); print("there")'
        assert container_rig.run(*command, loads).strip() == "there"
        bare = ["run", "--rm", "--entrypoint", "python3", container_rig.base, "-c"]
        with pytest.raises(AssertionError, match=r"libgomp\.so\.1"):
            container_rig.run(*bare, loads)
    finally:
        image.BuiltImage(made).remove()


def _files() -> tuple[str, ...]:
    return ("libgomp.so.1", "libgomp1.copyright", "packages.json")


def _base(*entries: Entry) -> Base:
    """A base of one layer."""
    made = layers.make(layers.key_of(str(entries)), entries, "base", nothing)
    manifest = {"layers": [{"digest": made.digest, "size": made.bytes, "mediaType": made.media}]}
    return Base(source("example.org/base:1"), made.digest, manifest, {})


def test_a_base_that_tells_no_archive_is_refused_with_the_remedy(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = _base(Entry("lib/x86_64-linux-gnu/libc.so.6", b"c"), Entry("etc/os-release", b"ID=other"))
    with pytest.raises(BuildFailed, match=r"libgomp\.so\.1 ← gbm/lib\.so") as caught:
        native.layer(NEEDY, base, "linux/amd64", nothing)
    assert "base=" in caught.value.remedy and "libgomp.so.1" in caught.value.remedy
    monkeypatch.setenv("EKIBEN_WITHOUT_LIBRARIES", "libgomp.so.1")
    assert native.layer(NEEDY, base, "linux/amd64", nothing) is None


def test_a_base_that_has_it_gets_no_layer(fresh_home: Path) -> None:
    base = _base(Entry("opt/lib/libgomp.so.1", b"g"))
    assert native.layer(NEEDY, base, "linux/amd64", nothing) is None
    hidden = _base(Entry("usr/lib/python3/site-packages/a.libs/libgomp.so.1", b"g"))
    assert below.look(hidden.manifest, nothing).libraries == frozenset(), "a package's own is not for all"


def _machines_archive() -> tuple[debian.Source, dict[str, bytes]]:
    """The archive that this machine's packages come from, and its keys."""
    files = {
        str(path).lstrip("/"): path.read_bytes()
        for place in ("/etc/apt", "/usr/share/keyrings")
        for path in Path(place).rglob("*")
        if path.is_file() and below.SOURCES.match(str(path).lstrip("/"))
    }
    return next(one for one in debian.sources(files) if one.uri.endswith("/debian")), files


@in_container
def test_only_what_the_bases_keys_signed_is_taken() -> None:
    source_, files = _machines_archive()
    archive = debian.Archive(source_, "amd64", files)
    found = archive.package("libgomp1")
    assert found is not None
    assert debian.contents(found).libraries["libgomp.so.1"].startswith(b"\x7fELF")
    base = archive.package(debian.contents(found).documented_by)
    assert base is not None and b"GPL" in debian.contents(base).rights
    with pytest.raises(BuildFailed, match="not what was asked for"):
        debian.contents(debian.Package(found.name, found.version, found.url, "0" * 64))
    # Its package is not called as the policy has it; the archive's list of files knows.
    assert "libglvnd0" in archive.holders("libGLdispatch.so.0")
    others = {path: b"" if "keyring" in path or "trusted" in path else body for path, body in files.items()}
    with pytest.raises(BuildFailed, match="signature"):
        debian.Archive(source_, "amd64", others)
