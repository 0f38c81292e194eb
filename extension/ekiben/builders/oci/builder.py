"""The builder ``oci``: a registry's base image, wheels, code and model put together here.

* ``EKIBEN_BUILD_PLATFORM``: ``linux/amd64`` or ``linux/arm64``; left out, this machine's own.
* ``EKIBEN_HTTP_REGISTRIES``: hosts that are spoken to without TLS, besides this machine.
"""

from __future__ import annotations

import errno
import os
import platform
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders.oci import (
    below,
    contents,
    layers,
    layout,
    local,
    native,
    packages,
    parts,
    referrers,
    remote,
    root,
    sending,
    upload,
)
from ekiben.builders.oci.aside import Aside
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.estimate import estimate
from ekiben.builders.oci.layers import Stored
from ekiben.builders.oci.reference import parse, source
from ekiben.builders.oci.shared_objects import Linked
from ekiben.errors import BuildFailed
from ekiben.protocols import LayerProgress, Progress
from ekiben.records import Finding, Image, Layer, LayerStep, Part, Project, SizeEstimate
from ekiben.records.image import SystemPackage
from ekiben.words import _

_STEPS = 6
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
            Client(source(base).host).reach(_QUICK)
        except BuildFailed as problem:
            return Finding("error", f"oci: {problem.message}", problem.remedy)
        return None

    def build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """As ``assemble``, and loaded into a local engine where one is.

        Raises:
            BuildFailed: the base, a package or the disk's space cannot be had; the engine does not take it.
            NotFound: the model is not in the store.
        """

        def tick() -> None:
            progress(_STEPS, _STEPS, _("Writing the image"))

        made = self.assemble(project, reference, base, progress)
        folder = layout.place(reference)
        try:
            if local.engine() is None and not root.isolates():
                told = _("Replayed without isolation: neither an engine nor namespaces work here.")
                made = replace(made, findings=(Finding("info", told),))
            if layout.config_of(folder)["architecture"] == here().partition("/")[2]:
                with _disk():
                    local.load(folder, reference, tick)
        except BaseException:
            layout.remove(reference)
            raise
        return made

    def assemble(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """Makes the image ``reference`` on ``base`` as a layout folder; no engine is asked.

        Raises:
            BuildFailed: the base, a package or the disk's space cannot be had.
            NotFound: the model is not in the store.
        """
        try:
            with _disk():
                return self._assemble(project, reference, base, progress)
        finally:
            layers.prune()
            layout.clear()

    def _assemble(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
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
        fetched: list[int] = []
        began = time.monotonic()

        def done(name: str, size: int, seconds: float, how: str) -> None:
            if isinstance(progress, LayerProgress):
                progress.layer(LayerStep(name, size, round(seconds, 2), how))

        with Aside(lambda stop: _have_all(client, under, fetched, stop)) as fetching:
            added: list[Stored] = []

            def wait() -> None:
                size = sum(layer["size"] for layer in under.manifest["layers"]) // 10**6
                done = sum(fetched) // 10**6
                progress(2, _STEPS, _("Fetching the base image · {done} of {size} MB", done=done, size=size))

            def look(linked: list[Linked]) -> None:
                fresh = fetching.result(wait)
                how = "fetched" if fresh else "reused"
                done(str(under.reference), sum(fetched), time.monotonic() - began if fresh else 0.0, how)
                layer = native.layer(linked, under, target, lambda message: progress(2, _STEPS, message))
                added.extend([layer] if layer else [])

            made = [
                *packages.made(
                    of.project / "requirements.txt",
                    python,
                    target,
                    lambda k, message: progress(2 + k, _STEPS, message),
                    look,
                    parts.imported(of),
                    parts.direct(of),
                ),
                *added,
                parts.runtime_layer(of, python, at(4, _("Packing the service"))),
                parts.code_layer(of, at(4, _("Packing the service"))),
                parts.model_layer(of, at(5, _("Packing the model"))),
            ]
        for layer in made:
            done(layer.made_by, layer.bytes, layer.seconds, "reused" if layer.reused else "made")
        at(6, _("Writing the image"))
        config = layout.canonical(parts.config(of, under, tuple(made), target))
        manifest = parts.manifest(of, under, tuple(made), config)
        layout.write(reference, config, manifest)
        return _image(reference, project.model, manifest, made, under)

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

    def may_push(self, reference: str) -> None:
        """Asks the registry in ``reference`` whether it would take the image.

        Raises:
            BuildFailed: the registry cannot be reached, or refuses.
        """
        target = parse(reference)
        upload.permitted(Client(target.host, pushing=True), target.repository)

    def push(self, image: Image, progress: Callable[[str], None], reference: str = "") -> int:
        """Sends the image to the registry in ``reference``, its own name unless told; gives the bytes that were sent.

        Raises:
            BuildFailed: the registry cannot be reached, or refuses.
        """
        target = parse(reference or image.reference)
        names = {layer.digest: layer.made_by for layer in image.layers}
        return sending.send(target, layout.place(image.reference), image.base, progress, names)

    def weigh(self, image: Image, modules: Collection[str]) -> tuple[Part, ...]:
        """What lies in the image, as it was written down when its layers were made."""
        return contents.parts(layers.folder(), image, modules)

    def system(self, image: Image) -> tuple[SystemPackage, ...]:
        """The packages of the base's distribution, its Python, and those of the libraries that were added."""
        config = layout.config_of(layout.place(image.reference))
        base = image.base.rpartition("@")[0]
        below_it = [{"digest": layer.digest} for layer in image.layers if layer.made_by == base]
        there = below.look({"layers": below_it}, lambda: None).packages
        architecture = config["architecture"]
        system, release = (there[0].distribution, there[0].release) if there else ("debian", "")
        added = tuple(
            replace(one, architecture=architecture, distribution=system, release=release)
            for layer in image.layers
            if layer.made_by.startswith(native.NATIVE)
            for one in native.added(layout.blob(layout.place(image.reference), layer.digest))
        )
        values = dict(entry.split("=", 1) for entry in config["config"]["Env"])
        told = values.get("PYTHON_VERSION")
        python = (SystemPackage("python", told, architecture, "", "", kind="generic"),) if told else ()
        return (*there, *added, *python)

    def estimate(self, project: Project, base: str) -> SizeEstimate:
        """What the image of ``project`` on ``base`` will weigh; nothing is built for it.

        Raises:
            BuildFailed: the base cannot be had.
        """
        of = parts.subject(project)
        target = os.environ.get("EKIBEN_BUILD_PLATFORM") or here()
        wanted = source(base)
        under = remote.resolve(Client(wanted.host), wanted, target)
        return estimate(of, under, _python(under, of.python), target)

    def attach(self, image: Image, media: str, content: bytes) -> None:
        """Adds a document that refers to the image, to be sent along with it."""
        referrers.attach(layout.place(image.reference), media, content)

    def save(self, image: Image, target: Path) -> None:
        """Writes the image: ``….tar`` for ``docker load`` and ``podman load``, else as a folder."""
        folder = layout.place(image.reference)
        if target.suffix == ".tar":
            layout.archive(folder, image.reference, target)
        else:
            layout.copy(folder, target)

    def load(self, image: Image, progress: Callable[[str], None]) -> str:
        """Puts the image into the local engine; gives the engine's name, empty where none works here."""
        told = _("Storing the image")
        return local.load(layout.place(image.reference), image.reference, lambda: progress(told))

    def command(self, image: Image) -> str:
        """How a person runs it."""
        return local.command(image.reference) or f"podman load -i {layout.place(image.reference)}"


@contextmanager
def _disk() -> Iterator[None]:
    """A disk that is full, or that we may not write to, is one clear error."""
    try:
        yield
    except OSError as problem:
        file = Path(os.fsdecode(problem.filename or ""))
        if problem.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and paths.home() in file.parents:
            raise BuildFailed(
                _("The folder where images are made cannot be written to."),
                where=str(file),
                remedy=_("Set BENTOML_HOME to a folder that you may write to, and build again."),
            ) from problem
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BuildFailed(
            _("There is no space left on the disk."),
            where=str(problem.filename or paths.home()),
            remedy=_("Make room, or set BENTOML_HOME to a larger disk, and build again."),
        ) from problem


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


def _have_all(client: Client, base: remote.Base, fetched: list[int], stop: Callable[[], None]) -> bool:
    """Sees to it that the layers of the base lie here and were looked into; ``fetched`` counts the bytes of each.

    Gives whether any had to be fetched.
    """
    fresh = False
    for number, layer in enumerate(base.manifest["layers"]):
        digest = layer["digest"]
        fetched.append(layer["size"])
        if layers.blob(digest).is_file():
            os.utime(layers.blob(digest))
            continue

        def tick(done: int, number: int = number) -> None:
            stop()
            fetched[number] = done

        with layers.part() as file:
            remote.fetch(client, base.reference.repository, digest, file, tick)
            layers.keep(file, digest)
        fresh = True
    below.libraries(base.manifest, stop)  # while the packages come; what needs them finds them noted
    return fresh


def _image(
    reference: str,
    model: str,
    manifest: dict[str, Any],
    made: list[Stored],
    base: remote.Base,
) -> Image:
    names = [str(base.reference)] * (len(manifest["layers"]) - len(made)) + [one.made_by for one in made]
    listed = tuple(
        Layer(entry["digest"], entry["size"], name)
        for entry, name in zip(manifest["layers"], names, strict=True)
    )
    return Image(
        reference=reference,
        digest=layout.digest_of(layout.canonical(manifest)),
        bytes=sum(layer.bytes for layer in listed),
        engine="oci",
        model=model,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        layers=listed,
        base=f"{base.reference}@{base.digest}",
    )
