"""The user's word on a contract, and on what looks personal."""

from __future__ import annotations

import json
from pathlib import Path

import ekiben
import pandas
import pytest
from ekiben.errors import EkibenError, InvalidRows, NotFound, UnsupportedSample
from ekiben.personal import look, without
from models import applicants
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return ekiben.wrap(model, X, name="edited")


def row(box, **changes):
    return {**box.contract.golden.rows[1], **changes}


def test_a_range_is_edited_and_kept(box):
    assert box.predict(row(box, age=110)).warnings
    box.contract.field("age").range(0, 120)
    assert not box.predict(row(box, age=110)).warnings
    box.contract.rules(outside="reject")
    with pytest.raises(InvalidRows, match="from 0 to 120"):
        box.predict(row(box, age=121))
    again = ekiben.open_box(box.model.tag)
    assert again.contract.field("age").record.maximum == 120
    written = json.loads((Path(box.project.folder) / "contract.json").read_text())
    assert written == box.model.contract.to_json()
    assert "120" in box.contract._repr_html_()
    box.contract.rules(outside="warn")


@pytest.mark.slow
def test_a_running_service_takes_the_edited_contract(box):
    box.contract.field("city").categories(["Lima", "Oslo", "京都", "Rome"])
    with box.serve() as server:
        assert server.predict(row(box, city="Rome")).outputs["predictions"]
        with pytest.raises(InvalidRows):
            server.predict(row(box, city="Paris"))


def test_an_edit_that_cannot_be_says_why_and_changes_nothing(box):
    before = box.model
    contract = box.contract
    for edit, told in (
        (lambda: contract.field("city").range(0, 1), "no numbers"),
        (lambda: contract.field("age").range(9, 1), "ends before it begins"),
        (lambda: contract.field("age").categories([1]), "no categories"),
        (lambda: contract.field("plan").categories(["a", "z"]), "other categories"),
        (lambda: contract.field("city").categories(["Lima"]), "refuse a golden example"),
        (lambda: contract.field("city").nullable(False), "refuse a golden example"),
    ):
        with pytest.raises(EkibenError, match=told) as caught:
            edit()
        assert caught.value.where and caught.value.remedy
    with pytest.raises(NotFound, match="no field 'agee'"):
        contract.field("agee")
    assert box.model == before


def persons(n=40):
    return pandas.DataFrame(
        {
            "age": range(20, 20 + n),
            "email": [f"ada{k}@mail.org" for k in range(n)],
            "card": ["4111 1111 1111 1111", "5500 0000 0000 0004"] * (n // 2),
            "id": ["11010519491231002X"] * n,
            "patient_name": [f"Ada {chr(65 + k % 26)}. {k}" for k in range(n)],
            "species": ["setosa", "virginica"] * (n // 2),
            "code": [f"{k:016d}"[::-1] + "7" for k in range(n)],
        }
    )


def test_personal_columns_are_told_and_harmless_ones_are_not():
    assert look(persons()) == {"email": "email", "card": "card", "id": "identity", "patient_name": "name"}


@pytest.mark.slow
def test_stand_ins_never_let_an_original_travel():
    X = persons()
    model = make_pipeline(make_column_transformer((StandardScaler(), ["age"])), LogisticRegression())
    model.fit(X, X["age"] > 40)
    kept = ekiben.wrap(model, X, name="kept")
    assert any("email" in finding.message for finding in kept.model.findings)
    replaced = ekiben.wrap(model, X, name="replaced", personal="replace")
    text = json.dumps(replaced.model.contract.to_json())
    assert (
        "ada3@mail.org" not in text and "4111" not in text and "11010519" not in text and "Ada A" not in text
    )
    assert "example.com" in text
    assert not replaced.model.findings
    assert X["email"][3] == "ada3@mail.org"  # the user's own data is untouched


def test_dropping_leaves_out_rows_and_says_when_none_is_left():
    X = persons()
    X.loc[::2, "email"] = "none"
    clean = without(X, {"email": "email"}, "drop")
    assert len(clean) == 20 and set(clean["email"]) == {"none"}
    with pytest.raises(UnsupportedSample, match="Every row"):
        without(persons(), {"email": "email"}, "drop")
    records = persons().to_dict("records")
    assert without(records, look(records), "replace")[0]["email"] == "person1@example.com"
