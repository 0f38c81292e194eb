"""A model to the files of its service. Rendering gives text; writing is a separate step."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ekiben import __version__, paths
from ekiben.errors import EkibenError
from ekiben.notebook_code import FOLDER as CODE
from ekiben.records import Model, Project
from ekiben.registry import framework
from ekiben.words import _

_HERE = Path(__file__).parent
#: Templates by the file they make.
FILES = {
    "service.py": "service.py.j2",
    "bentofile.yaml": "bentofile.yaml.j2",
    "requirements.txt": "requirements.txt.j2",
    "README.md": "README.md.j2",
    "test_golden.py": "test_golden.py.j2",
}


@dataclass(frozen=True)
class ServiceContext:
    """What the templates of a service may use; nothing else is defined in them."""

    model: Model
    class_name: str
    service_name: str
    ekiben_version: str
    example: str
    python_minor: str
    code_files: tuple[str, ...]
    options: tuple[str, ...]
    direct: tuple[str, ...]
    needed: tuple[str, ...]


def templates_folder() -> Path:
    """The packaged templates, or the repository's own in an editable install."""
    packaged = _HERE / "templates"
    return packaged if packaged.is_dir() else _HERE.parent.parent / "templates"


def render(model: Model) -> Project:
    """The service of ``model`` as text by path; writes nothing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates_folder() / "service"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    example = json.dumps({"rows": list(model.contract.golden.rows[:1])}, ensure_ascii=False)
    code, copies = _code(Path(model.folder))
    options, direct, needed = _sorted_lines(model)
    context = ServiceContext(
        model=model,
        class_name=class_name(model.name),
        service_name=re.sub(r"[^a-z0-9_-]", "-", model.name),
        ekiben_version=__version__,
        example=example.replace("'", "'\\''"),
        python_minor=".".join(model.python.split(".")[:2]),
        code_files=tuple(sorted((*code, *copies))),
        options=options,
        direct=direct,
        needed=needed,
    )
    files = {path: environment.get_template(name).render(vars(context)) for path, name in FILES.items()}
    files["contract.json"] = json.dumps(model.contract.to_json(), ensure_ascii=False, indent=1)
    for source in sorted((_HERE / "runtime").glob("*.py")):
        files[f"runtime/{source.name}"] = source.read_text(encoding="utf-8")
    files["runtime/adapter.py"] = framework(model.framework).adapter().read_text(encoding="utf-8")
    files.update(code)
    return Project(name=model.name, files=dict(sorted(files.items())), model=model.tag, copies=copies)


def write(project: Project, folder: Path | str | None = None) -> Project:
    """Writes the files into ``folder``; left out, a place of the model's own beside the BentoML store.

    A folder that holds other things is refused, so that nobody's files are lost.
    """
    name, _colon, version = project.model.partition(":")
    target = Path(folder).expanduser().resolve() if folder else paths.home() / "projects" / name / version
    if target.exists() and any(target.iterdir()) and not _ours(target):
        raise EkibenError(
            _("The folder is not empty and was not made by ekiben."),
            where=str(target),
            remedy=_("Choose another folder, or empty this one."),
        )
    for path, text in project.files.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            paths.write_atomic(file, text)
            file.chmod(0o644)  # a container's own user reads it too
    for path, origin in project.copies.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, file)
        file.chmod(0o644)
    return replace(project, folder=str(target))


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
    file = folder / "contract.json"
    if not file.is_file() or not (folder / "runtime").is_dir():
        return False
    data: Any = json.loads(file.read_text(encoding="utf-8"))
    return isinstance(data, dict) and "golden" in data
