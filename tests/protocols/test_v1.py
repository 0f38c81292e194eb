"""TensorFlow Serving's REST interface and KServe's V1."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy
import pytest
from matrix import Station

pytestmark = pytest.mark.slow


def path(station: Station, verb: str = ":predict", version: bool = False) -> str:
    name, _colon, tag = station.box.model.tag.partition(":")
    return f"/v1/models/{name}{f'/versions/{tag}' if version else ''}{verb}"


@pytest.mark.parametrize("version", [False, True])
def test_rows_are_answered_as_in_the_kernel(station: Station, version: bool) -> None:
    status, body = station.call(path(station, version=version), {"instances": station.rows})
    assert status == 200
    for output in station.golden["answers"]:
        station.agrees(body[output], output)


def test_columns_are_answered_as_in_the_kernel(station: Station) -> None:
    rows: Any = station.rows
    if isinstance(rows[0], dict):
        rows = {name: [row[name] for row in rows] for name in station.fields}
    status, body = station.call(path(station), {"inputs": rows})
    assert status == 200
    outputs = body["outputs"]
    if list(station.golden["answers"]) == ["predictions"]:
        station.agrees(outputs)
    else:
        for output in station.golden["answers"]:
            station.agrees(outputs[output], output)


def test_a_row_may_be_a_list_in_the_order_of_the_fields(people: Station) -> None:
    rows = [[row[name] for name in people.fields] for row in people.rows]
    status, body = people.call(path(people), {"instances": rows})
    assert status == 200
    people.agrees(body["probabilities"], "probabilities")


def test_one_input_may_be_named(iris: Station) -> None:
    for body in (
        {"instances": [{"dense_input": row} for row in iris.rows]},
        {"inputs": {"dense_input": iris.rows}},
    ):
        status, answer = iris.call(path(iris), body)
        assert status == 200
        iris.agrees(answer.get("predictions") or answer["outputs"]["predictions"])


def test_a_signature_puts_another_output_in_its_place(iris: Station) -> None:
    status, body = iris.call(path(iris), {"signature_name": "probabilities", "instances": iris.rows})
    assert status == 200
    iris.agrees(body["predictions"], "probabilities")
    status, body = iris.call(path(iris), {"signature_name": "nobody", "instances": iris.rows})
    assert status == 400
    assert "serving_default, predictions, probabilities" in body["error"]


def test_classify_gives_labels_with_scores(people: Station) -> None:
    context = {"member": True}
    examples = [{key: [value] for key, value in row.items() if key != "member"} for row in people.rows]
    status, body = people.call(path(people, ":classify"), {"context": context, "examples": examples})
    assert status == 200
    labels = [[pair[0] for pair in row] for row in body["results"]]
    assert labels == [["approved", "refused"]] * len(people.rows)
    people.agrees([[pair[1] for pair in row] for row in body["results"]], "probabilities")


def test_regress_wants_one_number_a_row(stations: dict[str, Station]) -> None:
    several = stations["several"]
    status, body = several.call(path(several, ":regress"), {"examples": several.rows})
    assert status == 400 and "Use :predict" in body["error"]
    iris = stations["array"]
    status, body = iris.call(path(iris, ":regress"), {"examples": iris.rows})
    assert status == 200
    iris.agrees(body["results"])
    status, body = several.call(path(several, ":classify"), {"examples": several.rows})
    assert status == 400 and "no classes" in body["error"]


def test_base64_is_text_or_a_tensors_own_bytes(stations: dict[str, Station]) -> None:
    def packed(content: bytes) -> dict[str, str]:
        return {"b64": base64.b64encode(content).decode()}

    texts, images = stations["texts"], stations["images"]
    status, body = texts.call(path(texts), {"instances": [packed(text.encode()) for text in texts.rows]})
    assert status == 200
    texts.agrees(body["predictions"])
    tensors = [numpy.array(row, "<f4").tobytes() for row in images.rows]
    status, body = images.call(path(images), {"instances": [{"image": packed(one)} for one in tensors]})
    assert status == 200
    images.agrees(body["predictions"])
    status, body = images.call(path(images), {"instances": [packed(tensors[0][:-1])]})
    assert status == 400 and "$.instances[0]" in body["error"] and "255 bytes, not 256" in body["error"]
    status, body = texts.call(path(texts), {"instances": [{"b64": "?"}]})
    assert status == 400 and "base64" in body["error"]


def test_status_readiness_and_metadata(people: Station) -> None:
    name, _colon, version = people.box.model.tag.partition(":")
    assert people.call("/v1/models") == (200, {"models": [name]})
    for versioned in (False, True):
        status, body = people.call(path(people, "", versioned))
        assert (status, body["name"], body["ready"]) == (200, name, True)
        told = body["model_version_status"]
        assert [(entry["version"], entry["state"]) for entry in told] == [(version, "AVAILABLE")]
        status, body = people.call(path(people, "/metadata", versioned))
        assert body["model_spec"] == {"name": name, "signature_name": "", "version": version}
        defined = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert {key: entry["dtype"] for key, entry in defined["inputs"].items()} == {
            "age": "DT_INT64",
            "city": "DT_STRING",
            "income": "DT_FLOAT",
            "plan": "DT_STRING",
            "since": "DT_STRING",
            "the note": "DT_STRING",
            "member": "DT_BOOL",
        }
        assert set(defined["outputs"]) == {"predictions", "probabilities"}


def test_a_packed_body_is_unpacked(iris: Station) -> None:
    body = gzip.compress(json.dumps({"instances": iris.rows}).encode())
    status, answer = iris.call(path(iris), body, Content_Encoding="gzip")
    assert status == 200
    iris.agrees(answer["predictions"])
    assert iris.call(path(iris), body[:-5], Content_Encoding="gzip")[0] == 400
    assert iris.call(path(iris), body, Content_Encoding="br")[0] == 415
    bomb = gzip.compress(b" " * 100_000_000)
    assert iris.call(path(iris), bomb, Content_Encoding="gzip")[0] == 413


def test_what_is_not_here_is_404_and_a_wrong_method_405(iris: Station) -> None:
    name = iris.box.model.name
    for place in (
        "/v1/models/nobody:predict",
        f"/v1/models/{name}/versions/7:predict",
        f"/v1/models/{name}:explain",
        f"/v1/models/{name}/labels/stable",
        "/v1/elsewhere",
    ):
        status, body = iris.call(place, {"instances": iris.rows})
        assert (status, place, next(iter(body))) == (404, place, "error")
    assert iris.call(f"/v1/models/{name}:predict")[0] == 405


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"instances": [{"age": "forty"}]}, "$.instances[0].city"),
        ({"instances": "no"}, "$.instances"),
        ({"instances": []}, "$.instances"),
        ({"rows": []}, "$"),
        ([1], "$"),
        ({"inputs": {"age": [1]}}, "$.inputs.city"),
        ({"inputs": 3}, "$.inputs"),
    ],
)
def test_errors_say_where_in_its_own_form(people: Station, body: Any, place: str) -> None:
    status, told = people.call(path(people), body)
    assert status == 400
    assert told["error"].startswith(f"{place}: ")


def test_a_wrong_value_is_told_by_its_place_in_rows_and_in_columns(people: Station) -> None:
    rows = [dict(row) for row in people.rows]
    rows[2]["plan"] = "gold"
    status, told = people.call(path(people), {"instances": rows})
    assert status == 400
    assert told["error"].startswith("$.instances[2].plan: 'gold' was not in the sample. Send one of 'b', 'a'")
    columns = {name: [row[name] for row in rows] for name in people.fields}
    status, told = people.call(path(people), {"inputs": columns}, Accept_Language="zh-CN")
    assert status == 400
    assert told["error"].startswith("$.inputs.plan[2]: 样本中没有 'gold'")
    columns["age"].pop()
    status, told = people.call(path(people), {"inputs": columns})
    assert status == 400 and "$.inputs.city" in told["error"]


def test_a_warning_stands_beside_the_predictions(people: Station) -> None:
    rows = [{**people.rows[0], "age": 300}]
    status, body = people.call(path(people), {"instances": rows})
    assert status == 200
    assert body["warnings"][0]["path"] == "$.instances[0].age"
    status, body = people.call(path(people), {"inputs": {name: [value] for name, value in rows[0].items()}})
    assert body["warnings"][0]["path"] == "$.inputs.age[0]"


def test_its_requests_are_counted_as_v1(iris: Station) -> None:
    iris.call(path(iris), {"instances": iris.rows})
    page = iris.raw("/metrics")[1].decode()
    assert 'ekiben_requests_total{protocol="v1",status="200"}' in page
