"""A container engine for the tests: the machine's own where it can run Python's image, else one set up here.

Where no image registry can be reached, the rig makes a base image of this machine's Python
(``rig.base``), serves it from a registry of its own on 127.0.0.1, and gives Podman a configuration that
runs on a bare virtual machine too: runc (crun wants pure cgroups v2), ulimits that every kernel
grants, the host's network (there may be no bridge), images in a folder of the test session.

    from rig import container_rig  # noqa: F401 – the session-scoped fixture

    def test_it(container_rig): ...

The fixture sets ``EKIBEN_BASE_IMAGE`` and the engine's variables in ``os.environ`` for the session.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rig import base
from rig.registry import Registry

PACKAGES = "apt-get update && apt-get install -y --no-install-recommends podman runc docker-registry"
STOCK = f"docker.io/library/python:{base.MINOR}-slim"


@dataclass(frozen=True)
class Rig:
    """An engine that runs, the base image to build on, and the variables that make it so."""

    engine: str
    base: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> list[str]:
        """The option with which it speaks to a registry of the tests, which has no TLS."""
        return ["--tls-verify=false"] if self.engine == "podman" else []

    def run(self, *arguments: str) -> str:
        """The output of the engine's command."""
        done = subprocess.run([self.engine, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.engine} {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def names(self) -> set[str]:
        """All the images that the engine shows, unnamed ones by their id."""
        lines = self.run("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()
        return {line.split()[1] if "<none>" in line else line.split()[0] for line in lines}

    def containers(self) -> str:
        """All the containers that there are, running or not."""
        external = ["--external"] if self.engine == "podman" else []
        return self.run("ps", "-a", "-q", *external).strip()


@pytest.fixture(scope="session")
def container_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A working engine and base image; its variables are in ``os.environ`` meanwhile."""
    rig = _machines_own()
    if rig is not None:
        with _environment({"EKIBEN_BASE_IMAGE": rig.base}):
            yield rig
        return
    lacking = [name for name in ("podman", "runc", "docker-registry") if shutil.which(name) is None]
    if lacking or sys.platform != "linux":
        reason = (
            f"no container engine that runs {STOCK}, and no {', '.join(lacking)} to set one up: {PACKAGES}"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("rig")
    with set_up(folder) as rig:
        yield rig


@contextmanager
def set_up(folder: Path) -> Iterator[Rig]:
    """A registry, a Podman with settings of its own and the base image in ``folder``, which is gone afterwards."""
    registry = Registry(folder).start()
    try:
        rig = _own(folder, registry.address)
        with _environment({**rig.env, "EKIBEN_BASE_IMAGE": rig.base}):
            yield rig
            _clear(rig, folder)
    finally:
        registry.stop()
        shutil.rmtree(folder, ignore_errors=True)


class _environment:
    """Variables of ``os.environ`` for a while."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.values}
        os.environ.update(self.values)

    def __exit__(self, *_exception: object) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _machines_own() -> Rig | None:
    """The engine of a machine on which Python's image runs as it is."""
    wanted = os.environ.get("EKIBEN_BASE_IMAGE") or STOCK
    for engine in ("podman", "docker"):
        if shutil.which(engine) is None:
            continue
        try:
            subprocess.run(
                [engine, "run", "--rm", wanted, "python3", "--version"],
                capture_output=True,
                timeout=300,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            continue
        return Rig(engine, wanted)
    return None


def _own(folder: Path, registry: str) -> Rig:
    """Podman with settings of its own and the base image in the registry."""
    env = {
        "CONTAINERS_CONF": "containers.conf",
        "CONTAINERS_STORAGE_CONF": "storage.conf",
        "CONTAINERS_REGISTRIES_CONF": "registries.conf",
    }
    env = {name: str(folder / file) for name, file in env.items()}
    Path(env["CONTAINERS_CONF"]).write_text(
        "[containers]\n"
        'default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]\n'
        'netns = "host"\n'
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
    )
    Path(env["CONTAINERS_STORAGE_CONF"]).write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
    )
    Path(env["CONTAINERS_REGISTRIES_CONF"]).write_text(
        f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n'
    )
    archive = folder / "base.tar"
    base.write(archive)
    name = f"{registry}/python:{base.MINOR}-slim"
    rig = Rig("podman", name, env)
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SSL_CERT_FILE": base.CERTIFICATES,
        "PIP_CERT": base.CERTIFICATES,  # an older pip reads no other
        **_index(),
    }
    changes = [part for key, value in variables.items() for part in ("-c", f"ENV {key}={value}")]
    with _environment(env):
        rig.run("import", "-q", "-c", 'CMD ["python3"]', *changes, str(archive), name)
        archive.unlink()
        rig.run("push", "-q", name)
        rig.run("rmi", name)
        rig.run("run", "--rm", name, "python3", "-c", "import ssl, sqlite3, ctypes")
    return rig


def _index() -> dict[str, str]:
    """The machine's own package index, where pip is set to one that a container can reach too."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    url = settings.get(":env:.index-url", settings.get("global.index-url", "")).strip("'\"")
    return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url} if url.startswith("http") else {}


def _clear(rig: Rig, folder: Path) -> None:
    """Unmounts and removes everything that the engine holds in the folder."""
    rig.run("rm", "-a", "-f")
    rig.run("rmi", "-a", "-f")
    for mounted in ("graph/overlay", "graph"):
        # Podman keeps its store mounted on itself; a folder that is not mounted is no trouble.
        subprocess.run(["umount", "-l", str(folder / mounted)], capture_output=True, check=False)
