"""What a service shows of itself: its page, and commands to copy."""

from __future__ import annotations

import json
import shlex

import numpy
import pytest
from ekiben.contract import infer
from ekiben.protocols import Description
from ekiben.runtime.page import index
from ekiben.runtime.protocols.examples import curl

ODD = ["it's", '"quoted" $HOME `id` \\', "东京 🙂", "<script>alert(1)</script>", "a/../b & c"]


@pytest.mark.parametrize("text", [*ODD, *("x" * n + "'" * 2500 for n in range(1, 9))])
def test_a_command_to_copy_is_whole_for_the_shell_whatever_a_row_says(text):
    words = shlex.split(curl("http://127.0.0.1:3000/predict", {"rows": [{"name": text}]}))
    assert words[:4] == ["curl", "-X", "POST", "http://127.0.0.1:3000/predict"]
    body = words[words.index("-d") + 1]
    if len(body) < 300 and not body.endswith("…"):
        assert json.loads(body) == {"rows": [{"name": text}]}
    else:
        assert body.startswith('{"rows": [{"name": "x')


def page(language: str = "en") -> str:
    import pandas

    sample = pandas.DataFrame({name: numpy.arange(4.0) for name in ODD})
    about = Description("look", "prediction", True)
    contract = infer(sample, lambda data: {"predictions": [0.5] * len(data)}, about)
    return index("odd:1", contract.to_json(), language)


def test_the_page_works_below_any_address_and_says_names_as_text():
    told = page()
    assert "<script" not in told and "&lt;script&gt;" in told
    links = [part.partition("'")[0] for part in told.split("href='")[1:]]
    assert links and not [link for link in links if link.startswith(("/", "http"))]


def test_a_language_that_a_client_makes_up_is_english():
    assert page("'>").startswith("<!doctype html><html lang='en'>")
    assert page("zh").startswith("<!doctype html><html lang='zh'>")
