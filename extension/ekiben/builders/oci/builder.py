"""The builder ``oci``: a registry's base image, wheels, code and model put together here.

* ``EKIBEN_BUILD_PLATFORM``: ``linux/amd64`` or ``linux/arm64``; left out, this machine's own.
* ``EKIBEN_HTTP_REGISTRIES``: hosts that are spoken to without TLS, besides this machine.
"""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders.oci import layers, layout, local, packages, parts, remote, root, sending
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.layers import Stored
from ekiben.builders.oci.reference import parse, source
from ekiben.errors import BuildFailed
from ekiben.protocols import Progress
from ekiben.records import Finding, Image, Layer, Project
from ekiben.words import _

_STEPS = 7
#: Seconds that a registry has to say that it is there.
_QUICK = 3.0


class Oci:
    """Builds without an engine; with one, the image is loaded there too."""

    name = "oci"

    def problem(self) -> Finding | None:
        """None when it works here, else why not; under 5 s."""
        return self.problem_with(os.environ.get("EKIBEN_BASE_IMAGE") or "docker.io/library/python")

    def problem_with(self, base: str) -> Finding | None:
        """As ``problem``, for a base image that was named."""
        try:
            Client(source(base).host).base(_QUICK)
        except BuildFailed as problem:
            return Finding("error", f"oci: {problem.message}", problem.remedy)
        return None

    def build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """Makes the image ``reference`` on ``base``: a layout folder, and in a local engine where one is.

        Raises:
            BuildFailed: the base, a package or the disk's space cannot be had.
            NotFound: the model is not in the store.
        """
        try:
            return self._build(project, reference, base, progress)
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise BuildFailed(
                _("There is no space left on the disk."),
                where=str(problem.filename or paths.home()),
                remedy=_("Make room, or set BENTOML_HOME to a larger disk, and build again."),
            ) from problem
        finally:
            layers.prune()

    def _build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        def at(step: int, message: str) -> Callable[[], None]:
            progress(step, _STEPS, message)
            return lambda: progress(step, _STEPS, message)

        of = parts.subject(project)
        target = os.environ.get("EKIBEN_BUILD_PLATFORM") or here()
        if target not in packages.WHEELS:
            raise BuildFailed(
                _("There is no such platform: {platform}", platform=target),
                where="EKIBEN_BUILD_PLATFORM",
                remedy=", ".join(packages.WHEELS),
            )
        at(1, _("Looking up the base image"))
        wanted = source(base)
        client = Client(wanted.host)
        under = remote.resolve(client, wanted, target)
        python = _python(under, of.python)
        made = [
            *packages.made(
                of.project / "requirements.txt",
                python,
                target,
                lambda k, message: progress(2 + k, _STEPS, message),
            ),
            parts.code_layer(of, python, at(4, _("Packing the service"))),
            parts.model_layer(of, at(5, _("Packing the model"))),
        ]
        for layer in under.manifest["layers"]:
            _have(client, wanted.repository, layer, lambda message: progress(6, _STEPS, message))
        tick = at(7, _("Writing the image"))
        config = layout.canonical(parts.config(of, under, tuple(made), target))
        manifest = parts.manifest(of, under, tuple(made), config)
        folder = layout.write(reference, config, manifest)
        try:
            tick()
            isolation = local.load(folder, reference, tick) if target == here() else ""
        except BaseException:
            layout.remove(reference)
            raise
        return _image(reference, project.model, manifest, made, under, isolation)

    def rename(self, image: Image, reference: str) -> Image:
        """Gives a finished image its name, and takes the one that it was built under."""
        local.rename(image.reference, reference)
        layout.rename(image.reference, reference)
        return Image.from_json({**image.to_json(), "reference": reference})

    def start(self, image: Image, port: int) -> str:
        """Starts the image so that it answers on 127.0.0.1:``port``; in an engine, else on its layers."""
        return local.start(image, port) or root.run(layout.place(image.reference), port)

    def died(self, container: str) -> str | None:
        """The end of the log of a service that ended by itself; None while it runs."""
        return root.died(container) if root.is_ours(container) else local.died(container)

    def stop(self, container: str) -> str:
        """Stops and removes what ``start`` began; gives its log."""
        return root.stop(container) if root.is_ours(container) else local.stop(container)

    def remove(self, reference: str) -> None:
        """Removes an image, from the local engine too."""
        layout.remove(reference)
        local.remove(reference)

    def push(self, image: Image, progress: Callable[[str], None]) -> int:
        """Sends the image to the registry that its name begins with; gives the bytes that had to be sent.

        Raises:
            BuildFailed: the registry cannot be reached, or refuses.
        """
        target = parse(image.reference)
        return sending.send(target, layout.place(image.reference), image.base, progress)

    def save(self, image: Image, target: Path) -> None:
        """Writes the image as one file for ``docker load`` and ``podman load``."""
        layout.archive(layout.place(image.reference), image.reference, target)

    def command(self, image: Image) -> str:
        """How a person runs it."""
        return local.command(image.reference) or f"podman load -i {layout.place(image.reference)}"


def here() -> str:
    """The platform of images that run on this machine: Linux, whatever the system is."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return "linux/arm64" if arm else "linux/amd64"


def _python(base: remote.Base, wanted: str) -> str:
    """The version of the base's Python; the model's own where the base does not tell.

    Raises:
        BuildFailed: they differ in more than the patch.
    """
    values = dict(entry.split("=", 1) for entry in (base.config.get("config") or {}).get("Env") or [])
    found: str = values.get("PYTHON_VERSION", wanted)
    if found.split(".")[:2] != wanted.split(".")[:2]:
        raise BuildFailed(
            _("The base has Python {found}, the model needs {wanted}.", found=found, wanted=wanted),
            where=str(base.reference),
            remedy=_("Name another base: base=… or EKIBEN_BASE_IMAGE."),
        )
    return found


def _have(client: Client, repository: str, layer: dict[str, Any], say: Callable[[str], None]) -> None:
    """Sees to it that a layer of the base lies here."""
    digest, size = layer["digest"], layer["size"]
    if layers.blob(digest).is_file():
        os.utime(layers.blob(digest))
        return
    with layers.part() as file:

        def tick(done: int) -> None:
            say(_("Fetching the base image · {done} of {size} MB", done=done // 10**6, size=size // 10**6))

        remote.fetch(client, repository, digest, file, tick)
        layers.keep(file, digest)


def _image(
    reference: str,
    model: str,
    manifest: dict[str, Any],
    made: list[Stored],
    base: remote.Base,
    engine: str,
) -> Image:
    names = [str(base.reference)] * (len(manifest["layers"]) - len(made)) + [one.made_by for one in made]
    listed = tuple(
        Layer(entry["digest"], entry["size"], name)
        for entry, name in zip(manifest["layers"], names, strict=True)
    )
    findings: tuple[Finding, ...] = ()
    if not engine and not root.isolates():
        told = _("Replayed without isolation: neither an engine nor namespaces work here.")
        findings = (Finding("info", told),)
    return Image(
        reference=reference,
        digest=layout.digest_of(layout.canonical(manifest)),
        bytes=sum(layer.bytes for layer in listed),
        engine="oci",
        model=model,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        layers=listed,
        base=f"{base.reference}@{base.digest}",
        findings=findings,
    )
