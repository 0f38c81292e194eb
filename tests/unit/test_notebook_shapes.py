"""The shapes in which people write what answers: methods, decorated functions, defaults, made classes."""

from __future__ import annotations

import cloudpickle
import pytest
from cells_ran import answers, names, ran, taken
from ekiben.code.walk import look
from ekiben.errors import NotCarried
from ekiben.notebook_code import carry
from ekiben.registry import framework_of

TIMED = (
    "import functools\ndef timed(f):\n    @functools.wraps(f)\n    def inner(*a): return f(*a) * 2\n    return inner",
    "def timed(f):\n    def inner(*a): return f(*a) * 2\n    return inner",
)


@pytest.mark.parametrize("decorator", TIMED, ids=["wraps", "holds"])
def test_a_decorated_function_is_the_model_itself(decorator):
    notebook = ran(decorator, "@timed\ndef predict(rows): return [sum(rows)]")
    carried = taken(notebook)
    assert names(carried)[-2:] == ["timed", "predict"]
    assert carried.live["predict"] is notebook.namespace["predict"]
    assert answers(carried, [1, 2]) == [3, 3]


OWNER = "class Owner:\n    K = 4\n    def __init__(self): self.by = 3\n"


@pytest.mark.parametrize(
    ("member", "model", "right"),
    [
        ("    def score(self, rows): return [row * self.by for row in rows]", "Owner().score", [6]),
        (
            "    @classmethod\n    def score(cls, rows): return [row * cls.K for row in rows]",
            "Owner.score",
            [8],
        ),
        ("    @staticmethod\n    def score(rows): return [row * 5 for row in rows]", "Owner.score", [10]),
        ("    def __call__(self, rows): return [row * self.by for row in rows]", "Owner()", [6]),
    ],
    ids=["method", "classmethod", "staticmethod", "callable"],
)
def test_a_method_brings_its_class(member, model, right):
    notebook = ran(OWNER + member)
    live = eval(model, notebook.namespace)
    assert framework_of(live).name == "python"
    carried = carry(live, notebook)
    assert names(carried) == ["Owner"]
    with carried.known():
        kept = cloudpickle.dumps(live)
    assert carried.module.encode() in kept  # by reference to the module, not by value
    assert live([2]) == right


def test_a_namedtuple_is_carried_as_it_was_made():
    carried = taken(
        ran(
            "from collections import namedtuple\nPair = namedtuple('Pair', 'a b')",
            "pair = Pair(2, 3)\ndef predict(rows): return [row * pair.a + pair.b for row in rows]",
        )
    )
    assert names(carried) == ["from collections import namedtuple", "Pair", "pair", "predict"]


def test_a_class_made_inside_a_function_is_refused_with_the_remedy():
    notebook = ran(
        "def make():\n    class Inside:\n        def predict(self, rows): return rows\n    return Inside()"
    )
    with pytest.raises(NotCarried, match="Inside was made inside a function") as caught:
        carry(notebook.namespace["make"](), notebook)
    assert "top of a cell" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "def predict(rows, by=TIMES): return [row * by for row in rows]",
        "def predict(rows, *, by=TIMES): return [row * by for row in rows]",
        "predict = lambda rows, by=TIMES: [row * by for row in rows]",
        "class Kind:\n    def go(self, rows, by=TIMES): return [row * by for row in rows]\n"
        "def predict(rows): return Kind().go(rows)",
    ],
)
def test_a_default_that_is_older_than_its_name_is_told(text):
    """Run anew, the text would bind what the name means by now."""
    assert answers(taken(ran("TIMES = 2", text)), [1]) == [2]
    assert answers(taken(ran("TIMES = 2", text, "TIMES = 1 + 1")), [1]) == [2]
    with pytest.raises(
        NotCarried, match="took TIMES as the default of by when it was 2; it is 3 by now"
    ) as caught:
        taken(ran("TIMES = 2", text, "TIMES = 3"))
    assert caught.value.where.startswith("cell 2, line ") and "again" in caught.value.remedy


def test_lambdas_of_a_loop_tell_the_default_that_went_on():
    """``k=k`` binds each turn's value, and the text alone would bind the last for all."""
    notebook = ran(
        "by = [lambda x, k=k: x * k for k in (1, 2)]\nk = 2\ndef predict(rows): return [f(rows[0]) for f in by]"
    )
    with pytest.raises(NotCarried, match="took k as the default of k when it was 1"):
        taken(notebook)


def test_a_method_is_looked_through_once():
    notebook = ran(OWNER + "    def score(self, rows): return rows")
    found = look(
        notebook.namespace["Owner"]().score, lambda thing: getattr(thing, "__module__", "") == "__main__"
    )
    assert [thing.__qualname__ for thing in found.code] == ["Owner"]


def test_a_function_is_named_in_no_language(monkeypatch):
    """The name is written down at capture, and read by people with other languages."""
    for language in ("en", "zh_CN"):
        monkeypatch.setenv("EKIBEN_LANG", language)
        assert framework_of(sorted).describe(sorted).estimator == "sorted()"
