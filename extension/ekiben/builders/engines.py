"""Podman, Docker, nerdctl and Buildah: what each does in its own way."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders.engine import Engine, paired
from ekiben.builders.oci.reference import parse, plain
from ekiben.errors import BuildFailed
from ekiben.protocols import WATCHED
from ekiben.records import Finding, Image, Layer, Part
from ekiben.records.image import SystemPackage
from ekiben.shell import ask
from ekiben.words import _

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Containers(Engine):
    """What Podman and Buildah share: they push under any name, and ask for TLS unless told otherwise."""

    @contextmanager
    def named(self, reference: str, target: str) -> Iterator[list[str]]:
        """The command that pushes ``reference`` as ``target``."""
        options = ["--tls-verify=false"] if plain(parse(target).host) else []
        yield [self.name, "push", *options, reference, target]


class Podman(_Containers):
    """Podman: no daemon, and no root where user namespaces are set up."""

    name = "podman"
    source = "https://podman.io/docs/installation"

    def layers(self, reference: str, seen: dict[str, Any]) -> tuple[Layer, ...]:
        """The layers from the base up, with the instruction that made each."""
        table = ask([self.name, "history", "--no-trunc", "--human=false", "--format", "json", reference])
        rows = [
            (int(row["size"]), str(row["CreatedBy"]), bool(told.get("empty_layer")))
            for row, told in zip(reversed(json.loads(table)), seen["History"], strict=True)
        ]
        return paired(seen["RootFS"]["Layers"], rows)


class Docker(Engine):
    """Docker, with BuildKit or the builder before it."""

    name = "docker"
    source = "https://docs.docker.com/engine/install/"
    check: tuple[str, ...] = ("version", "--format", "{{.Server.Version}}")

    def variables(self) -> dict[str, str]:
        """Since 23.0 BuildKit needs the plugin buildx; without it, the builder before BuildKit is asked for.

        BentoML asks for BuildKit where the environment says nothing.
        """
        if "DOCKER_BUILDKIT" in os.environ:
            return {}
        try:
            ask([self.name, "buildx", "version"])
        except BuildFailed:
            told = ask([self.name, "version", "--format", "{{.Client.Version}}"])
            major = re.match(r"\d+", told.strip())
            return {"DOCKER_BUILDKIT": "0"} if major and int(major[0]) >= 23 else {}
        return {}

    def layers(self, reference: str, seen: dict[str, Any]) -> tuple[Layer, ...]:
        """The layers from the base up, with the instruction that made each."""
        table = ask(
            [self.name, "history", "--no-trunc", "--human=false", "--format", "{{json .}}", reference]
        )
        rows = [json.loads(line) for line in table.splitlines() if line]
        sizes = [(int(row["Size"]), str(row["CreatedBy"]), int(row["Size"]) == 0) for row in reversed(rows)]
        return paired(seen["RootFS"]["Layers"], sizes)


class Nerdctl(Docker):
    """containerd's own command; it builds with BuildKit."""

    name = "nerdctl"
    source = "https://github.com/containerd/nerdctl"
    check = ("info",)

    def variables(self) -> dict[str, str]:
        """Nothing: BuildKit is the only way that it builds."""
        return {}

    def problem(self) -> Finding | None:
        """None when it works here, else why not and the remedy; under 5 s."""
        found = super().problem()
        if found is None and shutil.which("buildctl") is None:
            return Finding(
                "error",
                _("{engine} builds with BuildKit, which is not installed.", engine=self.name),
                _("Install {engine}: {how}", engine="BuildKit", how="https://github.com/moby/buildkit"),
            )
        return found


class Buildah(_Containers):
    """Buildah: builds only; Podman runs its images where it is there, else Buildah's own ``run``."""

    name = "buildah"
    source = "https://github.com/containers/buildah/blob/main/install.md"
    # Buildah keeps no steps between builds unless it is told to.
    build_options = ("layers",)

    def look(self, reference: str, model: str) -> Image:
        """The record of an image that the engine has. Buildah does not tell the layers' sizes."""
        seen = json.loads(ask([self.name, "inspect", "--type", "image", reference]))
        (listed,) = json.loads(ask([self.name, "images", "--json", reference]))
        return Image(
            reference=reference,
            digest=seen["FromImageDigest"],
            bytes=_bytes(listed["size"]),
            engine=self.name,
            model=model,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            layers=self.layers(reference, seen),
        )

    def layers(self, reference: str, seen: dict[str, Any]) -> tuple[Layer, ...]:
        """The layers from the base up, with the instruction that made each; ``bytes`` are 0: not told."""
        told = seen["OCIv1"]["history"]
        rows = [(0, str(row.get("created_by", "")), bool(row.get("empty_layer"))) for row in told]
        return paired(seen["OCIv1"]["rootfs"]["diff_ids"], rows)

    def start(self, image: Image, port: int) -> str:
        """Starts the image so that it answers on 127.0.0.1:``port``; gives the container's name."""
        if Podman().problem() is None:
            return Podman().start(image, port)
        name = f"ekiben-{secrets.token_hex(4)}"
        seen = json.loads(ask([self.name, "inspect", "--type", "image", image.reference]))
        command = seen["OCIv1"]["config"]["Entrypoint"] + (seen["OCIv1"]["config"].get("Cmd") or [])
        ask([self.name, "from", "--pull-never", "--name", name, image.reference])
        try:
            for key, value in {"PORT": str(port), "BENTOML_PORT": str(port), **WATCHED}.items():
                ask([self.name, "config", "--env", f"{key}={value}", name])
            options = shlex.split(os.environ.get("EKIBEN_RUN_OPTIONS", ""))
            with open(_note(name, "log"), "wb") as log:
                process = subprocess.Popen(
                    [self.name, "run", *options, name, "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            _note(name, "pid").write_text(f"{process.pid} {paths.process_birth(process.pid) or 0.0}")
        except BaseException:
            self._drop(name)
            raise
        return name

    def weigh(self, image: Image, modules: Collection[str]) -> tuple[Part, ...]:
        """What lies in the image, where Podman can look; Buildah by itself does not tell."""
        return Podman().weigh(image, modules) if Podman().problem() is None else ()

    def system(self, image: Image) -> tuple[SystemPackage, ...]:
        """The packages of the image's distribution, where Podman can look."""
        return Podman().system(image) if Podman().problem() is None else ()

    def died(self, container: str) -> str | None:
        """The end of the log of a container that ended by itself; None while it runs."""
        if not _note(container, "pid").exists():
            return Podman().died(container)
        pid, birth = _note(container, "pid").read_text().split()
        return None if paths.alive(int(pid), float(birth) or None) else self._log(container)[-2000:]

    def stop(self, container: str) -> str:
        """Stops and removes the container; gives its log."""
        if not _note(container, "pid").exists():
            return Podman().stop(container)
        try:
            return self._log(container)
        finally:
            self._drop(container)

    def archive(self, reference: str, file: Path) -> None:
        """Writes an image as one file; in it the whole name, so that it is loaded under the same."""
        name = json.loads(ask([self.name, "inspect", "--type", "image", reference]))["FromImage"]
        ask([self.name, "push", reference, f"docker-archive:{file}:{name}"], timeout=3600)

    def _log(self, container: str) -> str:
        return _note(container, "log").read_text(encoding="utf-8", errors="replace")

    def _drop(self, container: str) -> None:
        note = _note(container, "pid")
        if note.exists():
            pid, birth = note.read_text().split()
            paths.stop_tree(int(pid), float(birth) or None, timeout=5.0)
        ask([self.name, "rm", container])
        note.unlink(missing_ok=True)
        _note(container, "log").unlink(missing_ok=True)


def _note(container: str, suffix: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{container}.{suffix}"


def _bytes(told: str) -> int:
    """``584 MB`` as a number."""
    found = re.fullmatch(r"([\d.]+) ?([KMGT]?B)", told.strip(), re.IGNORECASE)
    if found is None:
        raise BuildFailed(f"not a size: {told}", where="buildah images")
    return int(float(found.group(1)) * _UNITS[found.group(2).upper()])
