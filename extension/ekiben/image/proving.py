"""The proof: the image is started once and replays the golden examples."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import NamedTuple

from ekiben import registry
from ekiben.capture import mismatch
from ekiben.errors import ServiceFailed
from ekiben.image.abilities import Watched
from ekiben.image.kept import images
from ekiben.protocols import Builder
from ekiben.records import Image, Model, Replay
from ekiben.service import replay_http, wait_ready
from ekiben.words import _

#: What Python begins a line with that tells of an import.
IMPORTED = "import time:"
#: Seconds that a fresh container has until it is ready.
READY = 120.0


class Proof(NamedTuple):
    """The replay, and the modules that the image's Python imported until it had answered."""

    replay: Replay
    modules: frozenset[str]


def prove(builder: Builder, image: Image, model: Model, say: Callable[[str], None]) -> Proof:
    """Starts the image once and replays the golden examples in it."""
    watched = builder if isinstance(builder, Watched) else None
    port = free_port()
    container = builder.start(image, port)
    log = ""
    try:
        url = f"http://127.0.0.1:{port}"

        def problem() -> str | None:
            ended = watched.died(container) if watched else None
            return None if ended is None else _("The service in the image ended.")

        try:
            wait_ready(url, problem, READY)
            say(_("Replaying {n} golden examples in the image", n=len(model.contract.golden.rows)))
            replay = replay_http(url, model.contract, station="image")
        finally:
            log, modules = imports(builder.stop(container))
            logging.getLogger("ekiben.build").info("%s", log)
    except ServiceFailed as error:
        tail = "\n".join(log.splitlines()[-20:])
        raise ServiceFailed(
            f"{error.message}\n{tail}",
            where=image.reference,
            remedy=_("Mend what the log says and build again."),
        ) from error
    return Proof(replay, modules)


def prove_again(model: Model, say: Callable[[str], None]) -> Replay | None:
    """The latest proven image of ``model``, started and replayed once more; None where there is none.

    Raises:
        ReplayMismatch: it answers otherwise than the notebook did.
        ServiceFailed: it does not start.
    """
    proven = (image for image in images() if image.model == model.tag and image.replay is not None)
    latest = next(proven, None)
    if latest is None:
        return None
    say(_("starting {reference}", reference=latest.reference))
    replay = prove(registry.builder(latest.engine), latest, model, say).replay
    if not replay.passed:
        raise mismatch(replay)
    return replay


def imports(log: str) -> tuple[str, frozenset[str]]:
    """A log without the lines of ``WATCHED``, and the modules that these name."""
    lines = log.splitlines()
    names = (line.rpartition("|")[2].strip() for line in lines if line.startswith(IMPORTED))
    kept = "\n".join(line for line in lines if not line.startswith(IMPORTED))
    return kept, frozenset(name for name in names if name != "imported package")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
