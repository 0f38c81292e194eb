"""What a service needs, pinned to what is installed here.

It begins with the modules that the model, the notebook's code and the service import, and follows what
their distributions say that they need in turn. Nothing else is taken: a kernel's JupyterLab stays out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any
from urllib.parse import urlsplit

from ekiben.distributions import canonical, folder_of, homes, name_of, origin, orphan
from ekiben.errors import RequirementsFailed
from ekiben.pip_settings import settings
from ekiben.records import Contract, Finding
from ekiben.words import _

#: What the service itself imports, whatever the model is.
SERVICE = (
    "bentoml",
    "httptools",
    "msgspec",
    "psutil",
    "uvicorn",
    *(("uvloop",) if os.name == "posix" else ()),
)
#: Taken along where it is installed: without it a service speaks no gRPC, and says so.
OPTIONAL = ("h2",)
#: Numbers in a tensor's row, columns of an array, from which on a reader of its own is worth 2 MB of an image
#: (``runtime/grids.py``): of many rows of 30 columns it halves the time of reading.
LARGE = 256
WIDE = 16
#: Found in a notebook's imports now and then; a service has nobody to show anything to.
_NOTEBOOK_ONLY = frozenset({"ipykernel", "ipython", "ipywidgets", "jupyterlab", "jupyter-server", "notebook"})


@dataclass(frozen=True)
class Needs:
    """Pinned ``lines`` for pip, the ``direct`` ones first; ``direct`` are names, ``findings`` what to know."""

    lines: tuple[str, ...]
    direct: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def needed(imports: Iterable[str], *, also: Iterable[str] = (), indexes: bool = False) -> Needs:
    """What a service needs that imports the modules ``imports`` (dotted names are told apart best).

    ``also`` names distributions that it needs though nobody sees it import them. ``indexes`` puts the
    package indexes of the user's pip settings before the lines.

    Modules of the standard library and of the notebook itself are left out.
    """
    first = {name: found for module in imports for found in homes(module) for name in [name_of(found)]}
    for name in (*SERVICE, *filter(_installed, OPTIONAL), *also):
        found = _installed(name)
        if found is None:
            raise RequirementsFailed(
                _("{name} is not installed here.", name=name), remedy=f"%pip install {name}"
            )
        first[name_of(found)] = found
    closed = _closure(first)
    direct = tuple(sorted(first))
    order = (*direct, *sorted(set(closed) - set(first)))
    lines: list[str] = []
    findings: list[Finding] = [entry for module in sorted(set(imports)) for entry in _stray(module)]
    for name in order:
        line, finding = _line(name, closed[name])
        lines.extend([line] if line else [])
        findings.extend([finding] if finding else [])
    shown = sorted(_NOTEBOOK_ONLY & set(direct))
    if shown:
        findings.append(
            Finding(
                "warning",
                _(
                    "The model's code imports {names}, which a service has no use for.",
                    names=", ".join(shown),
                ),
                _("Move what it shows out of the functions that predict, and wrap again."),
            )
        )
    known = settings()
    if known.indexes and not indexes:
        findings.append(
            Finding(
                "info",
                _(
                    "pip here looks into {n} package indexes of its own; the project does not name them.",
                    n=len(known.indexes),
                ),
                _(
                    "If packages come from there: ekiben.wrap(…, indexes=True) writes the addresses into the project."
                ),
            )
        )
    if indexes and any(urlsplit(url).password for url in known.indexes):
        findings.append(
            Finding(
                "warning",
                _(
                    "The address of a package index has a password in it, which travels with the project and its images."
                ),
                _("Leave indexes=True out, and give the address where the project is built: PIP_INDEX_URL."),
            )
        )
    return Needs((*(known.lines() if indexes else ()), *lines), direct, tuple(findings))


def data_imports(contract: Contract) -> tuple[str, ...]:
    """The modules that turn rows into the model's data: pandas only where the model takes tables."""
    arrow = any("pyarrow" in field.dtype for field in contract.inputs)
    library = {"table": ("pandas",), "array": ("numpy",), "tensor": ("numpy",)}.get(contract.input, ())
    for field in contract.inputs:
        if field.kind == "image":
            library = (*library, "PIL", *(("numpy",) if field.dtype == "uint8" else ()))
    return (*library, *(("pyarrow",) if arrow else ()))


def reading_imports(contract: Contract) -> tuple[str, ...]:
    """The module that reads many numbers quickly, where it is installed: a service does without, slower."""
    if contract.input == "tensor":
        large = math.prod(contract.inputs[0].shape) >= LARGE
    else:
        large = contract.input == "array" and len(contract.inputs) >= WIDE
    kinds = {entry.kind for entry in contract.inputs}
    return ("simdjson",) if large and len(kinds) == 1 and kinds <= {"number", "integer"} else ()


def check_shippable(findings: Iterable[Finding]) -> None:
    """Raises RequirementsFailed where a finding says that what the model needs cannot be had elsewhere."""
    bad = [finding for finding in findings if finding.level == "error"]
    if bad:
        raise RequirementsFailed(
            "\n  ".join(finding.message for finding in bad),
            where="requirements.txt",
            remedy="\n  → ".join(dict.fromkeys(finding.remedy for finding in bad if finding.remedy)),
        )


def _closure(first: dict[str, Distribution]) -> dict[str, Distribution]:
    """``first`` and all that they need in turn, extras included, as far as it is installed."""
    done = dict(first)
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in first]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found = done.get(name) or _installed(name)
        if found is None:
            continue  # an optional need that is not installed here is not needed there
        done[name] = found
        waiting.extend(_needs(found, extras))
    return done


def _needs(found: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    from packaging.requirements import InvalidRequirement, Requirement

    needs: list[tuple[str, frozenset[str]]] = []
    for line in _requires(found):
        if not extras and "extra" in line and "extra ==" in line.replace("extra==", "extra =="):
            continue  # most lines of most libraries; reading them all takes longer than all the rest
        try:
            need = Requirement(line)
        except InvalidRequirement:
            continue  # an old package's own spelling; pip reads it at install time
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            needs.append((canonical(need.name), frozenset(need.extras)))
    return needs


def _requires(found: Distribution) -> list[str]:
    head = (found.read_text("METADATA") or "").partition("\n\n")[0]
    if not head:
        return list(found.requires or ())
    return [line[15:] for line in head.splitlines() if line.startswith("Requires-Dist: ")]


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _line(name: str, found: Distribution) -> tuple[str, Finding | None]:
    """The pinned line of a distribution; empty where it can be had on this machine only."""
    told: dict[str, Any] = origin(found)
    place = folder_of(told)
    if place is not None:
        return "", Finding(
            "error",
            _("{name} was installed from {place}; nothing but this machine has it.", name=name, place=place),
            _(
                "Install a released version of {name} or one from a repository (%pip install git+…), and wrap again.",
                name=name,
            ),
        )
    vcs = told.get("vcs_info")
    if isinstance(vcs, dict):
        inside = f"#subdirectory={told['subdirectory']}" if told.get("subdirectory") else ""
        return f"{name} @ {vcs['vcs']}+{told['url']}@{vcs['commit_id']}{inside}", _from_repository(
            name, vcs["vcs"]
        )
    if told.get("url"):
        digest = dict((told.get("archive_info") or {}).get("hashes") or {}).get("sha256")
        return f"{name} @ {told['url']}" + (f"#sha256={digest}" if digest else ""), None
    public, _plus, local = str(found.version).partition("+")
    return f"{name}=={public}", _from_build(name, public, local) if local else None


def _from_repository(name: str, vcs: str) -> Finding:
    return Finding(
        "info",
        _("{name} is fetched from its repository at the commit that is installed here.", name=name),
        _("The place that builds the image needs {vcs} and may need leave to read the repository.", vcs=vcs),
    )


def _from_build(name: str, public: str, local: str) -> Finding:
    return Finding(
        "info",
        _(
            "{name} is the build {local} here; the service asks for {public}, of any build.",
            name=name,
            local=local,
            public=public,
        ),
        _("The proof in a fresh environment and in the image tells whether the answers are the same."),
    )


def _stray(module: str) -> list[Finding]:
    """A module from a folder on the path that nobody installed: a clean machine has not got it."""
    file = orphan(module)
    if file is None:
        return []
    return [
        Finding(
            "warning",
            _(
                "The module {module} comes from {file}, and no installed package gives it.",
                module=module,
                file=file,
            ),
            _("Install it as a package, or keep it beside the notebook."),
        )
    ]
