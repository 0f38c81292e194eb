"""A Docker engine for the tests: the machine's own where it is the rig's, else Debian's ``dockerd``, started here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig import Rig

PACKAGES = "apt-get update && apt-get install -y --no-install-recommends docker.io"
#: It runs on a bare virtual machine: no bridge, no firewall rules, limits that every kernel grants.
_SETTINGS = ("--iptables=false", "--ip6tables=false", "--bridge=none")
_SETTINGS += ("--default-ulimit", "nofile=16384:16384", "--default-ulimit", "nproc=16384:16384")


@contextmanager
def engine(rig: Rig, folder: Path) -> Iterator[Rig]:
    """Docker with the rig's base image; all that it holds is gone at the end.

    Its variables are in ``os.environ`` meanwhile. Fails where there is none in continuous integration, and
    skips elsewhere.
    """
    if rig.engine == "docker":
        yield rig
        return
    if shutil.which("dockerd") is None or shutil.which("docker") is None or os.geteuid() != 0:
        told = f"no Docker engine, and no dockerd that may be started here: {PACKAGES}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    with pytest.MonkeyPatch.context() as patch, _daemon(folder) as socket:
        patch.setenv("DOCKER_HOST", socket)
        patch.setenv("EKIBEN_BUILD_OPTIONS", "network=host")
        patch.setenv("EKIBEN_RUN_OPTIONS", "--network=host")
        yield Rig("docker", rig.base)


@contextmanager
def _daemon(folder: Path) -> Iterator[str]:
    """The address of a daemon with all its state in ``folder``."""
    folder.mkdir()
    socket = f"unix://{folder / 'docker.sock'}"
    command = ["dockerd", "-H", socket, "--data-root", str(folder / "data"), "--exec-root"]
    command += [str(folder / "exec"), "--pidfile", str(folder / "pid"), *_SETTINGS]
    log = folder / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + 180
        asking = ["docker", "-H", socket, "version"]
        while subprocess.run(asking, capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("dockerd did not start:\n" + log.read_text(errors="replace")[-3000:])
            time.sleep(0.2)
        yield socket
    finally:
        # It ends its containers and its containerd itself.
        process.terminate()
        try:
            process.wait(180)
        finally:
            process.kill()
            # It keeps the host's network mounted for the containers that are to share it.
            for mounted in (folder / "exec" / "netns").glob("*"):
                subprocess.run(["umount", "-l", str(mounted)], capture_output=True, check=False)
            shutil.rmtree(folder, ignore_errors=True)
