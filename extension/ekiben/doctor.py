"""Looks at what ekiben needs on this machine, without changing anything."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ekiben import __version__, paths, registry, template
from ekiben.errors import EkibenError
from ekiben.records import Finding, Level
from ekiben.words import _

_OLDEST = (3, 10)


def examine() -> tuple[Finding, ...]:
    """Findings on Python, BentoML, uv, the frameworks, the folders, warm processes and the container engines."""
    return (_python(), _bentoml(), _uv(), *_frameworks(), *_folders(), *_warm(), *_engines())


def _python() -> Finding:
    found = _(
        "ekiben {version} on Python {python} ({path})",
        version=__version__,
        python=platform.python_version(),
        path=sys.executable,
    )
    if sys.version_info < _OLDEST:
        return Finding("error", found, _("Use Python 3.10 or newer."))
    return Finding("info", found)


def _bentoml() -> Finding:
    try:
        return Finding("info", f"BentoML {version('bentoml')}")
    except PackageNotFoundError:
        return Finding("error", _("BentoML is not installed."), "pip install bentoml")


def _uv() -> Finding:
    beside = Path(sys.executable).parent / ("uv.exe" if sys.platform == "win32" else "uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found:
        return Finding("info", _("uv at {path}", path=found))
    return Finding("error", _("uv, which BentoML builds with, is not installed."), "pip install uv")


def _frameworks() -> list[Finding]:
    found = []
    for name in registry.names("framework"):
        try:
            registry.framework(name)
            found.append(Finding("info", _("framework {name}", name=name)))
        except (EkibenError, ImportError) as error:
            found.append(
                Finding("warning", _("framework {name} does not load: {error}", name=name, error=error))
            )
    return found


def _folders() -> list[Finding]:
    found = []
    for what, folder in ((_("runtime directory"), paths.runtime_dir()), (_("kept things"), paths.home())):
        place = next(above for above in (folder, *folder.parents) if above.exists())
        if os.access(place, os.W_OK):
            found.append(Finding("info", _("{what}: {path}", what=what, path=folder)))
        else:
            found.append(
                Finding(
                    "error",
                    _("{what}: {path} cannot be written", what=what, path=folder),
                    _("Make it yours, or set {names}.", names="JUPYTER_RUNTIME_DIR, BENTOML_HOME"),
                )
            )
    return found


def _warm() -> list[Finding]:
    held = template.held()
    if not held:
        return []
    text = _("{megabytes} MB wait so that a service starts at once", megabytes=sum(held) >> 20)
    return [Finding("info", text, _("EKIBEN_WARM=0 does without."))]


def _engines() -> list[Finding]:
    from ekiben import image

    problems = image.engines()
    works = None in problems.values()
    found = []
    for name, trouble in problems.items():
        if trouble is None:
            found.append(Finding("info", _("{engine} works", engine=name)))
        else:
            # One engine is enough: that another is missing is no trouble then.
            level: Level = "info" if works else "warning"
            found.append(Finding(level, trouble.message, "" if works else trouble.remedy))
    if not works:
        found.append(
            Finding(
                "warning",
                _("No container engine works here: models can be served, images cannot be built."),
                _("Install one: {names}", names=", ".join(registry.names("builder"))),
            )
        )
    return found
