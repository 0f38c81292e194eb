"""What the container engines share: build through ``bentoml containerize``, start, stop, look.

An engine builds what BentoML makes of the project (see ``builders.bento`` for what that asks of it) and
runs the result. Settings of the machine's own:

* ``EKIBEN_BUILD_OPTIONS``: options for the engine's build as ``bentoml containerize --opt`` takes them,
  separated by spaces: ``network=host build-arg=HTTPS_PROXY=http://proxy:3128``;
* ``EKIBEN_RUN_OPTIONS``: options for the engine's run: ``--network=host``.
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
from datetime import datetime, timezone
from typing import Any

from ekiben.builders import bento, steps
from ekiben.builders.running import run
from ekiben.errors import BuildFailed
from ekiben.protocols import Progress
from ekiben.records import Finding, Image, Layer, Project
from ekiben.shell import ask, watch
from ekiben.words import _

#: Steps that BentoML's container file usually has; told until the engine says its own number.
_USUAL = 38
#: Seconds that an engine gets to remove the containers of a build that was stopped.
_SETTLE = 15.0
#: Seconds a service has to end by itself when its container is stopped.
_END = 5


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
            finished = False
            try:
                environment = {**box.env, "BUILDKIT_PROGRESS": "plain"}
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

    def discard(self, layers: list[str]) -> None:
        """Removes what a build that came to nothing had added, the last layer first.

        Docker's server takes some seconds to remove the container of the step that was stopped, and a layer
        cannot go before it. A layer that is gone already, or that another image stands on, is left alone.
        """
        deadline = time.monotonic() + _SETTLE
        for layer in reversed(layers):
            while not self._discarded(layer) and time.monotonic() < deadline:
                time.sleep(0.5)

    def _discarded(self, layer: str) -> bool:
        """Whether nothing more can be done about the layer; False while a container holds it."""
        try:
            ask([self.name, "rmi", layer], timeout=30)
        except BuildFailed as problem:
            return "container" not in problem.message
        return True

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
        command += ["-e", f"PORT={port}", "-e", f"BENTOML_PORT={port}"]
        command += shlex.split(os.environ.get("EKIBEN_RUN_OPTIONS", ""))
        try:
            ask([*command, image.reference])
        except BaseException:
            # The engine may have made the container before it failed to start it.
            self._drop(name)
            raise
        return name

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
