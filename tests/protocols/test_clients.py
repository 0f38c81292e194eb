"""The field's own clients, unmodified, against the matrix of models: the answers are the kernel's."""

from __future__ import annotations

import base64
import json
from typing import Any

import bentoml
import numpy
import pytest
import requests
from matrix import Station
from rig.clients import Client
from rig.tensors import plain, tensors
from rig.ways import TENSORFLOW, Refused, refusal

pytestmark = pytest.mark.slow


def agree(station: Station, outputs: dict[str, Any]) -> None:
    for output in station.golden["answers"]:
        station.agrees(outputs[output], output)


def test_kserves_clients(station: Station, kserve: Client) -> None:
    told = kserve.ask(station)
    for way in ("v1", "json", "binary", "grpc"):
        agree(station, told[way])
    assert told["live"] == told["ready"] == [True, True, True]
    assert "$.instances: There are no rows. Send at least one row." in told["error"]


def test_tensorflow_servings_client(station: Station, tensorflow_client: Client) -> None:
    told = tensorflow_client.answers(station)
    agree(station, told["predict"])
    for way, ask in TENSORFLOW.items():
        if refused := refusal(station, way):
            with pytest.raises(Refused, match=refused[1]):
                ask(station, tensorflow_client)
            continue
        for output, values in ask(station, tensorflow_client).items():
            if output in station.golden["answers"]:
                station.agrees(values, output, relative=1e-5)
    assert told["filtered"] == ["predictions"]
    assert told["inputs"] == sorted(name for name, _kind, _made in tensors(station, binary=True))
    assert told["states"] == [30]
    assert told["error"][0] == "NOT_FOUND" and "nobody" in told["error"][1]


def test_tensorflow_servings_client_asks_several_at_once(station: Station, tensorflow_client: Client) -> None:
    """MultiInference tells what Classify and Regress tell, and refuses the whole where one is refused."""
    told = tensorflow_client.answers(station)
    single = {"classify": told["classify"], "regress": told["regress"]}
    kinds = {"classify": "classification_result", "regress": "regression_result"}
    for verb, alone in single.items():
        found = told[f"multiple, one {verb}"]
        if isinstance(alone, list):
            assert found[0] == "INVALID_ARGUMENT"
            continue
        assert found == {"told": [["serving_default", kinds[verb]]], "results": [alone["results"]]}
    if all(isinstance(alone, dict) for alone in single.values()):
        assert told["multiple, both"] == {
            "told": [["serving_default", kinds["classify"]], ["predictions", kinds["regress"]]],
            "results": [alone["results"] for alone in single.values()],
        }
    else:
        assert told["multiple, both"][0] == "INVALID_ARGUMENT"
    assert told["multiple, none"][0] == "INVALID_ARGUMENT"
    assert told["multiple, none"][1].startswith("$.tasks: There are no tasks.")
    if isinstance(single["classify"], dict):
        assert told["multiple, unknown"][0] == "UNIMPLEMENTED"
        assert told["multiple, unknown"][1].startswith("$.tasks[1].method_name: The method ")
    assert told["multiple, twice"][0] == "INVALID_ARGUMENT"
    assert told["multiple, twice"][1].startswith("$.tasks[1]: tensorflow/serving/regress of the signature")
    assert told["multiple, elsewhere"][0] == "INVALID_ARGUMENT"
    found = told["multiple, elsewhere"][1]
    assert found.startswith("$.tasks[0].model_spec.signature_name: There is no signature 'nothing'.")


def test_bentomls_client(station: Station) -> None:
    with bentoml.SyncHTTPClient(station.server.url, timeout=60) as client:
        agree(station, client.predict(rows=station.rows))


def test_the_requests_of_tensorflows_tutorial(stations: dict[str, Station]) -> None:
    """As its page on serving a classifier of clothes sends images, nested lists and version 1."""
    images = stations["images"]
    test_images = numpy.array(images.rows)
    data = json.dumps({"signature_name": "serving_default", "instances": test_images[0:3].tolist()})
    headers = {"content-type": "application/json"}
    for version in ("", "/versions/1"):
        url = f"{images.server.url}/v1/models/{images.box.model.name}{version}:predict"
        json_response = requests.post(url, data=data, headers=headers, timeout=60)
        predictions = json.loads(json_response.text)["predictions"]
        numpy.testing.assert_allclose(predictions, images.golden["answers"]["predictions"][:3], rtol=1e-5)
    packed = [{"b64": base64.b64encode(one.astype("<f4").tobytes()).decode()} for one in test_images]
    json_response = requests.post(url, json={"instances": packed}, headers=headers, timeout=60)
    images.agrees(json_response.json()["predictions"])


def test_photographs_are_sent_as_tensorflows_tutorials_send_files(stations: dict[str, Station]) -> None:
    """``{"b64": …}`` for a value, in rows and in columns; its text alone in the Open Inference Protocol."""
    cards = stations["cards"]
    url = f"{cards.server.url}/v1/models/{cards.box.model.name}:predict"
    as_lists = [[row[name] for name in cards.fields] for row in cards.rows]
    for body in ({"instances": cards.rows}, {"instances": as_lists}, {"inputs": cards.columns}):
        answer = requests.post(url, json=body, timeout=60).json()
        cards.agrees(answer["predictions"] if "predictions" in answer else answer["outputs"])
    broken = [{**cards.rows[0], "photo": {"b64": "bm90aGluZw=="}}]
    answer = requests.post(url, json={"instances": broken}, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("$.instances[0].photo.b64: ")
    columns = {**cards.columns, "photo": [*cards.columns["photo"][:-1], {"b64": "?"}]}
    answer = requests.post(url, json={"inputs": columns}, timeout=60)
    assert answer.json()["error"].startswith(f"$.inputs.photo[{len(cards.rows) - 1}].b64: ")
    listed = [
        {"name": name, "datatype": kind, "shape": list(made.shape), "data": plain(made)}
        for name, kind, made in tensors(cards, binary=False)
    ]
    listed[1]["data"][2] = "bm90aGluZw=="
    url = f"{cards.server.url}/v2/models/{cards.box.model.name}/infer"
    answer = requests.post(url, json={"inputs": listed}, timeout=60)
    assert answer.json()["error"].startswith("$.inputs[1].data[2]: ")


def test_a_client_that_sends_json_by_hand(iris: Station) -> None:
    (name, kind, made), *_ = tensors(iris, binary=False)
    body = {"inputs": [{"name": name, "datatype": kind, "shape": list(made.shape), "data": plain(made)}]}
    answer = requests.post(f"{iris.server.url}/v2/models/{iris.box.model.name}/infer", json=body, timeout=60)
    assert answer.json()["outputs"][0]["shape"] == [len(iris.rows)]
