"""The card without a browser: what the front would send, and what it gets back."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from ekiben import widget as widgets
from ekiben.errors import MissingDependency
from ekiben.widget import CardWidget, bundle
from rig.boxes import kept


@pytest.fixture(autouse=True)
def front_end(tmp_path, monkeypatch):
    """Stands in for the built script, which these tests do not run."""
    for name in ("widget.js", "widget.css"):
        (tmp_path / name).write_text(f"/* {name} */", encoding="utf-8")
    monkeypatch.setattr(widgets, "STATIC", tmp_path)
    return tmp_path


def ask(card: CardWidget, verb: str, **more: Any) -> dict[str, Any]:
    """The reply to one message, as it would travel over the comm."""
    replies: list[dict[str, Any]] = []
    card.send = lambda content, buffers=None: replies.append(content)
    card._handle_custom_msg({"id": 7, "verb": verb, **more}, [])
    assert [reply["id"] for reply in replies] == [7]
    return replies[0]


def test_the_card_is_the_boxs(iris_box):
    card = CardWidget(iris_box).card
    assert card["model"]["name"] == "faces-iris"
    assert card["model"]["contract"]["golden"]["rows"]
    assert card["variable"] == f'__import__("ekiben").open_box("{iris_box.model.tag}")'


def test_a_row_is_tried_and_compared(iris_box):
    row = iris_box.contract.golden.rows[0]
    reply = ask(CardWidget(iris_box), "try", rows=[row])
    assert reply["ok"] and reply["data"]["agrees"] is True
    expected = iris_box.contract.golden.answers["predictions"][0]
    assert reply["data"]["prediction"]["outputs"]["predictions"] == [expected]


def test_a_bad_row_names_its_place_in_the_readers_language(iris_box):
    row = dict(iris_box.contract.golden.rows[0]) | {"petal width (cm)": "wide"}
    reply = ask(CardWidget(iris_box), "try", rows=[row], language="zh_CN")
    (problem,) = reply["data"]["problems"]
    assert problem["path"] == '$.rows[0]["petal width (cm)"]'
    assert "请" in problem["remedy"]


def test_a_field_is_made_free_text():
    """The sample's notes repeat, so they look like categories."""
    import pandas
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table = pandas.DataFrame({"note": ["good soup", "bad soup"] * 20, "stars": [5, 1] * 20})
    read = make_column_transformer((TfidfVectorizer(), "note"), remainder="passthrough")
    model = make_pipeline(read, LogisticRegression()).fit(table, [True, False] * 20)
    box = kept(model, table, "notes", compiled=False)
    card = CardWidget(box)
    new = {"note": "a quite good soup", "stars": 4}
    assert "was not in the sample" in ask(card, "try", rows=[new])["data"]["error"]
    assert ask(card, "text", field="note") == {"id": 7, "ok": True, "data": None}
    assert card.card["model"]["contract"]["inputs"][0]["kind"] == "text"
    assert ask(card, "try", rows=[new])["data"]["prediction"]["outputs"]["predictions"] == [True]
    refused = ask(card, "text", field="stars")
    assert not refused["ok"] and "no free text" in refused["error"]["error"]


@pytest.mark.slow
def test_serve_and_stop_renew_the_card():
    """A model of its own: the card's buttons are about all services of the model, other tests' too."""
    import ekiben
    from sklearn.linear_model import LinearRegression

    rows = [[float(number)] for number in range(9)]
    model = LinearRegression().fit(rows, range(9))
    card = CardWidget(ekiben.wrap(model, numpy.array(rows), name="buttons", compiled=False))
    assert ask(card, "serve")["ok"]
    assert "ready" in [server["state"] for server in card.card["servers"]]
    assert ask(card, "stop")["ok"]
    assert "ready" not in [server["state"] for server in card.card["servers"]]


def test_an_unknown_verb_is_an_answer_too(iris_box):
    reply = ask(CardWidget(iris_box), "dance")
    assert reply["ok"] is False
    assert "dance" in reply["error"]["error"]


def test_without_the_front_end_the_remedy_is_told(iris_box, front_end):
    (front_end / "widget.js").unlink()
    with pytest.raises(MissingDependency) as told:
        bundle(iris_box)
    assert "EKIBEN_SKIP_FRONTEND" in told.value.remedy
