"""The front end's nouns are those of the Python records."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def generator(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_wire", repository / "extension/generate_wire.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_wire_is_fresh(repository: Path) -> None:
    command = [sys.executable, str(repository / "extension/generate_wire.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_told(generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "src" / "wire.ts"
    monkeypatch.setattr(generator, "HERE", tmp_path)
    monkeypatch.setattr(generator, "TARGET", target)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0 and generator.main(["--check"]) == 0
    target.write_text(target.read_text() + "// by hand\n")
    assert generator.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (str, "string"),
        (int | float | str | None, "number | string | null"),
        (tuple[Any, ...] | None, "readonly Json[] | null"),
        (tuple[int | str, ...], "readonly (number | string)[]"),
        (dict[str, bool], "Readonly<Record<string, boolean>>"),
    ],
)
def test_types(generator: ModuleType, kind: Any, expected: str) -> None:
    assert generator._type(kind) == expected


def test_a_type_without_a_counterpart_is_refused(generator: ModuleType) -> None:
    with pytest.raises(TypeError, match="no TypeScript counterpart"):
        generator._type(set[int])
