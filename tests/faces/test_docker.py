"""Docker itself: it builds and proves the same project, and loads and runs what was built without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ekiben import image, registry
from ekiben.errors import Cancelled
from ekiben.records import Image
from rig import Rig
from rig.docker import engine
from rig.registry import Registry
from test_image import _leaves_and_comes_back, in_container

if TYPE_CHECKING:
    from ekiben.box import Box


@pytest.fixture(scope="module")
def docker(container_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A Docker engine that runs."""
    with engine(container_rig, tmp_path_factory.mktemp("docker") / "engine") as found:
        yield found


@in_container
def test_docker_builds_and_proves_too(docker: Rig, iris_box: Box, hub: Registry, tmp_path: Path) -> None:
    """A build that is stopped in the middle leaves nothing; the next one is proven, saved, pushed and removed."""
    assert registry.builder("docker").problem() is None
    subject = (iris_box.project, iris_box.model)
    before = docker.names()

    def stop(_step: int, _steps: int, message: str) -> None:
        if "packages" in message:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        image.build(*subject, "ekiben-test/docker:1", engine="docker", progress=stop)
    assert docker.names() - before <= {docker.base}
    assert docker.containers() == ""
    shown: list[str] = []
    made = image.build(
        *subject, "ekiben-test/docker:1", engine="docker", progress=lambda *told: shown.append(told[2])
    )
    try:
        assert made.replay is not None and made.replay.passed
        assert made.replay.rows == len(iris_box.contract.golden.rows)
        assert made.engine == "docker" and made.digest.startswith("sha256:")
        assert sum(layer.bytes for layer in made.layers) == pytest.approx(made.bytes, rel=0.05)
        assert {"scikit-learn", "uvicorn"} <= {part.name for part in made.parts}
        assert len(set(shown)) > 6
        assert not any("candidate" in name for name in docker.names())
        assert docker.containers() == ""
        _leaves_and_comes_back(image.BuiltImage(made), docker, hub, tmp_path)
    finally:
        image.BuiltImage(made).remove()
    assert made.reference not in docker.names()


@in_container
def test_docker_loads_and_proves_what_was_built_without_it(
    built: Image, docker: Rig, iris_box: Box, tmp_path: Path
) -> None:
    file = tmp_path / "image.tar"
    registry.builder("oci").save(built, file)  # type: ignore[attr-defined]
    assert built.reference in docker.run("load", "-i", str(file))
    try:
        builder = registry.builder("docker")
        port = image.free_port()
        name = builder.start(replace(built, engine="docker"), port)
        try:
            image.wait_ready(f"http://127.0.0.1:{port}", lambda: None, 300)
            assert image.replay_http(f"http://127.0.0.1:{port}", iris_box.contract).passed
            # Docker looks by itself how the service is.
            health = "{{json .Config.Healthcheck.Test}}"
            assert "runtime.health" in docker.run("inspect", "--format", health, name)
            assert docker.run("exec", name, "id", "-u").strip() == "1000"
        finally:
            builder.stop(name)
    finally:
        docker.run("rmi", built.reference)
    assert docker.containers() == ""
