"""The code that runs a compiled form: a Python file, or a package of several. It is kept beside the form.

====================  =====================  =====================
a converter's runner  in the model           in the project
====================  =====================  =====================
``NAME.py``           ``compiled/form.py``   ``runtime/form.py``
``NAME/`` a package   ``compiled/form/``     ``runtime/form/``
====================  =====================  =====================
"""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ekiben.errors import NotConverted
from ekiben.words import _

#: The folder of the form within a model's folder, and the name of its code in it.
FOLDER, NAME = "compiled", "form"


def sources(place: Path) -> dict[str, str]:
    """The texts of a runner by their paths below the folder it is kept in; none where nothing is there.

    ``place`` is the Python file or the package; only ``.py`` files of a package count.
    """
    if place.is_file():
        return {f"{NAME}.py": place.read_text(encoding="utf-8")}
    found = sorted(place.rglob("*.py"))
    return {
        f"{NAME}/{file.relative_to(place).as_posix()}": file.read_text(encoding="utf-8") for file in found
    }


def keep(runner: Path, home: Path) -> None:
    """Copies a converter's runner into the form's folder.

    Raises:
        NotConverted: there is no such file or package.
    """
    found = sources(runner)
    if not {f"{NAME}.py", f"{NAME}/__init__.py"} & set(found):
        raise NotConverted(_("The file that runs it is missing."), where=str(runner))
    for path, text in found.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def kept(home: Path) -> Path:
    """Where the code is in a form's folder."""
    package = home / NAME
    return package if package.is_dir() else home / f"{NAME}.py"


def load(home: Path) -> Any:
    """The form's own code as a module.

    A package is called by its content, for its modules find each other by that name; the same code from
    another folder is the same package.

    Raises:
        NotConverted: it is not there.
    """
    place = kept(home)
    found = sources(place) if place.exists() else {}
    package = place.is_dir()
    entry = place / "__init__.py" if package else place
    if not entry.is_file():
        raise NotConverted(_("The file that runs it is missing."), where=str(home))
    if not package:
        return _executed("ekiben_form", entry, None)
    digest = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()
    name = f"ekiben_form_{digest[:16]}"
    if name in sys.modules:
        module = sys.modules[name]
        module.__path__ = [str(place)]  # where it came from first may be gone
        return module
    return _executed(name, entry, place)


def _executed(name: str, file: Path, package: Path | None) -> Any:
    below = None if package is None else [str(package)]
    spec = spec_from_file_location(name, file, submodule_search_locations=below)
    if spec is None or spec.loader is None:
        raise NotConverted(_("The file that runs it is missing."), where=str(file))
    module = module_from_spec(spec)
    if package is not None:
        sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for known in [entry for entry in sys.modules if package and f"{entry}.".startswith(f"{name}.")]:
            del sys.modules[known]
        raise
    return module
