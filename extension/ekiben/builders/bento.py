"""A project to a bento, in a BentoML home that lives only as long as the build.

What a project must have for a lean image (no compiler, no git: half the size): in ``service.py``
``image=bentoml.images.Image(base_image="python:3.11-slim", distro="none", python_version="3.11")`` as an
argument of ``@bentoml.service``, because only there BentoML takes a base without its own system
packages, and in ``bentofile.yaml`` ``python: {requirements_txt: ./requirements.txt, lock_packages:
false}``. The base is replaced here through a copy of ``bentofile.yaml``, whose ``docker.base_image``
goes before the service's.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ekiben import paths, scratch, shell
from ekiben.builders.labels import labels
from ekiben.errors import BuildFailed, NotFound
from ekiben.records import Project
from ekiben.words import _

#: Set inside the image: the caches of pip and uv would only lie in a layer.
_LEAN = {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1", "BENTOML_DO_NOT_TRACK": "True"}


@dataclass(frozen=True)
class Bento:
    """A bento in a home of its own; ``env`` makes BentoML look there."""

    tag: str
    env: dict[str, str]
    labels: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """``bentoml …`` of this Python."""
        return [sys.executable, "-m", "bentoml", *arguments]


@contextmanager
def made(project: Project, base: str, tick: Callable[[], None]) -> Iterator[Bento]:
    """The bento of ``project`` on the base image ``base``; gone, with all that was made for it, at the end.

    Raises:
        BuildFailed: BentoML cannot make it.
        NotFound: the model is not in the store.
    """
    with scratch.folder("build") as place:
        name, _colon, version = project.model.partition(":")
        home = place / "home"
        _lend_model(paths.home().parent / "models" / name / version, home / "models" / name / version)
        (place / "tmp").mkdir()
        env = {
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            # BentoML copies the whole bento to a temporary folder and leaves it there when interrupted.
            "TMPDIR": str(place / "tmp"),
            "TEMP": str(place / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
            "NO_COLOR": "1",
        }
        recipe = place / "bentofile.yaml"
        service_name = _recipe(Path(project.folder) / "bentofile.yaml", recipe, base)
        notes = json.loads((home / "models" / name / version / "model.json").read_text(encoding="utf-8"))
        contract = (Path(project.folder) / "contract.json").read_bytes()
        bento = Bento(
            tag=f"{service_name}:{version}",
            env=env,
            labels={**labels(notes, contract), "org.opencontainers.image.base.name": base},
        )
        status, last = shell.watch(
            bento.command("build", project.folder, "-f", str(recipe), "--version", version),
            lambda line: None,
            tick,
            env=env,
        )
        if status:
            raise BuildFailed(
                _("BentoML could not make a bento:\n{lines}", lines="\n".join(last[-20:])),
                where=project.folder,
                remedy=_("Run “bentoml build” in that folder to see it by itself."),
            )
        yield bento


def _recipe(source: Path, target: Path, base: str) -> str:
    """Writes the project's ``bentofile.yaml`` with the base image; gives the bento's name."""
    import yaml

    if not source.is_file():
        raise NotFound(
            _("The project has no bentofile.yaml."), where=str(source), remedy=_("Wrap the model again.")
        )
    recipe = yaml.safe_load(source.read_text(encoding="utf-8"))
    recipe["docker"] = {**(recipe.get("docker") or {}), "base_image": base}
    envs = list(recipe.get("envs") or [])
    named = {entry["name"] for entry in envs}
    recipe["envs"] = envs + [{"name": k, "value": v} for k, v in _LEAN.items() if k not in named]
    target.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")
    name: str = recipe["name"]
    return name


def _lend_model(source: Path, target: Path) -> None:
    """Puts the one model into the home: a link where the system has them, else a copy."""
    if not source.is_dir():
        raise NotFound(
            _("The model {tag} is not in the BentoML store.", tag=f"{source.parent.name}:{source.name}"),
            where=str(source),
            remedy=_("Wrap the model again."),
        )
    target.parent.mkdir(parents=True)
    (target.parent / "latest").write_text(source.name, encoding="utf-8")
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError:
        shutil.copytree(source, target)
