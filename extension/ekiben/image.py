"""Images: choose an engine, build, start once, replay, and only then call it done.

An image is built under a name of ekiben's own and gets the user's when its replay has passed, so an
earlier image of that name is never replaced by one that was not proven. The records of proven images
are JSON files under ``<BENTOML_HOME>/ekiben/images``.

``python -m ekiben.image MODEL REFERENCE [--engine NAME] [--base IMAGE] [--fresh] [--push]`` is the build as a
job: it prints the events that ``ekiben.jobs`` tells of.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ekiben import environment, errors, jobs, paths, registry
from ekiben import project as projects
from ekiben.capture import load_model, mismatch
from ekiben.errors import (
    BuildFailed,
    Cancelled,
    EkibenError,
    EngineMissing,
    InvalidName,
    ReplayMismatch,
    ServiceFailed,
)
from ekiben.protocols import Builder, Progress
from ekiben.records import Finding, Image, Job, Model, Project, Replay
from ekiben.requirements import check_shippable
from ekiben.service import replay_http, wait_ready
from ekiben.words import _

#: Asked in this order when the user names none; builders of other packages come after them.
PREFERRED = ("podman", "docker", "buildah", "oci")
#: Seconds that a fresh container has until it is ready.
READY = 120.0
#: Steps that most builds have; told until the builder says its own number.
_USUAL_STEPS = 40

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?"
_REFERENCE = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")


@runtime_checkable
class Watched(Protocol):
    """What a builder with engine may do besides ``Builder``; each makes the build kinder."""

    def rename(self, image: Image, reference: str) -> Image:
        """Gives a finished image its name, and takes the one that it was built under."""

    def died(self, container: str) -> str | None:
        """The end of the log of a container that ended by itself; None while it runs."""


@runtime_checkable
class Based(Protocol):
    """What a builder does that depends on the base image's registry being within reach."""

    def problem_with(self, base: str) -> Finding | None:
        """As ``problem``, for a base image that was named."""


@runtime_checkable
class Pushing(Protocol):
    """A builder that can send a finished image to a registry."""

    def push(self, image: Image, progress: Callable[[str], None]) -> int:
        """Sends it to the registry that its name begins with; gives the bytes that had to be sent."""


@runtime_checkable
class Runnable(Protocol):
    """A builder whose name is no program that runs images."""

    def command(self, image: Image) -> str:
        """How a person runs the image."""


class BuiltImage:
    """A proven image: its record, a small table in a notebook, and ``remove``."""

    def __init__(self, record: Image, proof: Replay | None = None) -> None:
        self.record = record
        #: The proof in a fresh environment, where one was asked for.
        self.environment = proof

    @property
    def reference(self) -> str:
        """The name that the engine knows it by."""
        return self.record.reference

    @property
    def replay(self) -> Replay | None:
        """The proof."""
        return self.record.replay

    def remove(self) -> None:
        """Takes the image from the engine and its record from the list."""
        registry.builder(self.record.engine).remove(self.record.reference)
        _file(self.record.reference).unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"<ekiben image {self.reference}: {_size(self.record.bytes)}, {_proof(self.record)}>"

    def _repr_html_(self) -> str:
        record = self.record
        builder = registry.builder(record.engine)
        run = f"{record.engine} run --rm -p 3000:3000 {record.reference}"
        run = builder.command(record) if isinstance(builder, Runnable) else run
        facts = (
            (_("Image"), record.reference),
            (_("Model"), record.model),
            (_("Digest"), record.digest.removeprefix("sha256:")[:12]),
            (_("Size"), _("{size} in {n} layers", size=_size(record.bytes), n=len(record.layers))),
            (_("Proof"), _proof(record)),
            (_("Run it"), run),
            *((_("Note"), finding.message) for finding in record.findings),
        )
        cell = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'
        rows = "".join(
            f'<tr><th scope="row" {cell}>{escape(name)}</th><td {cell}>{escape(value)}</td></tr>'
            for name, value in facts
        )
        return f"<table>{rows}</table>"


def build(
    project: Project,
    model: Model,
    reference: str,
    *,
    engine: str | None = None,
    base: str | None = None,
    fresh: bool = False,
    push: bool = False,
    progress: Progress | None = None,
    heard: Callable[[Replay], None] | None = None,
) -> Image:
    """Builds the written ``project`` to the image ``reference`` and proves it in a container.

    ``engine`` is ``podman``, ``docker``, ``buildah`` or another registered builder; None: the first that
    works here. ``base`` is the base image; None: ``EKIBEN_BASE_IMAGE``, else the slim image of the model's
    Python. ``fresh`` replays first in a fresh environment with the project's requirements alone, and
    ``heard`` gets that proof. ``push`` sends the proven image to the registry in its name. ``progress`` is
    told each step; what it raises stops the build, and nothing half done stays.

    Raises:
        RequirementsFailed: what the model needs cannot be had, or does not work, on another machine.
        InvalidName: ``reference`` is no image name.
        EngineMissing: no engine works here.
        BuildFailed: the engine gave up, with the end of its log; or the registry does not take the image,
            which is then kept on this machine.
        ServiceFailed: the service in the image did not start; with the end of its log.
        ReplayMismatch: the image answers otherwise than the notebook did; it is removed.
    """
    check_reference(reference)
    check_shippable(model.findings)
    builder = choose(engine, project, base)
    pusher = _pusher(builder, reference) if push else None
    steps = 0
    before = environment.STEPS if fresh else 0

    def tell(step: int, total: int, message: str) -> None:
        nonlocal steps
        # Two steps of our own follow the builder's, or three.
        steps = total + 2 + push
        if progress is not None:
            progress(before + step, before + steps, message)

    if fresh:
        guess = before + _USUAL_STEPS
        proof = environment.replay(
            project, model, progress and (lambda step, _steps, message: progress(step, guess, message))
        )
        if heard is not None:
            heard(proof)
    watched = builder if isinstance(builder, Watched) else None
    candidate = f"ekiben-candidate:{secrets.token_hex(6)}" if watched else reference
    made = builder.build(project, candidate, base or default_base(model), tell)
    try:
        tell(steps - 1 - push, steps - 2 - push, _("Starting the image"))
        replay = _prove(builder, made, model, lambda message: tell(steps - push, steps - 2 - push, message))
        if not replay.passed:
            raise mismatch(replay)
        proven = replace(watched.rename(made, reference) if watched else made, replay=replay)
    except BaseException:
        builder.remove(candidate)
        raise
    paths.write_atomic(_file(reference), json.dumps(proven.to_json(), ensure_ascii=False, indent=1))
    if pusher is not None:
        sent = pusher.push(proven, lambda message: tell(steps, steps - 3, message))
        logging.getLogger("ekiben.build").info("pushed %s: %d bytes sent", reference, sent)
    return proven


def _pusher(builder: Builder, reference: str) -> Pushing:
    """The builder as one that pushes, for a name with a registry in it; asked before anything is built.

    Raises:
        BuildFailed: it does not push.
        InvalidName: the name has no registry.
    """
    if not isinstance(builder, Pushing):
        raise BuildFailed(
            _("{engine} does not push.", engine=builder.name),
            where=builder.name,
            remedy=_("Leave push out, or build with another engine."),
        )
    host, slash, _rest = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        raise InvalidName(
            _("{reference} names no registry.", reference=repr(reference)),
            where="reference",
            remedy=_("Put its host first: registry.example.org/{reference}", reference=reference),
        )
    return builder


def _prove(builder: Builder, image: Image, model: Model, say: Callable[[str], None]) -> Replay:
    """Starts the image once and replays the golden examples in it."""
    watched = builder if isinstance(builder, Watched) else None
    port = _free_port()
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
            return replay_http(url, model.contract, station="image")
        finally:
            log = builder.stop(container)
            logging.getLogger("ekiben.build").info("%s", log)
    except ServiceFailed as error:
        tail = "\n".join(log.splitlines()[-20:])
        raise ServiceFailed(
            f"{error.message}\n{tail}",
            where=image.reference,
            remedy=_("Mend what the log says and build again."),
        ) from error


def build_job(
    tag: str,
    reference: str,
    *,
    engine: str | None = None,
    base: str | None = None,
    fresh: bool = False,
    push: bool = False,
    show: Callable[[Job], None] | None = None,
) -> BuiltImage:
    """``build`` for the model ``tag`` of the store, as a job that outlives this process; waits for its end.

    ``show`` is called with the job whenever something changed. Interrupting cancels the job.

    Raises:
        Cancelled: it was interrupted here, or cancelled elsewhere.
        EkibenError: what ``build`` raises.
    """
    check_reference(reference)
    argv = [sys.executable, "-m", "ekiben.image", tag, reference, "--engine", choose(engine, None, base).name]
    argv += ["--fresh"] if fresh else []
    argv += ["--push"] if push else []
    proof: Replay | None = None
    job = jobs.start("build", reference, argv + (["--base", base] if base else []))
    try:
        for event in jobs.follow(job.id):
            if event["event"] == "done":
                return BuiltImage(Image.from_json(event["result"]), proof)
            if event["event"] == "replay":
                proof = Replay.from_json(event["replay"])
            if event["event"] == "error":
                raise _error(event, job)
            if show is not None:
                show(jobs.find(job.id))
    except KeyboardInterrupt:
        jobs.cancel(job.id)
        raise Cancelled(_("The build was cancelled."), where=reference) from None
    raise AssertionError("a followed job ends with done or error")


def _error(event: dict[str, Any], job: Job) -> EkibenError:
    """The error that the job's process told, as the class that it was there."""
    if event.get("type") == "ReplayMismatch":
        return ReplayMismatch(event["error"], Replay.from_json(event["replay"]), remedy=event["remedy"])
    kind = getattr(errors, str(event.get("type")), EkibenError)
    remedy = event["remedy"] or _("The whole log: {command}", command=f"ekiben log {job.id}")
    error: EkibenError = kind(event["error"], where=event["where"], remedy=remedy)
    return error


def main_events(
    tag: str,
    reference: str,
    engine: str | None = None,
    base: str | None = None,
    fresh: bool = False,
    push: bool = False,
) -> int:
    """Builds the model ``tag``, prints the events of a job and gives the exit status."""
    _listen_to_cancel()
    log = logging.getLogger("ekiben.build")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler(sys.stderr))
    told: tuple[int, int, str] | None = None

    def progress(step: int, steps: int, message: str) -> None:
        nonlocal told
        if told != (step, steps, message):
            told = (step, steps, message)
            jobs.emit("step", step=step, steps=steps, message=message)

    try:
        model = load_model(tag)
        project = projects.write(projects.render(model))
        image = build(
            project,
            model,
            reference,
            engine=engine,
            base=base,
            fresh=fresh,
            push=push,
            progress=progress,
            heard=lambda proof: jobs.emit("replay", replay=proof.to_json()),
        )
    except EkibenError as error:
        extra = {"replay": error.replay.to_json()} if isinstance(error, ReplayMismatch) else {}
        jobs.emit("error", **error.to_json(), **extra)
        return error.exit_status
    except KeyboardInterrupt:
        stopped = Cancelled(_("The build was cancelled."), where=reference)
        jobs.emit("error", **stopped.to_json())
        return stopped.exit_status
    jobs.emit("done", result=image.to_json())
    return 0


def _listen_to_cancel() -> None:
    """A request to end becomes an interrupt, so that what is half done is taken back."""

    def interrupt(_number: int, _frame: object) -> None:
        # Once is enough: a second one would break off the tidying up.
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def images() -> tuple[Image, ...]:
    """The proven images, the latest first."""
    found = []
    for file in (paths.home() / "images").glob("*.json"):
        try:
            found.append(Image.from_json(json.loads(file.read_text(encoding="utf-8"))))
        except (FileNotFoundError, ValueError, TypeError):
            continue  # removed since it was listed, or not one of ours
    return tuple(sorted(found, key=lambda image: image.created, reverse=True))


def engines() -> dict[str, Finding | None]:
    """Every registered builder in order of preference, with what keeps it from working here."""
    return {name: registry.builder(name).problem() for name in _names()}


def choose(engine: str | None = None, project: Project | None = None, base: str | None = None) -> Builder:
    """The builder ``engine``, or the first that works here, on ``base`` where one is named.

    Raises:
        EngineMissing: it does not work, or none does; with the reason and the remedy of each.
        NotFound: no builder has that name.
    """
    problems: list[str] = []
    for name in [engine] if engine else _names():
        builder = registry.builder(name)
        problem = builder.problem_with(base) if base and isinstance(builder, Based) else builder.problem()
        if problem is None:
            return builder
        problems.append(f"  {problem.message}\n    → {problem.remedy}")
    folder = project.folder if project and project.folder else str(paths.home() / "projects")
    raise EngineMissing(
        "\n".join([_("No container engine that works here."), *problems]),
        remedy=_(
            "Install one of them; or build the project elsewhere: “bentoml build” and “bentoml containerize” "
            "in {folder} need BentoML only.",
            folder=folder,
        ),
    )


def default_base(model: Model) -> str:
    """The base image when the user names none."""
    python = ".".join(model.python.split(".")[:2])
    return os.environ.get("EKIBEN_BASE_IMAGE") or f"docker.io/library/python:{python}-slim"


def check_reference(reference: str) -> None:
    """Raises InvalidName unless ``reference`` can name an image (``name:tag``, ``host/name:tag``)."""
    if not _REFERENCE.fullmatch(reference) or len(reference) > 255:
        raise InvalidName(
            _("{reference} is no image name.", reference=repr(reference)),
            where="reference",
            remedy=_("Lower-case letters, digits, “.”, “_”, “-”, then “:” and a tag: iris:1"),
        )


def _names() -> list[str]:
    known = registry.names("builder")
    return [name for name in PREFERRED if name in known] + [name for name in known if name not in PREFERRED]


def _file(reference: str) -> Path:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", reference)[:80]
    return paths.home() / "images" / f"{safe}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}.json"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def _proof(image: Image) -> str:
    if image.replay is None:
        return _("not proven")
    right = image.replay.rows - len({entry.row for entry in image.replay.mismatches})
    return _("proven {right}/{rows}", right=right, rows=image.replay.rows)


def main(arguments: list[str] | None = None) -> int:
    """``python -m ekiben.image``."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.image")
    parser.add_argument("tag")
    parser.add_argument("reference")
    parser.add_argument("--engine")
    parser.add_argument("--base")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--push", action="store_true")
    given = parser.parse_args(arguments)
    return main_events(given.tag, given.reference, given.engine, given.base, given.fresh, given.push)


if __name__ == "__main__":
    sys.exit(main())
