"""Where a model lies in the BentoML store, found without importing BentoML."""

from __future__ import annotations

import os
from pathlib import Path


def find(tag: str, project: Path | None = None) -> Path:
    """The folder of the model ``name:version``; a containerized bento has it beside its ``project``.

    Raises:
        FileNotFoundError: the store has no such model.
    """
    name, _colon, version = tag.partition(":")
    home = Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")
    stores = [home / "models", *([project.parent / "models"] if project else [])]
    for store in stores:
        folder = store / name / version
        if (folder / "contract.json").is_file():
            return folder
    # A bento may keep its models elsewhere; BentoML knows.
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    import bentoml

    try:
        return Path(bentoml.models.get(tag).path)
    except Exception as error:
        looked = " and ".join(map(str, stores))
        raise FileNotFoundError(f"The BentoML store has no model {tag} (looked in {looked}).") from error
