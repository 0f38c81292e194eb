"""A world of its own for the faces: homes, stores and runtime directory in a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which this module's tests keep everything."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        for name, place in (
            ("HOME", "home"),
            ("BENTOML_HOME", "bentoml"),
            ("JUPYTER_RUNTIME_DIR", "runtime"),
            ("JUPYTER_DATA_DIR", "data"),
            ("JUPYTER_CONFIG_DIR", "config"),
            ("IPYTHONDIR", "ipython"),
        ):
            (folder / place).mkdir()
            patch.setenv(name, str(folder / place))
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            patch.delenv(name)
        patch.setenv("EKIBEN_LANG", "en")
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        yield folder
