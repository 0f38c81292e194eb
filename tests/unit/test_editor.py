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
from rig.boxes import kept
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return kept(model, X, "edited")


def row(box, **changes):
    return {**box.contract.golden.rows[1], **changes}


def test_a_range_is_edited_and_kept(box):
    assert box.predict(row(box, age=110)).warnings
    box.contract.field("age").range(0, 120)
    assert not box.predict(row(box, age=110)).warnings
    box.contract.rules(outside="reject")
    with pytest.raises(InvalidRows, match="range, 0 to 120"):
        box.predict(row(box, age=121))
    again = ekiben.open_box(box.model.tag)
    assert again.contract.field("age").record.maximum == 120
    written = json.loads((Path(box.project.folder) / "contract.json").read_text())
    assert written == box.model.contract.to_json()
    told = box.contract._repr_html_()
    assert "120" in told and "Numbers beyond a range are" in told
    box.contract.rules(outside="warn")


def test_a_refusal_says_where_the_list_of_values_comes_from():
    model, X = applicants()
    own = kept(model, X, "origin-of-values", compiled=False)
    with pytest.raises(InvalidRows, match="'Rome' was not in the sample"):
        own.predict(row(own, city="Rome"))
    own.contract.field("city").categories(["Lima", "Oslo", "京都"])
    with pytest.raises(InvalidRows, match="'Rome' is not in the contract's list, which was edited") as caught:
        own.predict(row(own, city="Rome"))
    assert "Send one of 'Lima', 'Oslo', '京都'" in str(caught.value)


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


@pytest.mark.slow
def test_two_boxes_of_a_model_do_not_undo_each_others_edits():
    model, X = applicants()
    mine = ekiben.wrap(model, X, name="edited-twice")
    other = ekiben.open_box(mine.model.tag)
    mine.contract.field("age").range(1, 130)
    with pytest.raises(EkibenError, match="edited elsewhere") as caught:
        other.contract.rules(outside="accept")
    assert "open_box" in caught.value.remedy and other.contract.outside == "warn"
    other.prefer("native")  # is no edit of the contract, and leaves it alone
    anew = ekiben.open_box(mine.model.tag)
    assert anew.contract.field("age").record.maximum == 130 and not anew.model.compiled.serves
    anew.contract.rules(outside="accept")
    final = ekiben.open_box(mine.model.tag)
    assert final.contract.outside == "accept" and final.contract.field("age").record.maximum == 130
    assert not final.project.findings


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


def resident(n):
    first = f"110101195{n % 10}0102{n:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first + "10X98765432"[sum(int(a) * b for a, b in zip(first, weights, strict=True)) % 11]


NAMES = [family + given for family in "王李张刘陈" for given in ("伟", "芳", "秀英", "敏")]


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("c", NAMES, "name"),
        ("联系人", [f"甲{n}" for n in range(20)], "name"),
        ("PassengerName", [f"P {n}" for n in range(20)], "name"),
        ("c", [resident(n) for n in range(20)], "identity"),
        ("c", [int(text) for text in map(resident, range(60)) if text.isdigit()], "identity"),
        ("c", [13800000000 + n for n in range(20)], "phone"),
        ("c", [13800000000.0 + n for n in range(20)] + [None], "phone"),
        ("c", [f"010-620000{n}" for n in range(10, 30)], "phone"),
        ("c", [f"+86 138 0000 00{n}" for n in range(10, 30)], "phone"),
        ("c", [f"(212) 555-01{n}" for n in range(10, 30)], "phone"),
        ("c", ["fine"] * 20 + ["write to ada@mail.org, please"], "within"),
        ("c", ["fine"] * 20 + ["打电话给我：13800000001。"], "within"),
        ("city", ["北京", "上海", "广州", "深圳", "杭州", "成都", "武汉", "西安", "石家庄"], ""),
        ("day", [f"2024-01-{n}" for n in range(10, 30)], ""),
        ("day", [f"{n}/01/2024" for n in range(10, 30)], ""),
        ("born", [f"01-02-19{n}" for n in range(10, 30)], ""),
        ("at", [f"{n} {n + 1} {n + 2}" for n in range(10, 30)], ""),
        ("sku", [f"00{n}-0003-0005" for n in range(10, 30)], ""),
        ("milliseconds", [1700000000000 + n for n in range(20)], ""),
        ("revenue", [13_800_000_000 + n for n in range(8)] + list(range(20)), ""),
        ("order", [4000000000000000 + 1111 * n for n in range(40)], ""),
        ("phone_model", [f"model {n}" for n in range(20)], ""),
        ("price", [n * 1.5 for n in range(20)], ""),
    ],
)
def test_what_looks_personal_by_its_name_or_values(column, values, kind):
    assert look(pandas.DataFrame({column: values})) == ({column: kind} if kind else {})
    assert look([{column: value} for value in values]) == ({column: kind} if kind else {})


def test_gaps_and_narrow_numbers_are_looked_at_quietly(recwarn):
    gaps = pandas.array([None, None], dtype="Int64")
    assert look(pandas.DataFrame({"a": gaps, "b": pandas.Series([1.5, 2.5], dtype="float16")})) == {}
    assert not recwarn.list


def test_numbers_and_parts_of_texts_get_stand_ins_of_their_own_type():
    frame = pandas.DataFrame(
        {"phone": [13800000000 + n % 4 for n in range(20)], "note": "from ada@mail.org 13800000001"}
    )
    assert look(frame) == {"phone": "phone", "note": "within"}
    replaced = without(frame, look(frame), "replace")
    assert (
        replaced["phone"].tolist()[:5] == [1, 2, 3, 4, 1] and replaced["phone"].dtype == frame["phone"].dtype
    )
    assert set(replaced["note"]) == {"from person@example.com 00000000000"}
    texts = ["good", "ask ada@mail.org", "bad"]
    assert look(texts) == {"text": "within"} and look(texts[::2]) == {}
    assert without(texts, look(texts), "replace") == ["good", "ask person@example.com", "bad"]
    assert without(texts, look(texts), "drop") == ["good", "bad"]


@pytest.mark.slow
def test_stand_ins_never_let_an_original_travel():
    X = persons()
    model = make_pipeline(make_column_transformer((StandardScaler(), ["age"])), LogisticRegression())
    model.fit(X, X["age"] > 40)
    stays = ekiben.wrap(model, X, name="kept")
    assert any("email" in finding.message for finding in stays.model.findings)
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
