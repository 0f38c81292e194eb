"""MLflow's scoring protocol and SageMaker's, with the bodies of MLflow's documentation."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pandas
import pytest
from matrix import Station
from rig.ways import WAYS, Refused, refusal

pytestmark = pytest.mark.slow

FORMS = tuple(way for way in WAYS if way.startswith("invocations"))


def frame(station: Station) -> pandas.DataFrame:
    return pandas.DataFrame(station.rows, columns=station.fields)


def split(station: Station, names: list[str]) -> dict[str, Any]:
    rows = station.rows
    if isinstance(rows[0], dict):
        rows = [[row[name] for name in names] for row in rows]
    return {"index": list(range(len(rows))), "columns": names, "data": rows}


def text(station: Station, names: list[str] | None = None, head: bool = True) -> bytes:
    out = io.StringIO()
    write = csv.writer(out)
    names = names or station.fields
    if head:
        write.writerow(names)
    for row in station.rows:
        if isinstance(row, dict):
            write.writerow(["" if row[name] is None else row[name] for name in names])
        else:
            write.writerow(row if isinstance(row, list) else [row])
    return out.getvalue().encode()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_answered_as_in_the_kernel(station: Station, form: str) -> None:
    if told := refusal(station, form):
        with pytest.raises(Refused, match=told[1]) as caught:
            WAYS[form](station)
        assert caught.value.status == told[0]
        return
    outputs = WAYS[form](station)
    for output in station.golden["answers"]:
        station.agrees(outputs[output], output)


def test_columns_are_found_by_name(people: Station) -> None:
    names = people.fields[::-1]
    status, body = people.call("/invocations", {"dataframe_split": split(people, names)})
    assert status == 200
    people.agrees(body["probabilities"], "probabilities")
    status, body = people.call("/invocations", text(people, names), Content_Type="text/csv")
    assert status == 200
    people.agrees(body["probabilities"], "probabilities")


def test_csv_without_names_stands_in_the_fields_order(people: Station, iris: Station) -> None:
    for station in (people, iris):
        status, body = station.call("/invocations", text(station, head=False), Content_Type="text/csv")
        assert status == 200
        station.agrees(body["predictions"])


def test_a_frame_of_pandas_is_taken_as_pandas_writes_it(people: Station) -> None:
    for orient in ("split", "records"):
        body = frame(people).to_json(orient=orient).encode()
        older = people.call("/invocations", body, Content_Type=f"application/json; format=pandas-{orient}")
        newer = people.call("/invocations", b'{"dataframe_%s": %s}' % (orient.encode(), body))
        assert older[0] == newer[0] == 200
        people.agrees(older[1]["predictions"])
        people.agrees(newer[1]["predictions"])


def test_csv_is_not_guessed_at(iris: Station) -> None:
    row = ",".join(map(str, iris.rows[0]))
    for body, told in (
        (f"0,1,2,3\n{row}\n", "names, as pandas numbers columns"),
        (f"{row}\n5_1,3,1,1\n", "'5_1' is text, not a number"),
    ):
        status, answer = iris.call("/invocations", body.encode(), Content_Type="text/csv")
        assert status == 400 and told in answer["message"]


def test_a_packed_body_is_taken_whole_or_not_at_all(iris: Station) -> None:
    row = (",".join(map(str, iris.rows[0])) + "\n").encode()
    packed = {"Content_Type": "text/csv", "Content_Encoding": "gzip"}
    # As `cat one.gz other.gz` makes it.
    status, answer = iris.call("/invocations", gzip.compress(row) + gzip.compress(row * 2), **packed)
    assert status == 200 and len(answer["predictions"]) == 3
    for rest in (b"rubbish", gzip.compress(row)[:-4], gzip.compress(b"") * 2000):
        assert iris.call("/invocations", gzip.compress(row) + rest, **packed)[0] == 400
    bomb = gzip.compress(row) + gzip.compress(b" " * 5_000_000) * 2
    assert iris.call("/invocations", bomb, **packed)[0] == 413


def test_ping_answers(iris: Station) -> None:
    assert iris.raw("/ping") == (200, b"\n")


@pytest.mark.parametrize(
    ("body", "content", "status", "code", "told"),
    [
        (b"{}", "application/json", 400, "BAD_REQUEST", "dataframe_split, dataframe_records, instances, inputs"),
        (b"{", "application/json", 400, "BAD_REQUEST", "not JSON"),
        (b"x", "application/x-www-form-urlencoded", 415, "BAD_REQUEST", "Send application/json, text/csv"),
        (b'{"dataframe_split": {"columns": ["age"], "data": []}}', "application/json", 400, "BAD_REQUEST",
         "$.dataframe_split.columns"),
        (b'{"dataframe_records": [{"age": 3}]}', "application/json", 400, "BAD_REQUEST",
         "$.dataframe_records[0].city"),
        (b"age,city\n1,2\n", "text/csv", 400, "BAD_REQUEST", "Send age,city,income"),
        (b"\xff\xfe", "text/csv", 400, "BAD_REQUEST", "UTF-8"),
    ],
)  # fmt: skip
def test_errors_come_in_its_own_form(
    people: Station, body: bytes, content: str, status: int, code: str, told: str
) -> None:
    got, answer = people.call("/invocations", body, Content_Type=content)
    assert (got, answer["error_code"]) == (status, code)
    assert told in answer["message"]


def test_a_wrong_cell_is_told_by_column_and_row(people: Station) -> None:
    lines = text(people).decode().splitlines()
    lines[2] = lines[2].replace("note", "no,te", 1)
    status, body = people.call("/invocations", "\n".join(lines).encode(), Content_Type="text/csv")
    assert (status, body["message"].split(":")[0]) == (400, "$[1]")
    rows = [{**people.rows[0], "age": "forty"}]
    status, body = people.call("/invocations", {"dataframe_records": rows}, Accept_Language="zh")
    assert status == 400
    assert body["message"].startswith("$.dataframe_records[0].age: 'forty' 是文本")
    assert json.loads(json.dumps(body["problems"]))[0]["code"] == "wrong_type"


def test_so_many_wrong_places_are_counted_to_a_hundred(people: Station) -> None:
    for many, told in ((30, {"count": 30}), (100, {"count": 100}), (101, {"count": 100, "more": True})):
        rows = [{**people.rows[0], "age": "forty"}] * many
        status, body = people.call("/invocations", {"dataframe_records": rows})
        assert (status, len(body.pop("problems"))) == (400, 20)
        assert body.pop("message").endswith(f"(+{many - 3}{'…' if many > 100 else ''})")
        assert body == {"error_code": "BAD_REQUEST", **told}
