"""Which modules have bytecode: those that are imported when the service's own are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ekiben.builders.oci import bytecode, reachable
from ekiben.builders.oci.reachable import Wanted

_TEXT = """
import a, b.c as d  # import not.this
from . import (
    near,
    other as o)
from ..up import one
if TYPE_CHECKING:
    from for_checkers import x
else:
    from for_python import y
try:
    import quick
except ImportError:
    quick = None
def f():
    import later
class C:
    def g(self):
        import also.later
    import now
LAZY = {"Model": ".main", "loop": "pkg.loops.fast:Loop"}
"""


def test_what_a_module_imports_when_it_is_imported() -> None:
    now = {"a", "b.c", "p.q.near", "p.q.other", "p.up", "p.up.one", "for_python", "quick", "now", "p.q.main"}
    later = {"later", "also.later", "pkg.loops.fast"}
    read = set(reachable.imports(_TEXT, "p.q", everywhere=False))
    assert now <= read
    assert not read & {*later, "for_checkers", "not.this"}
    assert now | later <= set(reachable.imports(_TEXT, "p.q", everywhere=True))


@pytest.mark.slow
def test_nothing_is_missed_that_python_imports() -> None:
    """Real packages: what Python then really imports of them is among what was read from their texts."""
    import uvicorn

    site = Path(uvicorn.__file__).parents[1]
    names = ("pandas", "h2.connection", "prometheus_client")
    read = set(reachable.files(site, Wanted(("uvicorn",), modules=names)))
    code = f"import json, sys, uvicorn.loops.auto, uvicorn.protocols.http.auto, uvicorn.main, {', '.join(names)}\n"
    code += "print(json.dumps([getattr(m, '__file__', None) or '' for m in list(sys.modules.values())]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    real = {Path(file) for file in json.loads(done.stdout) if file.endswith(".py")}
    for package in ("pandas", "uvicorn", "h2", "hpack", "prometheus_client"):
        inside = {file for file in real if file.is_relative_to(site / package)}
        assert inside
        assert sorted(inside - read) == [], package
    assert not any("tests" in file.parts for file in read if file.is_relative_to(site / "pandas"))


def test_only_what_is_wanted_and_spare_packages_are_not_followed(tmp_path: Path) -> None:
    for path, text in {
        "big/__init__.py": "",
        "big/used.py": "import helper.part",
        "big/later.py": "def f():\n    import spare_one",
        "helper/__init__.py": "",
        "helper/part.py": "def f():\n    import helper.rare",
        "helper/rare.py": "",
        "spare_one.py": "import helper.rare",
        "apart.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for name, record in (
        ("big-1.0", "big/__init__.py,,\nbig/used.py,,\n"),
        ("Spare.One-2", "spare_one.py,,\n"),
    ):
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "RECORD").write_text(record)

    def names(wanted: Wanted) -> list[str]:
        return [file.relative_to(tmp_path).as_posix() for file in reachable.files(tmp_path, wanted)]

    whole = ["big/__init__.py", "big/later.py", "big/used.py", "helper/__init__.py", "helper/part.py"]
    assert names(Wanted(("big",), ("spare-one",))) == whole
    assert set(names(Wanted(("big",)))) == {*whole, "helper/rare.py", "spare_one.py"}
    assert names(Wanted((), (), ("helper.part.f",))) == ["helper/__init__.py", "helper/part.py"]


def test_bytecode_is_the_same_whatever_else_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("kinds = {'a', 'b', 'c', 'd'}\ndef f(): return 1 in {'x', 'y', 'z'}\n")
    (tmp_path / "a.py").write_text("def f(): return 'x'\n")
    (tmp_path / "template.py").write_text("{{ not }} python\n")

    def made(*files: str) -> dict[str, bytes]:
        for old in tmp_path.rglob("*.pyc"):
            old.unlink()
        bytecode.make(tmp_path, "app", lambda: None, [tmp_path / file for file in files] or None)
        found = {entry.path.partition(".")[0]: entry.source for entry in bytecode.entries(tmp_path, "app")}
        return {name: file.read_bytes() for name, file in found.items() if isinstance(file, Path)}

    all_of_it = made()
    assert set(all_of_it) == {"app/__pycache__/a", "app/__pycache__/b"}
    assert made("b.py") == {"app/__pycache__/b": all_of_it["app/__pycache__/b"]}
    assert b"/app/b.py" in all_of_it["app/__pycache__/b"]
