"""The notebook's own code: what is sliced out of the cells, what travels beside it, what is refused."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from cells_ran import answers, names, ran, taken
from ekiben.code import cells, files, values
from ekiben.code.names import needs
from ekiben.code.walk import look
from ekiben.errors import NotCarried, NotFound
from ekiben.notebook_code import Notebook, carry


def test_a_function_brings_what_it_needs_in_order_and_nothing_else():
    notebook = ran(
        "import math\nimport json, os\nRATE = 3  # a year\nOTHER = 4\n",
        "def helper(x):\n    return math.floor(x) * RATE\ndef plot(): ...\n",
        "def predict(rows):\n    return [helper(row) for row in rows]\n",
    )
    carried = taken(notebook)
    assert names(carried) == ["import math", "RATE", "helper", "predict"]
    assert "RATE = 3\n" in carried.source and "OTHER" not in carried.source and "json" not in carried.source
    assert [piece.place for piece in carried.pieces][:2] == ["cell 1, line 1", "cell 1, line 3"]
    left = next(piece for piece in carried.pieces if piece.how == "left")
    assert left.name == "plot" and left.note == "the model does not need it"
    assert answers(carried, [1.5, 2.5]) == [3, 6]


def test_the_module_is_named_by_its_content():
    first, again, other = (taken(ran(f"def predict(rows): return [{n}]")) for n in (1, 1, 2))
    assert first.module == again.module != other.module
    assert first.module.startswith("notebook_code_") and len(first.module) == len("notebook_code_") + 8


def test_the_last_definition_that_ran_wins():
    notebook = ran("def helper(): return 1", "def predict(rows): return [helper()]", "def helper(): return 2")
    carried = taken(notebook)
    assert answers(carried, [0]) == [2]
    assert carried.source.count("def helper") == 1


def test_the_live_object_goes_before_the_last_text():
    """A cell that failed half-way, or was run before another: the text that is live is found."""
    notebook = ran("def helper(): return 1", "def predict(rows): return [helper()]")
    notebook = Notebook(
        notebook.namespace, [*notebook.cells, "1 / 0\ndef helper(): return 2"], notebook.folder
    )
    carried = taken(notebook)
    assert answers(carried, [0]) == [1]
    assert "not the last version" in next(p.note for p in carried.pieces if p.name == "helper")


def test_values_are_those_of_the_kernel_not_of_the_text():
    notebook = ran("K = 1\nSEEN = []", "K += 41\nSEEN.append('x')", "def predict(rows): return [K, SEEN]")
    carried = taken(notebook)
    assert answers(carried, []) == [42, ["x"]]
    assert {piece.name: piece.how for piece in carried.pieces}["K"] == "value"


@pytest.mark.parametrize(
    "value",
    [1, -2.5, float("inf"), "tïtle\n", b"\0", None, (1,), [], set(), {1, 2}, frozenset({"a"}), {"a": [1, (2,)]},
     Path("a/b"), numpy.float32(1.5), numpy.arange(3), numpy.array(["a"]), 10**40, 2j],
)  # fmt: skip
def test_values_that_have_a_text(value):
    text = values.literal(value)
    scope = {name: __import__(name) for name in values.modules_of(text)}
    made = eval(text, scope)
    assert type(made) is type(value) and numpy.array_equal(made, value)


def test_values_that_have_none():
    endless: list[object] = []
    endless.append(endless)
    for value in (
        object(),
        endless,
        list(range(10_000)),
        numpy.zeros(1000),
        {"a": object()},
        SimpleNamespace(),
    ):
        assert values.literal(value) is None


def test_definitions_stand_before_what_runs_them():
    """Run again after its user, a helper stands later in time but must stand earlier in the text."""
    notebook = ran(
        "def decorate(f):\n    def inner(*a): return f(*a) * TIMES\n    return inner",
        "TIMES = 1",
        "@decorate\ndef one(x, k=[TIMES]): return x\ndef predict(rows): return [one(row) for row in rows]",
        "TIMES = 5",
        "def decorate(f):\n    def inner(*a): return f(*a) * TIMES\n    return inner",
    )
    carried = taken(notebook)
    assert answers(carried, [1, 2]) == [5, 10]
    assert carried.source.index("def decorate") < carried.source.index("@decorate")


def test_classes_bring_their_bases_and_nested_classes():
    notebook = ran(
        "import dataclasses\nclass Base:\n    factor = 2\n    class Inner: pass",
        "@dataclasses.dataclass\nclass Model(Base):\n    k: int = 1\n"
        "    def predict(self, rows): return [row * self.k * self.factor for row in rows]",
        "model = Model(3)",
    )
    carried = taken(notebook, "model")
    assert names(carried) == ["import dataclasses", "Base", "Model"]
    kinds = carried.live["Model"], carried.live["Base"].Inner
    with carried.known():
        assert {kind.__module__ for kind in kinds} == {carried.module}
        assert sys.modules[carried.module].Model is carried.live["Model"]
    assert {kind.__module__ for kind in kinds} == {"__main__"} and carried.module not in sys.modules


def test_lambdas_and_functions_inside_a_model():
    notebook = ran(
        "def double(X): return X * 2\nTWO = 2\nhalve = lambda X: X / TWO",
        "steps = [double, halve, lambda X: X + TWO, lambda X: X - TWO]",
    )
    carried = taken(notebook, "steps")
    assert names(carried) == ["double", "TWO", "halve", "lambda_1", "lambda_2"]
    with carried.known():
        assert [step.__qualname__ for step in notebook.namespace["steps"]][:2] == ["double", "halve"]
    made: dict[str, object] = {}
    exec(carried.source, made)
    assert sorted([made["lambda_1"](10), made["lambda_2"](10)]) == [8, 12]


def test_imports_come_as_they_were_written():
    notebook = ran(
        "from math import *\nimport os.path\nimport xml.dom\nimport xml.sax.saxutils\nimport xml.etree.ElementTree as tree\n"
        "try:\n    import missing_module as fast\nexcept ImportError:\n    import math as fast",
        "def predict(rows):\n"
        "    return [floor(fast.pi), os.path.basename('a/b'), tree.Element('x').tag, xml.sax.saxutils.escape('<')]",
    )
    carried = taken(notebook)
    lines = [line for line in carried.source.splitlines() if "import" in line]
    assert sorted(lines) == sorted([
        "from math import floor", "import os.path", "import xml.etree.ElementTree as tree", "import math as fast",
        "import xml.sax.saxutils",
    ])  # fmt: skip
    assert answers(carried, []) == [3, "b", "x", "&lt;"]
    assert {"math", "os.path", "xml.etree.ElementTree"} <= set(carried.imports)


def test_a_cell_magic_hides_nothing():
    notebook = ran("def f(): return 1", "def predict(rows): return [f()]")
    cell = "get_ipython().run_cell_magic('time', '', 'def f(): return 1\\ndef g(): return 2\\n')"
    carried = taken(Notebook(notebook.namespace, ["", cell, notebook.cells[2]], notebook.folder))
    assert next(piece.place for piece in carried.pieces if piece.name == "f") == "cell 1, line 2"


def test_two_versions_of_a_function_are_refused():
    notebook = ran(
        "def step(x): return x",
        "kept = [step]",
        "def step(x): return -x",
        "def use(x): return step(x)\nboth = [kept, use]",
    )
    with pytest.raises(NotCarried, match="Two versions of step") as caught:
        taken(notebook, "both")
    assert "fit the model anew" in caught.value.remedy


def test_a_class_that_was_changed_behind_its_text_is_refused():
    notebook = ran(
        "class M:\n    def predict(self, rows): return rows", "m = M()\nM.predict = lambda self, rows: None"
    )
    with pytest.raises(NotCarried, match="no cell that ran defines it") as caught:
        taken(notebook, "m")
    assert caught.value.where == "cell 1, line 1"


@pytest.mark.parametrize(
    ("makes", "told", "remedy"),
    [
        ("thing = open(__file__)", "an open file", "inside the function"),
        ("import sqlite3\nthing = sqlite3.connect(':memory:')", "a connection", "connect inside"),
        ("import socket\nthing = socket.socket()", "a network connection", "inside the function"),
        ("import threading\nthing = threading.Lock()", "a thread's lock", "inside the function"),
        ("thing = (n for n in range(3))", "something that runs", "list("),
        ("import ekiben as thing", "a part of the notebook itself", "Take it out"),
    ],
)
def test_what_cannot_leave_names_cell_line_and_remedy(makes, told, remedy):
    notebook = ran(
        makes, "def helper(x):\n    return thing, x\n\npredict = lambda rows: helper(rows)", __file__=__file__
    )
    with pytest.raises(NotCarried, match=told) as caught:
        taken(notebook)
    assert caught.value.where == "cell 2, line 2"
    assert "helper uses thing" in caught.value.message and "cell 1, line" in caught.value.message
    assert remedy in caught.value.remedy
    thing = notebook.namespace["thing"]
    if hasattr(thing, "close"):
        thing.close()


def test_a_file_deep_in_a_model_is_found_without_running_its_code():
    file = Path(__file__).open()  # noqa: SIM115 - held open, as a notebook does

    class Shy:
        def __init__(self):
            self.state = {"open": [file]}

        def __getattr__(self, name):
            raise AssertionError("asked")

    found = look(Shy(), lambda thing: thing is Shy)
    assert [path for path, _item in found.stuck] == ["model.state['open'][0]"]
    file.close()
    library = SimpleNamespace(lock=threading.Lock())
    assert not look(library, lambda thing: False).stuck  # a library's objects save themselves


def test_names_that_the_kernel_does_not_know_are_told():
    carried = taken(ran("def predict(rows):\n    return rows or gone"))
    assert carried.findings[0].message == "cell 1, line 2: gone is used, and the kernel does not know it."


def test_outside_names_of_a_piece():
    wanted = needs(
        "@a.b\ndef f(x=c, *, y: d = 1) -> e:\n    global g\n    g = [h(i) for i in x]\n    return f, len, a.b.c"
    )
    assert set(wanted.now) == {"a", "c", "d", "e"}
    assert set(wanted.later) == {"g", "h", "len"} and wanted.later["h"] == 4
    assert {"a.b", "a.b.c"} <= wanted.dotted
    inside = needs("class A(B):\n    n = m\n    l = [o for _ in p]\n    def q(self): return r, n")
    assert set(inside.now) >= {"B", "m", "p"} and "n" in inside.later


def test_code_is_the_same_wherever_it_stands():
    text = "def f(x):\n    'said'\n    return [x + 1 for _ in range(3)]"
    live: dict[str, object] = {}
    exec("\n\n\n" + text, live)

    def alike(other: str) -> bool:
        definition = cells.read([other]).latest("f")
        return any(cells.same(code, live["f"].__code__) for code in cells.compiled(definition))

    assert alike(text) and alike("k = 1\n" + text)
    for other in (
        text.replace("+ 1", "+ 2"),
        text.replace("said", "told"),
        text.replace("x + 1", "x + True"),
    ):
        assert not alike(other)


def test_a_script_compiles_as_a_whole_and_a_cell_by_statements():
    """Calls on a module are other code where the compiler sees its import."""
    text = "import math\ndef predict(rows): return [math.floor(row) for row in rows]"
    whole = ran(text)
    parts = ran(*text.splitlines())
    for namespace in (whole.namespace, parts.namespace):
        for told in (whole.cells, parts.cells):
            notebook = Notebook(namespace, told, Path("."))
            if notebook.cells is parts.cells and namespace is whole.namespace:
                continue  # this text never ran that way
            assert answers(taken(notebook), [1.5]) == [1]


# Local modules and data files


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A notebook's folder with modules, a package and data in it."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "tools.py").write_text(
        "from . import deep\nfrom math import pi\ndef up(x): return x + deep.ONE"
    )
    (tmp_path / "pack" / "deep.py").write_text("ONE = 1\nTEXT = open('data/words.txt').read()")
    (tmp_path / "pack" / "never.py").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("a b")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
        del sys.modules[name]


def test_local_modules_come_along_with_what_they_import(beside):
    notebook = ran(
        "import pack.tools", "def predict(rows): return [pack.tools.up(r) for r in rows]", folder=beside
    )
    carried = taken(notebook)
    assert set(carried.files) == {"pack/__init__.py", "pack/tools.py", "pack/deep.py"}
    assert carried.missing == ("data/words.txt",)
    assert carried.without_own(carried.imports) == ("math",)
    asked = next(entry for entry in carried.findings if "words.txt" in entry.message)
    assert asked.message.startswith("pack/deep.py, line 2") and asked.remedy.endswith(
        "files=['data/words.txt'])"
    )
    assert not carry(notebook.namespace["predict"], notebook, ["data"]).missing


def test_a_local_module_must_not_take_the_services_names(tmp_path, monkeypatch):
    (tmp_path / "runtime.py").write_text("K = 1")
    monkeypatch.syspath_prepend(tmp_path)
    notebook = ran("import runtime", "def predict(rows): return [runtime.K]", folder=tmp_path)
    try:
        with pytest.raises(NotCarried, match="a name that the service needs itself"):
            taken(notebook)
    finally:
        del sys.modules["runtime"]


def test_a_folder_that_the_code_starts_from_is_no_file_that_travels(tmp_path):
    (tmp_path / "near.txt").write_text("near")
    text = (
        "def predict(rows):\n    return [(Path('.') / Path('../') / 'a').name, Path('near.txt').read_text()]"
    )
    carried = taken(ran("from pathlib import Path", text, folder=tmp_path))
    assert carried.missing == ("near.txt",)


def test_data_files_are_found_resolved_and_kept_apart(tmp_path):
    folder, outside = tmp_path / "book", tmp_path / "far.txt"
    folder.mkdir()
    outside.write_text("far")
    for name in ("near.txt", "model.json", "requirements.txt"):
        (folder / name).write_text(name)
    text = (
        "WHERE = 'near.txt'\ndef predict(rows):\n    'near.txt is no path here'\n    open('log.txt', 'w')\n"
        "    return [open(WHERE).read(), open('../far.txt').read(), f'{WHERE}', load('gone.bin')]\ndef load(x): ..."
    )
    notebook = ran(text, folder=folder)
    assert set(taken(notebook).missing) == {"near.txt", "../far.txt", "gone.bin"}
    carried = carry(notebook.namespace["predict"], notebook, ["near.txt", outside, "requirements.txt"])
    assert set(carried.files) == {"near.txt", "notebook_files/far.txt", "notebook_files/requirements.txt"}
    assert (
        "WHERE = _file('near.txt')" in carried.source
        and "open(_file('notebook_files/far.txt'))" in carried.source
    )
    assert "'near.txt is no path here'" in carried.source
    with pytest.raises(NotFound, match=r"nowhere\.csv"):
        files.travelling(["nowhere.csv"], folder)


# The whole way
