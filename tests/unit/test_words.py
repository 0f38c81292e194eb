"""What is told in one language and read in another."""

from __future__ import annotations

import json
import pickle

import ekiben
import pandas
from ekiben import words
from ekiben.listings import findings
from ekiben.records import Finding
from ekiben.words import _


def test_a_sentence_is_said_again_with_its_values():
    outer = _("There is no job {id}.", id=_("stopped"))
    kept = json.loads(json.dumps(outer.kept()))
    assert outer == "There is no job stopped."
    assert words.again(kept, outer) == outer
    with words.speaking("zh_CN"):
        assert words.again(kept, outer) == _("There is no job {id}.", id=_("stopped")) != outer
    assert words.again(None, "any other text") == "any other text"
    assert pickle.loads(pickle.dumps(outer)) == outer


def test_a_finding_keeps_its_key_through_the_store():
    told = Finding("info", _("Cancelled."), "by hand")
    back = Finding.from_json(json.loads(json.dumps(told.to_json())))
    assert back == told and back.told == told.told and list(back.told) == ["message"]
    old = Finding.from_json({"level": "info", "message": "of an older version"})
    with words.speaking("zh_CN"):
        assert _("Cancelled.") in findings([back])._repr_html_()
        assert "of an older version" in findings([old])._repr_html_()


def test_an_old_card_speaks_its_readers_language():
    table = pandas.DataFrame({"age": range(20, 60), "email": [f"ann{n}@example.com" for n in range(40)]})
    table["email"] = table["email"].astype("category")

    class Mailed:
        """Answers for people with an address."""

        def predict(self, rows):
            return rows["age"].to_numpy() > 40

    box = ekiben.wrap(Mailed(), table, name="mailed", compiled=False)
    english = box._repr_mimebundle_()["text/html"]
    said = [finding for finding in box.model.findings if "message" in finding.told]
    assert said
    opened = ekiben.open_box(box.model.tag)
    with words.speaking("zh_CN"):
        chinese = opened._repr_mimebundle_()["text/html"]
    for finding in said:
        assert finding.message.split("\n")[0][:30] not in chinese
    assert english != chinese
