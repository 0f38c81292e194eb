"""How a person's edits of a project survive the next writing, and what is told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ekiben import as_made
from ekiben.errors import EkibenError
from ekiben.records import Finding, Project
from ekiben.words import _

#: The files that a person reads and edits; they stay whatever ekiben would write by now.
YOURS = ("service.py", "bentofile.yaml", "requirements.txt", "README.md", "test_golden.py")
CONTRACT = "contract.json"
_MADE_FOR = re.compile(r'^MODEL = (".*")$', re.MULTILINE)


def with_edits(project: Project, folder: Path) -> Project:
    """``project`` with what a person edited in ``folder`` since it was made there, and findings that say so.

    The files that a person reads and edits (``YOURS``) stay as they are, a later version's tag put into
    them. Of the others an edit stays where ekiben would write what it wrote before; never in ``contract.json``,
    for the service checks rows by the model's own, and its pages must tell the same.

    Raises:
        EkibenError: what was edited is of a model with another name, or cannot be read.
    """
    ours = digests(project)
    kept = _kept(project, folder, ours)
    former = made_for(folder)
    if not kept:
        return project
    if former.partition(":")[0] != project.name:
        raise EkibenError(
            _(
                "The {file} there was edited, and is of another model: {model}.",
                file=kept[0],
                model=former or "–",
            ),
            where=str(folder / kept[0]),
            remedy=_("Choose another folder, or empty this one."),
        )
    files, copies = dict(project.files), dict(project.copies)
    for path in kept:
        if path in files:
            text = _text(folder / path)
            files[path] = text.replace(former, project.model) if path in YOURS else text
        else:
            copies[path] = str(folder / path)
    return replace(
        project, files=files, copies=copies, findings=(*project.findings, *_stay(kept, folder, ours))
    )


def brought(project: Project, folder: Path) -> Project:
    """``project``, which has a folder of its own, with the edits of the same model's project in ``folder``.

    An edit comes along where both projects had the same text; ``service.py`` always does.
    """
    ours = digests(project)
    edited = as_made.changed(folder, ours)
    alike = tuple(
        path
        for path in edited
        if path == "service.py" or (path != CONTRACT and as_made.unchanged(folder, ours, path))
    )
    files = {path: _text(folder / path) for path in alike if path in project.files}
    copies = {path: str(folder / path) for path in alike if path in project.copies}
    left = [path for path in edited if path not in alike and path in YOURS]
    told = tuple(
        Finding(
            "warning",
            _(
                "{file} was edited in {folder}; this project has one of its own.",
                file=path,
                folder=str(folder),
            ),
            _("Edit it in the folder of this project too."),
        )
        for path in left
    )
    return replace(
        project,
        files={**project.files, **files},
        copies={**project.copies, **copies},
        findings=(*project.findings, *told),
    )


def aside(project: Project, folder: Path, ours: dict[str, str]) -> Project:
    """Renames what was edited in ``folder`` and cannot stay; the findings of what comes back say so.

    ``ours`` are the digests of the project without edits.
    """
    kept = _kept(project, folder, ours)
    named = as_made.set_aside(folder, [path for path in as_made.changed(folder, ours) if path not in kept])
    told = tuple(
        Finding(
            "warning",
            _("{file} was edited; it is {name} now, and ekiben's own took its place.", file=path, name=name),
            _("Edit the contract in Python: box.contract.field(…).")
            if path == CONTRACT
            else _("Put into service.py what you want to stay."),
        )
        for path, name in named.items()
    )
    return replace(project, findings=(*project.findings, *told))


def made_for(folder: Path) -> str:
    """The tag of the model whose project lies in ``folder``; empty where none does."""
    told = folder / "runtime" / "made_for.py"
    found = _MADE_FOR.search(told.read_text(encoding="utf-8")) if told.is_file() else None
    return str(json.loads(found[1])) if found else ""


def _kept(project: Project, folder: Path, ours: dict[str, str]) -> tuple[str, ...]:
    """What was edited in ``folder`` and stays."""
    same_model = made_for(folder).partition(":")[0] == project.name
    changed = as_made.changed(folder, ours)
    return tuple(
        path
        for path in changed
        if path in YOURS or (same_model and path != CONTRACT and as_made.unchanged(folder, ours, path))
    )


def digests(project: Project) -> dict[str, str]:
    texts = {path: as_made.digest(text.encode()) for path, text in project.files.items()}
    return {
        **texts,
        **{path: as_made.digest(Path(file).read_bytes()) for path, file in project.copies.items()},
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except ValueError as error:
        raise EkibenError(
            _("The file was edited, and cannot be read: {reason}", reason=error),
            where=str(file),
            remedy=_("Mend it, or delete it: it is then written anew."),
        ) from error


def _stay(kept: tuple[str, ...], folder: Path, ours: dict[str, str]) -> Iterator[Finding]:
    for path in kept:
        same = path == "service.py" or as_made.unchanged(folder, ours, path)
        told = (
            _("{file} was edited, and stays as it is.", file=path)
            if same
            else _("{file} was edited, and stays, though ekiben would write another one by now.", file=path)
        )
        yield Finding(
            "info" if same else "warning",
            told,
            _("Delete {path} to have ekiben's own again.", path=str(folder / path)),
        )
