"""The Open Inference Protocol over REST: by hand, and by NVIDIA's own client in JSON and in binary."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy
import pytest
import tritonclient.http as client
from matrix import Station
from rig.tensors import as_text, plain, tensors
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.slow


def path(station: Station, verb: str = "/infer", version: bool = False) -> str:
    name, _colon, tag = station.box.model.tag.partition(":")
    return f"/v2/models/{name}{f'/versions/{tag}' if version else ''}{verb}"


def request(station: Station, **more: Any) -> dict[str, Any]:
    listed = [
        {"name": name, "datatype": datatype, "shape": list(made.shape), "data": plain(made)}
        for name, datatype, made in tensors(station, binary=False)
    ]
    return {"inputs": listed, **more}


def outputs(body: dict[str, Any]) -> dict[str, Any]:
    return {
        entry["name"]: numpy.array(entry["data"], dtype=object).reshape(entry["shape"]).tolist()
        for entry in body["outputs"]
    }


@pytest.mark.parametrize("version", [False, True])
def test_json_is_answered_as_in_the_kernel(station: Station, version: bool) -> None:
    status, body = station.call(path(station, version=version), request(station, id="7"))
    assert status == 200, body
    name, _colon, tag = station.box.model.tag.partition(":")
    assert (body["model_name"], body["model_version"], body["id"]) == (name, tag, "7")
    for output in station.golden["answers"]:
        station.agrees(outputs(body)[output], output)


@pytest.fixture
def triton(station: Station) -> Iterator[client.InferenceServerClient]:
    with client.InferenceServerClient(station.host, network_timeout=60, connection_timeout=60) as made:
        yield made


def send(station: Station, binary: bool) -> list[client.InferInput]:
    made = []
    for name, datatype, values in tensors(station, binary):
        tensor = client.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    return made


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_tritons_client_gets_the_kernels_answers_in_binary(
    station: Station, triton: client.InferenceServerClient, packed: str | None
) -> None:
    got = triton.infer(
        station.box.model.name, send(station, binary=True), request_compression_algorithm=packed
    )
    for output, wanted in station.golden["answers"].items():
        values = got.as_numpy(output)
        station.agrees(as_text(values), output)
        assert values.shape == numpy.shape(wanted)


def test_tritons_client_gets_the_kernels_answers_in_json(iris: Station, stations: dict[str, Station]) -> None:
    for station in (iris, stations["texts"], stations["images"], stations["several"]):
        with client.InferenceServerClient(station.host, network_timeout=60) as triton:
            wanted = [client.InferRequestedOutput("predictions", binary_data=False)]
            got = triton.infer(
                station.box.model.name,
                send(station, binary=False),
                model_version=station.box.model.version,
                outputs=wanted,
                request_id="one",
            )
        assert got.get_response()["id"] == "one"
        assert [entry["name"] for entry in got.get_response()["outputs"]] == ["predictions"]
        station.agrees(as_text(got.as_numpy("predictions")))


def test_tritons_client_finds_server_and_model_live_and_ready(
    station: Station, triton: client.InferenceServerClient
) -> None:
    name, _colon, version = station.box.model.tag.partition(":")
    assert triton.is_server_live() and triton.is_server_ready()
    assert triton.is_model_ready(name) and triton.is_model_ready(name, version)
    assert not triton.is_model_ready("nobody")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    told = triton.get_model_metadata(name)
    assert told["versions"] == [version]
    got = triton.infer(name, send(station, binary=True))
    for entry in told["outputs"]:
        made = got.get_output(entry["name"])
        assert made["datatype"] == entry["datatype"]
        wanted = [made["shape"][0] if size == -1 else size for size in entry["shape"]]
        assert made["shape"] == wanted
    assert triton.get_model_repository_index()[0]["name"] == name


def test_tritons_client_raises_what_the_service_says(people: Station) -> None:
    with client.InferenceServerClient(people.host, network_timeout=60) as triton:
        with pytest.raises(InferenceServerException, match=r"no model nobody.*Ask for applicants-model"):
            triton.infer("nobody", send(people, binary=True))
        made = send(people, binary=True)
        with pytest.raises(InferenceServerException, match="The input city is missing"):
            triton.infer(people.box.model.name, [made[0]])
        ages = numpy.full(len(people.rows), 40.5)
        made[0] = client.InferInput("age", [len(ages)], "FP64")
        made[0].set_data_from_numpy(ages)
        with pytest.raises(InferenceServerException, match=r"\$.inputs\[0\].data\[0\]: 40.5 is a number"):
            triton.infer(people.box.model.name, made)


ALL = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64"]


@pytest.mark.parametrize("datatype", [*ALL, "BF16"])
def test_every_numeric_datatype_is_read(iris: Station, datatype: str) -> None:
    model = iris.case.model
    rows = numpy.array([[5, 3, 4, 1], [6, 3, 1, 2]])
    kind = ml_dtypes.bfloat16 if datatype == "BF16" else _numpy(datatype)
    with client.InferenceServerClient(iris.host, network_timeout=60) as triton:
        tensor = client.InferInput("anything", [2, 4], datatype)
        tensor.set_data_from_numpy(rows.astype(kind))
        got = triton.infer(iris.box.model.name, [tensor])
        numpy.testing.assert_allclose(got.as_numpy("probabilities"), model.predict_proba(rows))
        if datatype not in ("FP16", "BF16"):
            tensor.set_data_from_numpy(rows.astype(kind), binary_data=False)
            got = triton.infer(iris.box.model.name, [tensor])
            numpy.testing.assert_allclose(got.as_numpy("probabilities"), model.predict_proba(rows))


def _numpy(datatype: str) -> str:
    return datatype.lower().replace("fp", "float")


def test_a_table_of_numbers_may_come_as_one_tensor(stations: dict[str, Station]) -> None:
    station = stations["numbers"]
    made = numpy.array([[row[name] for name in station.fields] for row in station.rows])
    with client.InferenceServerClient(station.host, network_timeout=60) as triton:
        tensor = client.InferInput("predict", list(made.shape), "FP64")
        tensor.set_data_from_numpy(made)
        got = triton.infer(station.box.model.name, [tensor])
    station.agrees(as_text(got.as_numpy("predictions")))


def test_an_array_may_come_a_tensor_a_column(iris: Station) -> None:
    columns = zip(*iris.rows, strict=True)
    listed = [
        {
            "name": name,
            "datatype": "FP64",
            "shape": [len(iris.rows), 1],
            "data": [[value] for value in values],
        }
        for name, values in zip(iris.fields, columns, strict=True)
    ]
    status, body = iris.call(path(iris), {"inputs": listed})
    assert status == 200
    iris.agrees(outputs(body)["predictions"])


def test_classes_are_an_output_too(people: Station) -> None:
    status, body = people.call(path(people), request(people))
    assert outputs(body)["classes"] == ["approved", "refused"]
    wanted = [{"name": "classes"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    status, content = people.raw(path(people), request(people, outputs=wanted))
    assert status == 200
    head, _brace, _rest = content.partition(b"]}")
    assert b'"classes"' in head and b'"binary_data_size"' in content


def test_a_warning_is_a_parameter(people: Station) -> None:
    body = request(people)
    body["inputs"][0]["data"][1] = 300
    status, answer = people.call(path(people), body)
    assert status == 200
    told = json.loads(answer["parameters"]["warnings"])
    assert told[0]["path"] == "$.inputs[0].data[1]"


def broken(**changes: Any) -> dict[str, Any]:
    return {
        "inputs": [{"name": "input", "datatype": "FP64", "shape": [1, 4], "data": [1, 2, 3, 4]} | changes]
    }


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (broken(datatype="FP128"), "$.inputs[0].datatype: 'FP128' is no datatype"),
        (broken(datatype="BYTES", data=["a", "b", "c", "d"]), "$.inputs[0].datatype: The datatype BYTES cannot"),
        (broken(shape=[1, 5]), "$.inputs[0]: The data have 4 entries, and the shape has 5"),
        (broken(shape=[2, 2]), "$.inputs[0]: The shape is [2, 2], not [-1, 4]"),
        (broken(shape="x"), "$.inputs[0]: The tensor has no valid shape"),
        (broken(data=[1, 2, 3, "4"]), "$.inputs[0].data: The data are not all of FP64"),
        (broken(data=[[1, 2], 3, 4]), "$.inputs[0].data: The data are not all of FP64"),
        (broken(data=[1, 2, 3, None]), "$.inputs[0].data[0][3]: The value is missing"),
        (broken(datatype="INT8", data=[1, 2, 3, 300]), "$.inputs[0].data: The data are not all of INT8"),
        (broken(parameters={"binary_data_size": 32}), "$.inputs[0]: The data have 0 bytes"),
        ({"inputs": []}, "$.inputs: There are no inputs"),
        ({}, "$.inputs: It is null"),
        ({**broken(), "outputs": [{"name": "nobody"}]}, "$.outputs[0]: There is no output 'nobody'"),
        ({**broken(), "outputs": [{"name": "predictions", "parameters": {"classification": 2}}]},
         "$.outputs[0].parameters.classification"),
        ({**broken(), "id": 3}, "$.id: 3 is a whole number, not text"),
    ],
)  # fmt: skip
def test_errors_say_where_in_its_own_form(iris: Station, body: Any, told: str) -> None:
    status, answer = iris.call(path(iris), body)
    assert status == 400
    assert told in answer["error"]


def test_lengths_that_lie_are_refused(iris: Station) -> None:
    head = json.dumps(broken(data=None, parameters={"binary_data_size": 32})).encode()
    content = struct.pack("<4d", 5, 3, 1, 1)
    length = {"Inference_Header_Content_Length": str(len(head))}
    assert iris.call(path(iris), head + content, **length)[0] == 200
    for body, headers in (
        (head + content[:-1], length),
        (head + content + b"x", length),
        (head + content, {}),
        (head + content, {"Inference_Header_Content_Length": "99999"}),
        (head + content, {"Inference_Header_Content_Length": "x"}),
    ):
        status, answer = iris.call(path(iris), body, **headers)
        assert (status, "error" in answer) == (400, True)


def test_what_is_not_here_is_404(iris: Station) -> None:
    for place in (
        "/v2/models/nobody/infer",
        path(iris, "/generate"),
        path(iris, "/versions/9/infer"),
        "/v2/x",
    ):
        status, body = iris.call(place, broken())
        assert (status, "error" in body) == (404, True)
    assert iris.call(path(iris))[0] == 405
