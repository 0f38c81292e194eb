"""Bodies that are nearly right, and bytes that are nothing: each protocol refuses in its own form, at once."""

from __future__ import annotations

import copy
import json
import math
from http.client import HTTPConnection
from typing import Any

import grpc
import numpy
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from matrix import Station
from rig.tensors import plain, tensors

pytestmark = pytest.mark.slow

STATIONS = ("applicants", "array", "images", "texts")
quick = settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(2**70), 2**70),
    some.floats(),
    some.text(max_size=8),
    some.sampled_from(["\ud800", "", "b64", {"b64": "!"}, {"b64": "AAAA"}, [], {}, [[]], [[[1]]], 1e999]),
    some.lists(some.integers(), max_size=3),
    some.dictionaries(some.text(max_size=3), some.integers(), max_size=2),
)


def bodies(station: Station) -> dict[str, Any]:
    """A right body for each address."""
    rows: Any = station.rows[:2]
    named = (
        {name: [row[name] for row in rows] for name in station.fields}
        if station.name == "applicants"
        else rows
    )
    data = [[row[name] for name in station.fields] for row in rows] if station.name == "applicants" else rows
    sent = [
        {
            "name": name,
            "datatype": kind,
            "shape": [2, *made.shape[1:]],
            "data": plain(made[:2]),
            "parameters": {},
        }
        for name, kind, made in tensors(station, binary=False)
    ]
    model = station.box.model.name
    return {
        "/predict": {"rows": rows},
        f"/v1/models/{model}:predict": {"instances": rows, "signature_name": ""},
        f"/v1/models/{model}:predict#": {"inputs": named},
        f"/v1/models/{model}:classify": {"examples": rows, "context": {}},
        "/invocations": {"dataframe_split": {"columns": station.fields, "data": data}},
        "/invocations#": {"dataframe_records": rows},
        f"/v2/models/{model}/infer": {"inputs": sent, "outputs": [{"name": "predictions"}], "id": "1"},
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a body something may be put instead; the values of long lists by their first."""
    inside = (
        value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    )
    return [path, *(place for key, part in inside for place in places(part, (*path, key)))]


def put(body: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    body = copy.deepcopy(body)
    at = body
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return body


def refused(station: Station, path: str, body: bytes, content: str = "application/json", **more: str) -> None:
    """Sends it; whatever is refused is refused with 4xx and in the protocol's form."""
    connection = HTTPConnection(station.host, timeout=120)
    try:
        headers = {"Content-Type": content, **{key.replace("_", "-"): value for key, value in more.items()}}
        connection.request("POST", path.rstrip("#"), body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    assert response.status == 200 or 400 <= response.status < 500, (path, body[:2000], answer)
    if response.status != 200:
        told = json.loads(answer)
        assert told["message" if path.startswith("/invocations") else "error"]
        assert told.get("error_code", "BAD_REQUEST")


@pytest.mark.parametrize("name", STATIONS)
@quick
@given(data=some.data())
def test_nearly_right_bodies(stations: dict[str, Station], name: str, data: some.DataObject) -> None:
    station = stations[name]
    known = station.__dict__.setdefault("bodies", bodies(station))
    path = data.draw(some.sampled_from(list(known)))
    place = data.draw(some.sampled_from(places(known[path])))
    body = put(known[path], place, data.draw(ODD))
    refused(station, path, json.dumps(body).encode())


@quick
@given(data=some.data(), content=some.sampled_from(["application/json", "text/csv", "", "text/csv; x"]))
def test_bytes_that_are_nothing(people: Station, data: some.DataObject, content: str) -> None:
    known = people.__dict__.setdefault("bodies", bodies(people))
    path = data.draw(some.sampled_from(list(known)))
    whole = json.dumps(known[path]).encode()
    body = data.draw(
        some.one_of(some.binary(max_size=64), some.integers(0, len(whole)).map(lambda n: whole[:n]))
    )
    more = data.draw(some.sampled_from([{}, {"Content_Encoding": "gzip"}, {"Content_Encoding": "deflate"}]))
    refused(people, path, body, content, **more)


@quick
@given(
    cut=some.integers(-40, 40),
    size=some.integers(-8, 2**64),
    noise=some.binary(max_size=24),
    at=some.integers(0, 400),
)
def test_binary_tensors_that_lie(people: Station, cut: int, size: int, noise: bytes, at: int) -> None:
    import tritonclient.http as client

    made = []
    for name, kind, values in tensors(people, binary=True):
        tensor = client.InferInput(name, list(values.shape), kind)
        tensor.set_data_from_numpy(values)
        made.append(tensor)
    body, length = client.InferenceServerClient.generate_request_body(made)
    body = body.replace(b'"binary_data_size":80', b'"binary_data_size":%d' % size, 1)
    body = body[:at] + noise + body[at + len(noise) :]
    path = f"/v2/models/{people.box.model.name}/infer"
    refused(people, path, body, Inference_Header_Content_Length=str(length + cut))


BAD = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
METHODS = (
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/tensorflow.serving.PredictionService/Predict",
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/nobody.Knows/This",
)


@pytest.mark.parametrize("name", STATIONS)
@quick
@given(data=some.data())
def test_messages_that_are_none(stations: dict[str, Station], name: str, data: some.DataObject) -> None:
    from tritonclient.grpc import service_pb2

    station = stations[name]
    request = service_pb2.ModelInferRequest(model_name=station.box.model.name)
    for tensor, kind, values in tensors_of(station):
        shape = data.draw(
            some.one_of(some.just(list(values.shape)), some.lists(some.integers(-9, 2**62), max_size=3))
        )
        entry = request.inputs.add(name=tensor, datatype=kind, shape=shape)
        if kind == "FP64":
            entry.contents.fp64_contents.extend(values.ravel().tolist())
        else:
            entry.contents.bytes_contents.extend([b"\xff", b"a"])
    whole = request.SerializeToString()
    at, noise = data.draw(some.integers(0, len(whole))), data.draw(some.binary(max_size=12))
    message = data.draw(
        some.sampled_from(
            [
                noise,
                whole[:at],
                whole[:at] + noise + whole[at + len(noise) :],
                whole[:at] + noise + whole[at:],
                whole,
            ]
        )
    )
    method = data.draw(some.sampled_from(METHODS))
    try:
        channel_of(station).unary_unary(method)(message, timeout=120)
    except grpc.RpcError as error:
        assert error.code() in BAD, (method, message, error.details())


def tensors_of(station: Station) -> list[tuple[str, str, numpy.ndarray]]:
    if "tensors" not in station.__dict__:
        station.__dict__["tensors"] = tensors(station, binary=True)
    found: list[tuple[str, str, numpy.ndarray]] = station.__dict__["tensors"]
    return found


def channel_of(station: Station) -> grpc.Channel:
    if "channel" not in station.__dict__:
        station.__dict__["channel"] = grpc.insecure_channel(station.host)
    return station.__dict__["channel"]


def test_deep_and_wide_bodies(people: Station) -> None:
    for path in bodies(people):
        for body in (b"[" * 10**6, b'{"inputs":' * 10**5, b'{"instances": [' + b"1," * 10**6 + b"1]}"):
            refused(people, path, body)
    shape = [2**39, 2**39]
    tensor = {"name": "age", "datatype": "INT64", "shape": shape, "data": [1]}
    refused(people, f"/v2/models/{people.box.model.name}/infer", json.dumps({"inputs": [tensor]}).encode())
    assert math.prod(shape) > 2**63
