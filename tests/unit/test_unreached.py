"""Lexers that nobody names and builders of extensions are left out, and say so when they are asked for."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ekiben.builders.oci import slimming

DIRECT = frozenset({"scikit-learn"})


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Pygments and those that stand on it, as they are installed here."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("pygments", "rich", "markdown_it", "mdurl"):
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    record = folder / "pygments-1.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("pygments/lexers/pascal.py,sha256=x,1\npygments/lexers/_lua_builtins.py,sha256=y,1\n")
    return folder


def run(site: Path, code: str) -> str:
    """What a Python with those packages alone tells."""
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


SHOWN = """
from rich.console import Console
from rich.syntax import Syntax
from rich.traceback import Traceback
console = Console(force_terminal=True, color_system="truecolor", width=60, record=True)
console.print(Syntax("x = [1, 'a']", {language!r}))
try:
    1 / 0
except ZeroDivisionError:
    console.print(Traceback())
print(console.export_text(styles=True))
"""


def test_what_others_name_is_shown_as_before(site: Path) -> None:
    before = run(site, SHOWN.format(language="python"))
    saved = slimming.slim(site, DIRECT)
    assert saved["lexers"] > 2_000_000
    assert run(site, SHOWN.format(language="python")) == before
    assert "\\x1b" in repr(before)
    plain = run(site, SHOWN.format(language="pascal"))
    assert "x = [1, 'a']" in plain and "ZeroDivisionError" in plain


def test_what_was_left_out_is_told(site: Path) -> None:
    slimming.slim(site, DIRECT)
    code = """
import importlib, json
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
told = []
for ask in (
    lambda: get_lexer_by_name("pascal"),
    lambda: importlib.import_module("pygments.lexers.pascal"),
    lambda: importlib.import_module("pygments.lexers._lua_builtins"),
):
    try:
        ask()
    except (ClassNotFound, ImportError) as error:
        told.append(str(error))
print(json.dumps(told))
"""
    one, two, three = json.loads(run(site, code))
    assert one == two and one.startswith("pygments.lexers.pascal was left out of this image")
    assert "EKIBEN_WHOLE_PACKAGES=1" in one and three.startswith("pygments.lexers._lua_builtins")
    lines = (site / "pygments-1.dist-info" / "RECORD").read_text().splitlines()
    assert lines[0].startswith("pygments/lexers/pascal.py,sha256=") and not lines[0].endswith("=x,1")


@pytest.mark.parametrize("direct", [None, frozenset({"pygments"})])
def test_a_service_that_uses_it_keeps_all(site: Path, direct: frozenset[str] | None) -> None:
    assert "lexers" not in slimming.slim(site, direct)
    assert (
        run(site, "from pygments.lexers import get_lexer_by_name as g; print(g('pascal').name)") == "Delphi"
    )


def test_a_list_of_another_form_keeps_all(site: Path) -> None:
    (site / "pygments/lexers/_mapping.py").write_text("LEXERS = dict(a=1)\n")
    assert "lexers" not in slimming.slim(site, DIRECT)


def test_what_a_star_imports_stays(tmp_path: Path) -> None:
    """SciPy takes all of NumPy with a star, and NumPy's list of names has its builder of extensions."""
    for path, text in {
        "numpy/__init__.py": "__all__ = ['f2py']\ndef __getattr__(name):\n    import numpy.f2py\n    return numpy.f2py\n",
        "numpy/f2py/__init__.py": "from numpy.f2py import rules\n",
        "numpy/f2py/rules.py": "here = True\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    slimming.slim(tmp_path)
    assert run(tmp_path, "from numpy import *\nprint(f2py.rules.here)") == "True"
