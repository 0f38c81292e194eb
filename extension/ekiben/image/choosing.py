"""Which builder: the one that was asked for, else the first that works here."""

from __future__ import annotations

from ekiben import paths, registry
from ekiben.errors import BuildFailed, EngineMissing, InvalidName
from ekiben.image.abilities import Based, Foreseeing, Permitted, Pushing
from ekiben.image.names import default_base
from ekiben.protocols import Builder
from ekiben.records import Finding, Model, Project, SizeEstimate
from ekiben.words import _

#: Asked in this order when the user names none; builders of other packages come after them.
PREFERRED = ("oci", "podman", "docker", "buildah", "nerdctl")


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


def _names() -> list[str]:
    known = registry.names("builder")
    return [name for name in PREFERRED if name in known] + [name for name in known if name not in PREFERRED]


def pusher(builder: Builder, reference: str) -> Pushing:
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


def permit(builder: Builder, reference: str) -> Pushing:
    """As ``pusher``, and the registry is asked, where the builder can: a wrong password is told before the work.

    Raises:
        BuildFailed: it does not push; or the registry cannot be reached, or refuses.
        InvalidName: the name has no registry.
    """
    found = pusher(builder, reference)
    if isinstance(builder, Permitted):
        builder.may_push(reference)
    return found


def predict_size(project: Project, model: Model, base: str | None = None) -> SizeEstimate:
    """What the image of the written ``project`` will weigh, by the first builder that can tell.

    Raises:
        BuildFailed: the base image cannot be had.
        EngineMissing: no builder here can tell, or the base's registry is out of reach.
    """
    under = base or default_base(model)
    for name in _names():
        builder = registry.builder(name)
        if isinstance(builder, Foreseeing):
            # A registry that does not answer is told at once; fetching from it would be tried for a minute.
            problem = builder.problem_with(under) if isinstance(builder, Based) else None
            if problem is not None:
                raise EngineMissing(problem.message, remedy=problem.remedy)
            return builder.estimate(project, under)
    raise EngineMissing(
        _("No builder here tells sizes beforehand."), remedy=_("Build it: {command}", command="ekiben build")
    )
