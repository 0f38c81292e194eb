"""What a service needs: found by import, pinned to what is installed, refused where nobody else has it."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ekiben import distributions, pip_settings
from ekiben.capture import capture
from ekiben.distributions import homes, name_of
from ekiben.errors import RequirementsFailed
from ekiben.project import render
from ekiben.requirements import check_shippable, needed
from models import diabetes, iris


class Shelf:
    """A folder of installed packages: real metadata, real modules."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def add(self, name: str, version: str = "1.0", *, modules: tuple[str, ...] = (), needs: tuple[str, ...] = (),
            origin: dict[str, Any] | None = None, installer: str = "pip") -> None:  # fmt: skip
        info = self.place / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\n" + "\n".join(lines) + "\n\nRequires-Dist: not-this\n"
        )
        (info / "INSTALLER").write_text(installer)
        record = []
        for module in modules:
            file = self.place / f"{module.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text(f"OWNER = {name!r}\n")
            digest = base64.urlsafe_b64encode(hashlib.sha256(f"OWNER = {name!r}\n".encode()).digest()).rstrip(
                b"="
            )
            record.append(f"{file.relative_to(self.place).as_posix()},sha256={digest.decode()},9")
        (info / "RECORD").write_text("\n".join([*record, f"{info.name}/METADATA,,", ""]))
        if origin is not None:
            (info / "direct_url.json").write_text(json.dumps(origin))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    before = set(sys.modules)
    yield Shelf(place)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    importlib.invalidate_caches()
    distributions._links.cache_clear()


def names(lines: tuple[str, ...]) -> set[str]:
    return {line.partition("==")[0].partition(" @")[0] for line in lines}


@pytest.mark.parametrize(
    ("module", "name"),
    [("sklearn", "scikit-learn"), ("yaml", "pyyaml"), ("dateutil", "python-dateutil"), ("skops.io", "skops"),
     ("attr", "attrs"), ("os", ""), ("nowhere", ""), ("__main__", "")],
)  # fmt: skip
def test_modules_and_distributions_are_told_apart(module, name):
    assert [name_of(home) for home in homes(module)] == ([name] if name else [])


def test_of_twins_the_one_whose_files_lie_there_is_taken(shelf):
    shelf.add("twin-full", modules=("twins",))
    shelf.add("twin-lean", modules=("twins",))
    assert [name_of(home) for home in homes("twins")] == ["twin-full"]


def test_a_namespace_of_several(shelf):
    shelf.add("cloud-store", modules=("cloudy.store",))
    shelf.add("cloud-queue", modules=("cloudy.queue",))
    assert [name_of(home) for home in homes("cloudy.store")] == ["cloud-store"]
    assert sorted(name_of(home) for home in homes("cloudy")) == ["cloud-queue", "cloud-store"]


def test_only_what_is_needed_follows_with_its_extras(shelf):
    shelf.add(
        "top", modules=("top",), needs=("mid[fast]>=1", "tests; extra == 'test'", "old; python_version < '3'")
    )
    shelf.add("mid", modules=("mid",), needs=("quick; extra == 'fast'", "slow; extra == 'slow'", "top"))
    for name in ("quick", "slow", "tests", "old", "not-this"):
        shelf.add(name, "2.5")
    found = needed(["top"])
    assert {"top==1.0", "mid==1.0", "quick==2.5"} <= set(found.lines)
    assert not {"slow", "tests", "old", "not-this"} & names(found.lines)
    assert "top" in found.direct and "mid" not in found.direct
    assert found.lines.index("top==1.0") < found.lines.index("mid==1.0")


def test_a_build_of_ones_own_is_pinned_to_its_public_version(shelf):
    shelf.add("torchlike", "2.13.0+cpu", modules=("torchlike",))
    found = needed(["torchlike"])
    assert "torchlike==2.13.0" in found.lines
    assert [finding.level for finding in found.findings] == ["info"] and "cpu" in found.findings[0].message


def test_an_install_from_a_repository_is_pinned_to_its_commit(shelf):
    vcs = {"vcs": "git", "commit_id": "0123abcd", "requested_revision": "main"}
    shelf.add("fresh", modules=("fresh",), origin={"url": "https://example.org/fresh.git", "vcs_info": vcs})
    found = needed(["fresh"])
    assert "fresh @ git+https://example.org/fresh.git@0123abcd" in found.lines
    assert found.findings[0].level == "info"


def test_an_archive_is_pinned_to_its_hash(shelf):
    hashes = {"archive_info": {"hashes": {"sha256": "ab12"}}}
    shelf.add("packed", modules=("packed",), origin={"url": "https://example.org/packed.whl", **hashes})
    assert "packed @ https://example.org/packed.whl#sha256=ab12" in needed(["packed"]).lines


@pytest.mark.parametrize("editable", [True, False])
def test_what_only_this_machine_has_is_refused(shelf, tmp_path, editable):
    source = tmp_path / "work" / "mine"
    source.mkdir(parents=True)
    origin = {"url": source.as_uri(), "dir_info": {"editable": editable}}
    shelf.add("mine", modules=() if editable else ("mine",), origin=origin)
    if editable:
        (source / "mine.py").write_text("")
        sys.path.append(str(source))
    try:
        found = needed(["mine"])
    finally:
        if editable:
            sys.path.remove(str(source))
    assert "mine" not in names(found.lines)  # a stranger's package of that name may be on the index
    (finding,) = found.findings
    assert finding.level == "error" and str(source) in finding.message and "git+" in finding.remedy
    with pytest.raises(RequirementsFailed, match="nothing but this machine has it"):
        check_shippable(found.findings)


def test_the_folder_that_conda_built_in_tells_nothing(shelf):
    shelf.add(
        "conda-made", modules=("conda_made",), origin={"url": "file:///croot/x/work"}, installer="conda"
    )
    found = needed(["conda_made"])
    assert "conda-made==1.0" in found.lines and not found.findings


def test_a_module_that_nobody_installed_is_told(tmp_path, monkeypatch):
    (tmp_path / "stray_module.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = needed(["stray_module"]).findings
    assert finding.level == "warning" and "stray_module" in finding.message


def test_what_nobody_sees_is_named_by_the_user():
    found = needed(["numpy"], also=["PyYAML"])
    assert "pyyaml" in found.direct and "pyyaml" in names(found.lines)
    with pytest.raises(RequirementsFailed, match="nowhere-to-be-found is not installed"):
        needed([], also=["nowhere-to-be-found"])


def test_a_model_on_arrays_needs_no_pandas_and_no_service_a_jupyter():
    array, table = (capture(*pair, "needs")[0] for pair in (diabetes(), iris()))
    assert "pandas" not in names(array.requirements) and "pandas" in names(table.requirements)
    for model in (array, table):
        assert {"bentoml", "scikit-learn", "skops", "numpy"} <= names(model.requirements)
        assert not names(model.requirements) & {
            "jupyterlab",
            "ipykernel",
            "ipython",
            "notebook",
            "ekiben",
            "uv",
        }


def test_requirements_read_well(shelf):
    model = capture(*iris(), "reads")[0]
    text = render(model).files["requirements.txt"]
    direct, rest = text.split("# What those need:")
    assert "\nscikit-learn==" in direct and "\nbentoml==" in direct and "\nscipy==" in rest
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert sorted(lines) == sorted(model.requirements)


@pytest.fixture
def pip_home(tmp_path, monkeypatch) -> Path:
    """pip's settings as in a home of its own."""
    for key in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST"):
        monkeypatch.delenv(f"PIP_{key}", raising=False)
    file = tmp_path / "mine.conf"
    monkeypatch.setattr(pip_settings, "_places", lambda: [file])
    return file


def test_indexes_of_pip_stay_here_unless_asked(pip_home, monkeypatch):
    private = "https://user:secret@packages.example.org/simple"
    pip_home.write_text(
        f"[global]\nextra-index-url =\n    {private}\n    file:///srv/wheels\n[install]\ntrusted-host = a\n"
    )
    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/links")
    found = needed(["numpy"])
    assert not any("example.org" in line for line in found.lines)
    (finding,) = found.findings
    assert finding.level == "info" and "indexes=True" in finding.remedy and "secret" not in finding.message
    asked = needed(["numpy"], indexes=True)
    assert asked.lines[0] == f"--extra-index-url {private}"
    (warned,) = asked.findings
    assert warned.level == "warning" and "password" in warned.message and "secret" not in str(warned)
    assert not any("/srv" in line for line in asked.lines)  # no other machine has these folders
    pip_home.write_text("[global]\nindex-url = https://packages.example.org/simple\n")
    assert not needed(["numpy"], indexes=True).findings


def test_uv_looks_where_pip_looks(pip_home):
    pip_home.write_text(
        "[global]\nindex-url = https://packages.example.org/simple\nfind-links = /a /b\nno-index = no\n"
    )
    options = pip_settings.settings().for_uv()
    assert options[:2] == ["--default-index", "https://packages.example.org/simple"]
    assert options.count("--find-links") == 2 and "--no-index" not in options
    assert options[-2:] == ["--index-strategy", "unsafe-best-match"]


def test_pips_files_are_read_in_its_order(tmp_path, monkeypatch):
    """The machine's, the user's, then the one that the environment names; the later one wins."""
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named.conf"))
    for file, link in ((tmp_path / "config" / "pip" / "pip.conf", "/a"), (tmp_path / "named.conf", "/b")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[global]\nfind-links = {link}\n")
        assert pip_settings.settings().links == (link,)
    monkeypatch.setenv("PIP_FIND_LINKS", "/c /d")
    assert pip_settings.settings().links == ("/c", "/d")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert pip_settings.settings() == pip_settings.Settings()


def test_without_settings_of_ones_own_pip_says_nothing(pip_home):
    assert pip_settings.settings() == pip_settings.Settings()
    assert pip_settings.settings().for_uv() == []
    pip_home.write_text("this is no settings file")
    assert pip_settings.settings() == pip_settings.Settings()
