"""A model to the files of its service. Rendering gives text; writing is a separate step."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ekiben import __version__, as_made, edits, form_code, paths
from ekiben.errors import EkibenError, NotConverted
from ekiben.notebook_code import FOLDER as CODE
from ekiben.records import Model, Project
from ekiben.registry import framework
from ekiben.runtime.protocols.examples import calls
from ekiben.words import _

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
#: Templates by the file they make.
FILES = {path: f"{path}.j2" for path in edits.YOURS}


@dataclass(frozen=True)
class ServiceContext:
    """What the templates of a service may use; nothing else is defined in them."""

    model: Model
    class_name: str
    service_name: str
    ekiben_version: str
    calls: tuple[tuple[str, str], ...]
    python_minor: str
    code_files: tuple[str, ...]
    options: tuple[str, ...]
    direct: tuple[str, ...]
    needed: tuple[str, ...]


def templates_folder() -> Path:
    """The packaged templates, or the repository's own in an editable install."""
    packaged = _HERE / "templates"
    return packaged if packaged.is_dir() else _HERE.parent.parent / "templates"


@cache  # templates are compiled once; one that changes is compiled again
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(templates_folder() / "service"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(model: Model, *, native: bool = True) -> Project:
    """The service of ``model`` as text by path; writes nothing.

    Without the ``native`` form it asks for what the compiled one needs and no more, and has nothing to fall
    back on.

    Raises:
        NotConverted: there is no compiled form that serves.
    """
    if not native:
        model = _compiled_alone(model)
    environment = _environment()
    code, copies = _code(Path(model.folder))
    options, direct, needed = _sorted_lines(model)
    context = ServiceContext(
        model=model,
        class_name=class_name(model.name),
        service_name=re.sub(r"[^a-z0-9_-]", "-", model.name),
        ekiben_version=__version__,
        calls=tuple(calls(model.name, model.contract.to_json(), "http://localhost:3000")),
        python_minor=".".join(model.python.split(".")[:2]),
        code_files=tuple(sorted((*code, *copies))),
        options=options,
        direct=direct,
        needed=needed,
    )
    files = {path: environment.get_template(name).render(vars(context)) for path, name in FILES.items()}
    files["contract.json"] = json.dumps(model.contract.to_json(), ensure_ascii=False, indent=1)
    for source in sorted((_HERE / "runtime").rglob("*.py")):
        files[source.relative_to(_HERE).as_posix()] = source.read_text(encoding="utf-8")
    files["runtime/adapter.py"] = framework(model.framework).adapter().read_text(encoding="utf-8")
    # What the service was when it was made: an edited one answers for itself (runtime/behind.py).
    files["runtime/as_made.py"] = files["service.py"]
    if model.compiled.form:
        runner = form_code.kept(Path(model.folder) / form_code.FOLDER)
        files.update({f"runtime/{path}": text for path, text in form_code.sources(runner).items()})
    files["runtime/made_for.py"] = f'"""The model of this project."""\n\nMODEL = {json.dumps(model.tag)}\n'
    files["runtime/made_for.py"] += (
        f"# Whether what the native object needs is here too.\nNATIVE = {native}\n"
    )
    files.update(code)
    return Project(name=model.name, files=dict(sorted(files.items())), model=model.tag, copies=copies)


def _compiled_alone(model: Model) -> Model:
    compiled = model.compiled
    if not compiled.active:
        raise NotConverted(
            _("There is no compiled form to go without the native one: {reason}", reason=compiled.reason),
            where=model.tag,
            remedy=_("Build with native=True."),
        )
    return replace(model, requirements=compiled.requirements, direct=compiled.direct)


def home(tag: str) -> Path:
    """Where the project of a model lies when nobody says otherwise."""
    name, _colon, version = tag.partition(":")
    return paths.home() / "projects" / name / version


def write(project: Project, folder: Path | str | None = None) -> Project:
    """Writes the files into ``folder``; left out, a place of the model's own beside the BentoML store.

    A folder that holds other things is refused, so that nobody's files are lost. What a person edited there
    stays, for the same model and for a later version of it: the project that comes back has it, and its
    findings tell (``edits.with_edits``).

    Raises:
        EkibenError: the folder holds other things, or edited files of another model.
    """
    target = Path(folder).expanduser().resolve() if folder else home(project.model)
    if target.exists() and any(target.iterdir()) and not _ours(target):
        raise EkibenError(
            _("The folder is not empty and was not made by ekiben."),
            where=str(target),
            remedy=_("Choose another folder, or empty this one."),
        )
    ours = edits.digests(project)
    project = edits.aside(edits.with_edits(project, target), target, ours)
    as_made.note(target, ours)
    _without_former_code(target, project)
    for path, text in project.files.items():
        file = target / path
        if not file.is_file() or file.read_bytes() != text.encode():
            paths.write_atomic(file, text)
            file.chmod(0o644)  # a container's own user reads it too
    for path, origin in project.copies.items():
        file = target / path
        if Path(origin) != file:
            paths.copy_atomic(Path(origin), file)
            file.chmod(0o644)
    return replace(project, folder=str(target))


def _without_former_code(target: Path, project: Project) -> None:
    """Of a form's code that lies there from another time, a package would be taken before a file."""
    former = target / "runtime" / form_code.NAME
    if former.is_dir() and f"runtime/{form_code.NAME}/__init__.py" not in project.files:
        shutil.rmtree(former)


def class_name(name: str) -> str:
    """``first-iris`` → ``FirstIris``: a Python class name for a model's name."""
    words = re.split(r"[^a-zA-Z0-9]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Model{joined}"


def _sorted_lines(model: Model) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The requirements as options of pip, what is imported, and what that needs in turn."""
    options = tuple(line for line in model.requirements if line.startswith("-"))
    lines = tuple(line for line in model.requirements if not line.startswith("-"))
    direct = tuple(line for line in lines if re.split(r"==| @ ", line)[0] in model.direct)
    return options, direct, tuple(line for line in lines if line not in direct)


def _code(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The notebook's code in a model's folder: texts by path in the project, and the other files' places."""
    texts: dict[str, str] = {}
    copies: dict[str, str] = {}
    home = folder / CODE
    if not folder.is_absolute():  # a record that is not in a store
        return texts, copies
    for file in sorted(path for path in home.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        path = file.relative_to(home).as_posix()
        if file.suffix == ".py":
            texts[path] = file.read_text(encoding="utf-8")
        else:
            copies[path] = str(file)
    return texts, copies


def _ours(folder: Path) -> bool:
    if as_made.made(folder) is not None:
        return True
    file = folder / "contract.json"
    if not file.is_file() or not (folder / "runtime").is_dir():
        return False
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # somebody else's
        return False
    return isinstance(data, dict) and "golden" in data
