"""The harness measures what it says, before its numbers are believed."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_run", Path(__file__).parent / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_run"] = module
    spec.loader.exec_module(module)
    return module


def test_cases_take_turns_and_ours_is_one(harness: ModuleType) -> None:
    turns: list[str] = []

    def case(name: str, number: float) -> float:
        turns.append(name)
        return number

    cases = {"ours": lambda: case("ours", 2.0), "peer": lambda: case("peer", 5.0)}
    result = harness.measure(SimpleNamespace(TITLE="t", UNIT="ms", CASES=cases), repeats=3)
    assert turns == ["ours", "peer"] * 3
    assert result["cases"]["ours"] == {"median": 2.0, "spread": 0.0, "ratio": 1.0}
    assert result["cases"]["peer"]["ratio"] == 2.5


def test_every_comparison_has_its_shape(harness: ModuleType) -> None:
    for name, comparison in harness.found().items():
        assert comparison.TITLE and comparison.UNIT, name
        assert next(iter(comparison.CASES)).startswith("ekiben"), name


def test_the_import_of_ekiben_is_lighter_than_bentoml(
    harness: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.main(["import", "--repeats", "1", "--json"])
    cases = json.loads(capsys.readouterr().out)[0]["cases"]
    assert cases["bentoml"]["ratio"] > 1
