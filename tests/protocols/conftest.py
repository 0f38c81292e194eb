"""Services of the whole matrix, each started once in a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import ekiben
import pytest
from matrix import CASES, Station


@pytest.fixture(scope="session")
def stations() -> Iterator[dict[str, Station]]:
    """By name; started when they are first asked."""
    with ExitStack() as stack:

        class Started(dict[str, Station]):
            def __missing__(self, name: str) -> Station:
                case = CASES[name]()
                box = ekiben.wrap(case.model, case.sample, name=f"{name}-model")
                self[name] = Station(name, case, box, stack.enter_context(box.serve()))
                return self[name]

        yield Started()


@pytest.fixture(params=CASES)
def station(request: pytest.FixtureRequest, stations: dict[str, Station]) -> Station:
    """Each model of the matrix in turn."""
    name: str = request.param
    return stations[name]


@pytest.fixture
def iris(stations: dict[str, Station]) -> Station:
    """The plain array."""
    return stations["array"]


@pytest.fixture
def people(stations: dict[str, Station]) -> Station:
    """The table with every kind of column."""
    return stations["applicants"]
