"""What the container engines share: build through ``bentoml containerize``, start, stop, look.

An engine builds what BentoML makes of the project (see ``builders.bento`` for what that asks of it) and
runs the result. Settings of the machine's own:

* ``EKIBEN_BUILD_OPTIONS``: options for the engine's build as ``bentoml containerize --opt`` takes them,
  separated by spaces: ``network=host build-arg=HTTPS_PROXY=http://proxy:3128``;
* ``EKIBEN_RUN_OPTIONS``: options for the engine's run: ``--network=host``;
* ``EKIBEN_HTTP_REGISTRIES``: hosts that Podman and Buildah may push to without TLS, besides this machine.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ekiben.builders import bento, dpkg, steps, weights
from ekiben.builders.running import run
from ekiben.errors import BuildFailed
from ekiben.protocols import WATCHED, Progress
from ekiben.records import Finding, Image, Layer, Part, Project
from ekiben.records.image import SystemPackage
from ekiben.shell import ask, watch
from ekiben.words import _

#: Steps that BentoML's container file usually has; told until the engine says its own number.
_USUAL = 38
#: Seconds that an engine gets to remove the containers of a build that was stopped; a busy machine takes many.
_SETTLE = 60.0
#: Seconds a service has to end by itself when its container is stopped.
_END = 5
#: Asks an image's Python for its packages, with the modules of each no deeper than three names.
_ASKED = """
import json
from importlib.metadata import distributions
told = {}
for one in distributions():
    name, size, files = one.metadata["Name"], 0, set()
    for file in one.files or ():
        try:
            size += one.locate_file(file).stat().st_size
        except OSError:
            continue
        if file.suffix in (".py", ".so"):
            files.add("/".join(file.parts[:3]) + ("" if len(file.parts) <= 3 else "/_.py"))
    told[name] = {"version": one.version, "bytes": size, "files": sorted(files)}
print(json.dumps(told))
"""


#: Asks it for the files that ``builders.dpkg`` reads.
_LISTS = """
import glob, json
names = ["/var/lib/dpkg/status", *glob.glob("/var/lib/dpkg/status.d/*"), "/etc/os-release", "/usr/lib/os-release"]
told = {}
for name in names:
    try:
        told[name[1:]] = open(name, encoding="utf-8", errors="replace").read()
    except OSError:
        continue
print(json.dumps(told))
"""


class Engine(ABC):
    """What the engines share. ``name`` is the program, and BentoML's name for it as a backend."""

    name = ""
    source = ""
    check: tuple[str, ...] = ("info",)
    build_options: tuple[str, ...] = ()

    @property
    def install(self) -> str:
        """How to get it."""
        return _("Install {engine}: {how}", engine=self.name, how=self.source)

    def problem(self) -> Finding | None:
        """None when it works here, else why not and the remedy; under 5 s."""
        if shutil.which(self.name) is None:
            return Finding("error", _("{engine} is not installed.", engine=self.name), self.install)
        try:
            ask([self.name, *self.check], timeout=4.5)
        except BuildFailed as problem:
            return Finding(
                "error",
                _("{engine} is installed but does not work: {why}", engine=self.name, why=problem.message),
                _("Make “{command}” work first.", command=" ".join([self.name, *self.check])),
            )
        return None

    def build(self, project: Project, reference: str, base: str, progress: Progress) -> Image:
        """Makes the image ``reference`` on ``base``; what a failed or stopped build began is removed.

        Raises:
            BuildFailed: with the end of the engine's log.
            NotFound: the model is not in the store.
        """
        now = (1, _USUAL, _("Making the bento"))
        layers = steps.Layers()

        def tick() -> None:
            progress(*now)

        def hear(line: str) -> None:
            nonlocal now
            step = steps.step_of(line)
            if step is not None:
                # The bento was the first step, so the engine's own come one later.
                now = (max(now[0], step[0] + 1), step[1] + 1, steps.meaning(step[2]))
                progress(*now)
            elif steps.storing(line):
                now = (now[1], now[1], _("Storing the image"))
                progress(*now)

        tick()
        with bento.made(project, base, tick) as box:
            command = box.command("containerize", box.tag, "-t", reference, "--backend", self.name)
            for option in (*self.build_options, *shlex.split(os.environ.get("EKIBEN_BUILD_OPTIONS", ""))):
                command += ["--opt", option]
            for key, value in box.labels.items():
                command += ["--opt", f"label={key}={value}"]
            finished = False
            try:
                environment = {**box.env, "BUILDKIT_PROGRESS": "plain", **self.variables()}
                status, last = run(self.name, command, hear, tick, note=layers.hear, env=environment)
                finished = status == 0
            finally:
                if not finished:
                    self.discard([*layers.added, reference])
        if status:
            lines = steps.spoken(last)
            raise BuildFailed(
                _("{engine} gave up on the image:\n{lines}", engine=self.name, lines="\n".join(lines)),
                where=self.name,
                remedy=steps.remedy(lines),
            )
        return self.look(reference, project.model)

    def variables(self) -> dict[str, str]:
        """What the environment of a build must say for it to work here."""
        return {}

    def discard(self, layers: list[str]) -> None:
        """Removes what a build that came to nothing had added, the last layer first.

        Docker's server takes some seconds to remove the container of the step that was stopped, and a layer
        cannot go before it. A layer that is gone already, or that another image stands on, is left alone.
        The step may have ended before it could be stopped, and left a layer that nobody was told.
        """
        deadline = time.monotonic() + _SETTLE
        for layer in reversed(layers):
            told = layer != next(iter(layers[-2:-1]), "")  # its child was
            while not self._discarded(layer, told) and time.monotonic() < deadline:
                time.sleep(0.5)

    def _discarded(self, layer: str, told: bool) -> bool:
        """Whether nothing more can be done about the layer; False while a container holds it, or a child untold."""
        try:
            ask([self.name, "rmi", layer], timeout=60)
        except BuildFailed as problem:
            untold = [] if told or "child" not in problem.message else self._children(layer)
            for child in untold:
                self._discarded(child, told=True)
            return not untold and "container" not in problem.message
        return True

    def _children(self, layer: str) -> list[str]:
        """Images without a name that stand on the layer."""
        try:
            listed = ask([self.name, "images", "-q", "--no-trunc", "--filter", "dangling=true"]).split()
            form = "{{.Id}} {{.Parent}}"
            found = ask([self.name, "image", "inspect", "--format", form, *listed]) if listed else ""
        except BuildFailed:
            return []  # one of them went meanwhile, or the engine does not tell
        pairs = (line.split() for line in found.splitlines())
        return [
            pair[0] for pair in pairs if len(pair) == 2 and pair[1].removeprefix("sha256:").startswith(layer)
        ]

    def look(self, reference: str, model: str) -> Image:
        """The record of an image that the engine has."""
        (seen,) = json.loads(ask([self.name, "image", "inspect", reference]))
        return Image(
            reference=reference,
            digest=seen.get("Digest") or seen["Id"],
            bytes=int(seen["Size"]),
            engine=self.name,
            model=model,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            layers=self.layers(reference, seen),
        )

    @abstractmethod
    def layers(self, reference: str, seen: dict[str, Any]) -> tuple[Layer, ...]:
        """The layers from the base up, with the instruction that made each."""

    def rename(self, image: Image, reference: str) -> Image:
        """Gives a finished image its name, and takes the one that it was built under."""
        ask([self.name, "tag", image.reference, reference])
        ask([self.name, "rmi", image.reference])
        return self.look(reference, image.model)

    def start(self, image: Image, port: int) -> str:
        """Starts the image so that it answers on 127.0.0.1:``port``; gives the container's name."""
        # The service listens on the same number inside, for engines whose only network is the host's.
        name = f"ekiben-{secrets.token_hex(4)}"
        command = [self.name, "run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:{port}"]
        for key, value in {"PORT": str(port), "BENTOML_PORT": str(port), **WATCHED}.items():
            command += ["-e", f"{key}={value}"]
        command += shlex.split(os.environ.get("EKIBEN_RUN_OPTIONS", ""))
        try:
            ask([*command, image.reference])
        except BaseException:
            # The engine may have made the container before it failed to start it.
            self._drop(name)
            raise
        return name

    def weigh(self, image: Image, modules: Collection[str]) -> tuple[Part, ...]:
        """What lies in the image: its own Python is asked for its packages."""
        found = self._asked(image, _ASKED)
        places = weights.alone({name: one["files"] for name, one in found.items()})
        packages = [
            weights.Package(name, one["version"], one["bytes"], places[name]) for name, one in found.items()
        ]
        parts = weights.parts(packages, modules)
        rest = image.bytes - sum(part.bytes for part in parts)
        parts.append(Part("the base and the service", "base", max(rest, 0)))
        return tuple(sorted(parts, key=lambda part: (-part.bytes, part.name)))

    def system(self, image: Image) -> tuple[SystemPackage, ...]:
        """The packages of the image's distribution: they are read in a container of it."""
        return dpkg.packages({path: text.encode() for path, text in self._asked(image, _LISTS).items()})

    def _asked(self, image: Image, script: str) -> dict[str, Any]:
        """What a script tells in a container of the image."""
        command = [self.name, "run", "--rm", *shlex.split(os.environ.get("EKIBEN_RUN_OPTIONS", ""))]
        told = ask([*command, "--entrypoint", "python3", image.reference, "-c", script], timeout=120)
        found: dict[str, Any] = json.loads(told.splitlines()[-1])
        return found

    def died(self, container: str) -> str | None:
        """The end of the log of a container that ended by itself; None while it runs."""
        state = ask([self.name, "inspect", "--format", "{{.State.Running}}", container]).strip()
        return None if state == "true" else self._log(container)[-2000:]

    def stop(self, container: str) -> str:
        """Stops and removes the container; gives its log."""
        try:
            ask([self.name, "stop", "-t", str(_END), container])
            return self._log(container)
        finally:
            self._drop(container)

    def save(self, image: Image, target: Path) -> None:
        """Writes the image as a file for ``docker load`` and ``podman load``.

        Raises:
            BuildFailed: the engine does not write it; a folder is not for engines.
        """
        if target.suffix != ".tar":
            raise BuildFailed(
                _("{engine} saves images as one file.", engine=self.name),
                where=str(target),
                remedy=_("Let the name end with .tar."),
            )
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            self.archive(image.reference, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)

    def archive(self, reference: str, file: Path) -> None:
        """Writes an image as one file."""
        ask([self.name, "save", "-o", str(file), reference], timeout=3600)

    def push(self, image: Image, progress: Callable[[str], None], reference: str = "") -> int | None:
        """Sends the image to the registry in ``reference``; None, as engines do not tell how much was sent."""
        target = reference or image.reference
        began, layers = time.monotonic(), set[str]()
        all_layers = len({layer.digest for layer in image.layers if layer.digest}) or self._count(
            image.reference
        )

        def tick() -> None:
            seconds = int(time.monotonic() - began)
            if layers and all_layers:
                k = min(len(layers), all_layers)
                progress(
                    _(
                        "Pushing {name} · layer {k} of {n} · {seconds} s",
                        name=target,
                        k=k,
                        n=all_layers,
                        seconds=seconds,
                    )
                )
            else:
                progress(_("Pushing {name}", name=target))

        def hear(line: str) -> None:
            layer = steps.pushed(line)
            if layer and layer not in layers:
                layers.add(layer)
                tick()

        tick()
        with self.named(image.reference, target) as command:
            status, last = watch(command, hear, tick, env={})
        if status:
            raise BuildFailed(
                _("{engine} could not push:\n{lines}", engine=self.name, lines="\n".join(last[-8:])),
                where=target,
                remedy=steps.remedy(last, pushing=True),
            )
        return None

    def _count(self, reference: str) -> int:
        """How many layers the image has, where its record could not name them; 0: not told."""
        form = "{{len .RootFS.Layers}}"
        try:
            return int(ask([self.name, "image", "inspect", "--format", form, reference]))
        except (BuildFailed, ValueError):
            return 0

    @contextmanager
    def named(self, reference: str, target: str) -> Iterator[list[str]]:
        """The command that pushes ``reference`` as ``target``; a name that was given for it alone goes again."""
        fresh = target != reference and not self._knows(target)
        if target != reference:
            ask([self.name, "tag", reference, target])
        try:
            yield [self.name, "push", target]
        finally:
            if fresh:
                ask([self.name, "rmi", target])

    def _knows(self, reference: str) -> bool:
        try:
            ask([self.name, "image", "inspect", reference])
        except BuildFailed:
            return False
        return True

    def remove(self, reference: str) -> None:
        """Removes an image."""
        ask([self.name, "rmi", reference])

    def _log(self, container: str) -> str:
        log: list[str] = []
        watch([self.name, "logs", container], log.append, lambda: None, env={})
        return "\n".join(log)

    def _drop(self, container: str) -> None:
        try:
            ask([self.name, "rm", "-f", container])
        except BuildFailed as problem:
            if "no such container" not in str(problem).lower():
                raise


def paired(digests: list[str], rows: list[tuple[int, str, bool]]) -> tuple[Layer, ...]:
    """History rows ``(bytes, instruction, empty)``, from the base up, with the layers that they made."""
    full = [(size, made_by) for size, made_by, empty in rows if not empty]
    # Docker does not tell an empty layer from none; then the digests cannot be given to the rows.
    known = digests if len(digests) == len(full) else [""] * len(full)
    return tuple(
        Layer(digest=digest, bytes=size, made_by=_instruction(made_by))
        for digest, (size, made_by) in zip(known, full, strict=True)
    )


def _instruction(made_by: str) -> str:
    """The instruction without the engine's own frame and without the build arguments before it."""
    plain = re.sub(r"^(?:\|\d+ .*?)?/bin/sh -c (?:#\(nop\) +)?", "", made_by)
    return " ".join(plain.split())
