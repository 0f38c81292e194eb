"""One wrapped model and one running service for all faces, in the home that the tests have."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - jp_fetch and what it stands on
from rig.osv import advisory, answering
from rig.projects import SECRET
from rig.registry import Registry

if TYPE_CHECKING:
    from ekiben.box import Box
    from ekiben.records import Image
    from ekiben.service import RunningServer
    from rig import Rig


@pytest.fixture(scope="session")
def iris_box() -> Box:
    """A logistic regression on iris, fitted on a DataFrame."""
    import ekiben
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    table, target = load_iris(return_X_y=True, as_frame=True)
    return ekiben.wrap(LogisticRegression(max_iter=500).fit(table, target), table, name="faces-iris")


@pytest.fixture(scope="session")
def iris_server(iris_box: Box) -> Iterator[RunningServer]:
    """A service of it that runs until the tests end."""
    with iris_box.serve() as server:
        yield server


@pytest.fixture
def jp_home_dir() -> Path:
    """The Jupyter server under test lives in the tests' home, so that it sees what runs there."""
    return Path(os.environ["HOME"])


@pytest.fixture
def jp_runtime_dir() -> Path:
    return Path(os.environ["JUPYTER_RUNTIME_DIR"])


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry."""
    folder = tmp_path / "hub"
    folder.mkdir()
    found = Registry(folder).start()
    yield found
    found.stop()


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


@pytest.fixture(scope="session")
def built(container_rig: Rig, iris_box: Box) -> Iterator[Image]:
    """Built, proven in a container and pushed to the registry of the base image, if that is on this machine.

    Its scikit-learn and its C library have vulnerabilities that the tests' own source of advisories knows.
    """
    home = container_rig.base.rpartition("/")[0]
    push = home.startswith("127.0.0.1")
    reference = f"{home if push else '127.0.0.1:5000'}/ekiben-test/oci:1"
    from ekiben import image
    from ekiben.builders import dpkg
    from ekiben.builders.oci import layout
    from ekiben.image.system_advisories import ecosystem

    told = container_rig.run("run", "--rm", container_rig.base, "cat", "/etc/os-release")
    release = ecosystem(*dpkg.distribution({"etc/os-release": told.encode()}))
    known = {
        ("scikit-learn", ""): [advisory("scikit-learn", "TEST-2026-2", "CVE-2026-0002", "99.1")],
        ("glibc", ""): [advisory("glibc", "DEBIAN-CVE-2026-0003", "CVE-2026-0003", "9.9-1", release)],
    }
    with answering(known) as source, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EKIBEN_ADVISORIES", source.url)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        made = image.build(
            iris_box.project, iris_box.model, reference, engine="oci", base=container_rig.base, push=push
        )
    yield made
    image.BuiltImage(made).remove()
    assert not layout.place(reference).exists()
    assert not any("ekiben-test/oci" in name for name in container_rig.names())
