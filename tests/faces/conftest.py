"""One wrapped model and one running service for all faces, in the home that the tests have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - jp_fetch and what it stands on

if TYPE_CHECKING:
    from ekiben.box import Box
    from ekiben.service import RunningServer


@pytest.fixture(scope="session")
def iris_box() -> Box:
    """A logistic regression on iris, fitted on a DataFrame."""
    import ekiben
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    table, target = load_iris(return_X_y=True, as_frame=True)
    return ekiben.wrap(LogisticRegression(max_iter=500).fit(table, target), table, name="faces-iris")


@pytest.fixture(scope="session")
def iris_server(iris_box: Box) -> Iterator[RunningServer]:
    """A service of it that runs until the tests end."""
    with iris_box.serve() as server:
        yield server


@pytest.fixture
def jp_home_dir() -> Path:
    """The Jupyter server under test lives in the tests' home, so that it sees what runs there."""
    return Path(os.environ["HOME"])


@pytest.fixture
def jp_runtime_dir() -> Path:
    return Path(os.environ["JUPYTER_RUNTIME_DIR"])
