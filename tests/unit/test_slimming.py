"""What is left out of packages: nothing that anything reads."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httptools.parser
import pytest
from ekiben.builders.oci import layers, shared_objects, slimming, symbols
from ekiben.builders.oci.layers import Entry, Link


def test_tests_go_unless_something_that_stays_imports_them(tmp_path: Path) -> None:
    for path, text in {
        "a/__init__.py": "from .tester import test\nfrom a import (\n    tests_of_old)\n",
        "a/tester.py": "def test(): ...",
        "a/tests/test_a.py": "from a.kept.tests import x",
        "a/deep/tests/data/big.csv": "1",
        "b/__init__.py": "def check():\n    from b.tests.common import x\n",
        "b/tests/common.py": "x = 1",
        "b/more/test/__init__.py": "",
        "c/__init__.py": "from . import tests",
        "c/tests/__init__.py": "",
        "d/sub/helper.py": "from ..tests import run",
        "d/tests/__init__.py": "",
        "test/__init__.py": "a package of this name stays",
        "f/by_hand.py": "from f.tests.a import x\nif __name__ == '__main__':\n    x()",
        "f/tests/test_b.py": "import f.by_hand",
        "g/by_hand.py": "from g.tests.a import x\nif __name__ == '__main__':\n    x()",
        "g/user.py": "from g import by_hand",
        "g/tests/a.py": "x = 1",
        "e.dist-info/RECORD": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    gone = [folder.relative_to(tmp_path).as_posix() for folder in slimming.tests(tmp_path)]
    assert gone == ["a/deep/tests", "a/tests", "b/more/test", "f/tests"]


def test_what_compilers_and_type_checkers_read_goes_unless_something_reads_it(tmp_path: Path) -> None:
    built = "cpython-311-x86_64-linux-gnu.so"
    for path, text in {
        "a/__init__.py": "# _umath_tests\nhelp = \"the '_simd' module\"\nfrom a import (\n  _rows_tests)",
        f"a/_umath_tests.{built}": "",
        f"a/_simd.{built}": "",
        f"a/_rows_tests.{built}": "",
        f"a/_shortest_path.{built}": "",
        "a/libstress_test.so": "",
        "a/a.pyx": "",
        "a/a.h": "",
        "a/a.c": "",
        "a/a.pyi": "",
        "a/LICENSE.txt": "",
        "b/b.h": "no Cython here: somebody may look for it",
        "b/b.pyi": "",
        "b/__init__.py": "import lazy_loader\nlazy_loader.attach_stub(__name__, __file__)",
        "torch/a.pyx": "",
        "torch/include/a.h": "",
        "bentoml/_internal/server/static_content/swagger-ui-bundle.js": "",
        "bentoml/_internal/server/static_content/index.css": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    slimming.slim(tmp_path)
    assert {file.relative_to(tmp_path).as_posix() for file in before if not file.exists()} == {
        f"a/_umath_tests.{built}",
        f"a/_simd.{built}",
        "a/a.pyx",
        "a/a.h",
        "a/a.c",
        "a/a.pyi",
        "bentoml/_internal/server/static_content/swagger-ui-bundle.js",
    }


def test_the_same_bytes_are_there_once(tmp_path: Path, fresh_home: Path) -> None:
    for name, size in (
        ("b/x.so", 70_000),
        ("b.libs/x.so", 70_000),
        ("c/y.so", 70_001),
        ("d/s", 9),
        ("e/s", 9),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    files = [tmp_path / name for name in ("b/x.so", "b.libs/x.so", "c/y.so", "d/s", "e/s")]
    assert slimming.copies(files) == {files[0]: files[1]}, "the first as layers are sorted"
    listed = [Entry("b/x.so", Link("b.libs/x.so")), Entry("b.libs/x.so", files[1])]
    layer = layers.make("copies", listed, "copies", lambda: None)
    with tarfile.open(layers.blob(layer.digest)) as archive:
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out/b/x.so").samefile(tmp_path / "out/b.libs/x.so")


def test_the_record_tells_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native = Path(httptools.parser.__file__).parent
    shutil.copytree(native, tmp_path / "a")
    body = next(file for file in (tmp_path / "a").iterdir() if shared_objects.is_one(file))
    (tmp_path / "a" / "tests").mkdir()
    (tmp_path / "a" / "tests" / "t.py").write_text("t")
    (tmp_path / "a.dist-info").mkdir()
    record = tmp_path / "a.dist-info" / "RECORD"
    record.write_text(f'a/{body.name},sha256=x,1\na/tests/t.py,sha256=y,1\n../../bin/a,sha256=z,1\n"a,b",,\n')
    shared = tmp_path / "cache.so"
    shared.hardlink_to(body)
    before = shared.read_bytes()
    monkeypatch.setenv("EKIBEN_WHOLE_PACKAGES", "1")
    assert slimming.told(slimming.slim(tmp_path)) == ""
    monkeypatch.delenv("EKIBEN_WHOLE_PACKAGES")
    shared.rename(tmp_path / "cache")
    saved = slimming.slim(tmp_path)
    assert saved["tests"] == 1 and saved["symbols"] > 100_000
    assert slimming.told(saved).startswith("left out ") and "of symbols" in slimming.told(saved)
    assert (tmp_path / "cache").read_bytes() == before, "the installer's cache is not written to"
    digest = base64.urlsafe_b64encode(hashlib.sha256(body.read_bytes()).digest()).decode().rstrip("=")
    lines = record.read_text().splitlines()
    assert lines[0] == f"a/{body.name},sha256={digest},{body.stat().st_size}"
    assert lines[1:] == ["../../bin/a,sha256=z,1", '"a,b",,']


def test_a_shared_object_without_symbols_loads_and_needs_the_same(tmp_path: Path) -> None:
    native = next(
        file for file in Path(httptools.parser.__file__).parent.iterdir() if shared_objects.is_one(file)
    )
    body = native.read_bytes()
    end = symbols.loaded(body)
    assert end < len(body)
    slim = tmp_path / native.name
    slim.write_bytes(symbols.without_sections(body[:end]))
    ctypes.CDLL(str(slim))
    assert shared_objects.read(slim, "x") == shared_objects.read(native, "x")
    package = tmp_path / "httptools" / "parser"
    shutil.copytree(native.parent.parent, package.parent)
    shutil.copy(slim, package / native.name)
    code = "import httptools; print(httptools.parse_url(b'http://a/b').path)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "b'/b'"
    assert symbols.loaded(body + b"PK" * 100) == len(body) + 200, "what is appended stays"
    assert symbols.loaded(body[: end // 2]) == end // 2, "what is cut stays as it is"
    assert symbols.loaded(b"\x7fELF\x01\x01" + body[6:]) == len(body), "32 bits stay"
