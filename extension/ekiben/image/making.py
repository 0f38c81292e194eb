"""Build, start once, replay, and only then give the image its name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from ekiben import environment, scratch
from ekiben.capture import mismatch
from ekiben.errors import EkibenError, MissingDependency, ReplayMismatch, ServiceFailed
from ekiben.image import advisories, kept, sbom
from ekiben.image.abilities import Attaching, Stocked, Watched, Weighing
from ekiben.image.choosing import choose, permit
from ekiben.image.names import check_reference, default_base, unproven
from ekiben.image.proving import prove
from ekiben.image.system_advisories import SystemWatch, reach
from ekiben.image.telling import Told
from ekiben.protocols import Builder, Progress
from ekiben.records import Finding, Image, LayerStep, Model, Project, Replay
from ekiben.records.image import SystemPackage
from ekiben.requirements import check_shippable
from ekiben.words import _

#: Steps that most builds have; told until the builder says its own number.
USUAL_STEPS = 40


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
    layer: Callable[[LayerStep], None] | None = None,
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
        BuildFailed: the registry refuses a push, asked before the build where the builder can; the engine gave
            up, with the end of its log; or the registry does not take the finished image, which is kept here.
        ServiceFailed: the service in the image did not start; with the end of its log.
        ReplayMismatch: the image answers otherwise than the notebook did.

    An image that was built and not proven is kept under its digest, with the reason in its record.
    """
    check_reference(reference)
    check_shippable(model.findings)
    scratch.sweep()
    builder = choose(engine, project, base)
    before = environment.STEPS if fresh else 0
    if push and progress is not None:
        progress(1, before + USUAL_STEPS, _("Asking the registry whether it takes the image"))
    sender = permit(builder, reference) if push else None
    steps = 0

    def tell(step: int, total: int, message: str) -> None:
        nonlocal steps
        # Two steps of our own follow the builder's, or three.
        steps = total + 2 + push
        if progress is not None:
            progress(before + step, before + steps, message)

    if fresh:
        guess = before + USUAL_STEPS
        proof = environment.replay(
            project, model, progress and (lambda step, _steps, message: progress(step, guess, message))
        )
        if heard is not None:
            heard(proof)
    watched = builder if isinstance(builder, Watched) else None
    candidate = f"ekiben-candidate:{scratch.name()}" if watched else reference
    watch, asked = advisories.Watch(project.files.get("requirements.txt", "")), reach()
    try:
        made = builder.build(project, candidate, base or default_base(model), Told(tell, layer))
    except BaseException:
        watch.end()
        raise
    try:
        system = builder.system(made) if isinstance(builder, Stocked) else ()
        below = SystemWatch(system, asked)
        tell(steps - 1 - push, steps - 2 - push, _("Starting the image"))
        replay, modules = prove(
            builder, made, model, lambda message: tell(steps - push, steps - 2 - push, message)
        )
        if not replay.passed:
            raise mismatch(replay)
        parts = builder.weigh(made, modules) if isinstance(builder, Weighing) else ()
        audit = advisories.beside(watch.report(), below.report())
        named = watched.rename(made, reference) if watched else made
        told = (*named.findings, *project.findings)
        proven = replace(named, replay=replay, parts=parts, audit=audit, findings=told)
        proven = _with_bill(builder, proven, model, system)
    except (ReplayMismatch, ServiceFailed) as problem:
        if watched is None:
            builder.remove(candidate)
        else:
            _keep_unproven(watched, made, reference, problem)
        raise
    except BaseException:
        builder.remove(candidate)
        raise
    finally:
        watch.end()
    kept.keep(proven)
    if sender is not None:
        sent = sender.push(proven, Told(lambda message: tell(steps, steps - 3, message), layer))
        logging.getLogger("ekiben.build").info(
            "pushed %s: %s bytes sent", reference, "unknown" if sent is None else sent
        )
    return proven


def _with_bill(builder: Builder, image: Image, model: Model, system: tuple[SystemPackage, ...]) -> Image:
    """Writes the bill of materials beside the image and onto it; a finding where there is none."""
    try:
        text = sbom.bill(image, model, system)
    except MissingDependency as problem:
        return replace(image, findings=(*image.findings, Finding("info", problem.message, problem.remedy)))
    sbom.keep(image, text)
    if isinstance(builder, Attaching):
        builder.attach(image, sbom.MEDIA, text.encode())
    return image


def _keep_unproven(builder: Watched, made: Image, reference: str, problem: EkibenError) -> None:
    """Names the image by its digest and writes down why; the error tells where it is."""
    name = unproven(made.digest)
    renamed = builder.rename(made, name)
    replay = problem.replay if isinstance(problem, ReplayMismatch) else None
    told = (*made.findings, Finding("error", problem.message, problem.remedy))
    kept.keep(replace(renamed, wanted=reference, replay=replay, findings=told))
    where = _(
        "The image is kept as {name}; {command} removes it.", name=name, command=f"ekiben remove {name}"
    )
    problem.remedy = f"{problem.remedy}\n{where}"
