"""gRPC on the same port: NVIDIA's client, grpc's own, and TensorFlow Serving's messages."""

from __future__ import annotations

import socket
from typing import Any

import grpc
import numpy
import pytest
import tritonclient.grpc as client
from matrix import Station
from rig.tensors import as_text, tensors
from rig.waiting import until
from rig.ways import grpc_typed
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.slow


def send(station: Station) -> list[client.InferInput]:
    made = []
    for name, datatype, values in tensors(station, binary=True):
        tensor = client.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values)
        made.append(tensor)
    return made


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_tritons_client_gets_the_kernels_answers(station: Station, packed: str | None) -> None:
    with client.InferenceServerClient(station.host) as triton:
        got = triton.infer(
            station.box.model.name, send(station), request_id="one", compression_algorithm=packed
        )
    assert got.get_response().id == "one"
    for output, wanted in station.golden["answers"].items():
        values = got.as_numpy(output)
        assert values.shape == numpy.shape(wanted)
        station.agrees(as_text(values), output)


def test_tritons_client_finds_server_and_model(people: Station) -> None:
    name, _colon, version = people.box.model.tag.partition(":")
    with client.InferenceServerClient(people.host) as triton:
        assert triton.is_server_live() and triton.is_server_ready()
        assert triton.is_model_ready(name) and triton.is_model_ready(name, version)
        told = triton.get_server_metadata()
        assert (told.name, told.version, list(told.extensions)) == (name, version, ["binary_tensor_data"])
        about = triton.get_model_metadata(name, version)
        assert [(entry.name, entry.datatype, list(entry.shape)) for entry in about.inputs][:3] == [
            ("age", "INT64", [-1]),
            ("city", "BYTES", [-1]),
            ("income", "FP32", [-1]),
        ]
        assert [entry.name for entry in about.outputs] == ["predictions", "probabilities", "classes"]


def test_typed_contents_are_answered_in_kind(station: Station) -> None:
    outputs = grpc_typed(station)
    for output in station.golden["answers"]:
        station.agrees(outputs[output], output)


def test_errors_are_statuses_that_say_where(people: Station) -> None:
    name = people.box.model.name
    with client.InferenceServerClient(people.host) as triton:
        with pytest.raises(InferenceServerException, match="no model nobody") as caught:
            triton.infer("nobody", send(people))
        assert caught.value.status() == "StatusCode.NOT_FOUND"
        made = send(people)
        made[3] = client.InferInput("plan", [len(people.rows)], "BYTES")
        made[3].set_data_from_numpy(numpy.array(["gold"] * len(people.rows), dtype=object))
        with pytest.raises(InferenceServerException, match=r"\$.inputs\[3\].data\[0\]: 'gold' was") as caught:
            triton.infer(name, made)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
        with pytest.raises(InferenceServerException, match="样本中没有 'gold'"):
            triton.infer(name, made, headers={"accept-language": "zh"})
        with pytest.raises(InferenceServerException, match="no such address") as caught:
            triton.get_inference_statistics()
        assert caught.value.status() == "StatusCode.UNIMPLEMENTED"


def test_many_calls_share_a_connection(iris: Station) -> None:
    with client.InferenceServerClient(iris.host) as triton:
        done: list[Any] = []
        for _ in range(200):
            triton.async_infer(
                iris.box.model.name, send_once(iris), lambda result, error: done.append(error or result)
            )
        assert triton.is_server_live()
        until(lambda: len(done) == 200)
    for result in done:
        iris.agrees(as_text(result.as_numpy("predictions")))


_SENT: dict[str, Any] = {}


def send_once(station: Station) -> Any:
    if station.name not in _SENT:
        _SENT[station.name] = send(station)
    return _SENT[station.name]


def test_large_messages_pass_in_both_directions(stations: dict[str, Station]) -> None:
    images = stations["images"]
    many = numpy.repeat(numpy.array(images.rows, dtype="float32"), 500, axis=0)
    assert 4_000_000 < many.nbytes < 8_000_000
    with client.InferenceServerClient(images.host) as triton:
        name = images.box.contract.inputs[0].name
        tensor = client.InferInput(name, list(many.shape), "FP32")
        tensor.set_data_from_numpy(many)
        got = triton.infer(images.box.model.name, [tensor]).as_numpy("predictions")
        wanted = numpy.repeat(images.golden["answers"]["predictions"], 500, axis=0)
        numpy.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
        larger = numpy.concatenate([many, many])
        tensor = client.InferInput(name, list(larger.shape), "FP32")
        tensor.set_data_from_numpy(larger)
        with pytest.raises(InferenceServerException, match="larger than 8388608 bytes") as caught:
            triton.infer(images.box.model.name, [tensor])
        assert caught.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        assert triton.is_server_live()


def test_its_requests_are_counted_as_grpc_and_errors_as_errors(iris: Station) -> None:
    with client.InferenceServerClient(iris.host) as triton:
        triton.infer(iris.box.model.name, send(iris))
        with pytest.raises(InferenceServerException):
            triton.infer("nobody", send(iris))
    page = iris.raw("/metrics")[1].decode()
    assert 'ekiben_requests_total{protocol="grpc",status="200"}' in page
    assert 'ekiben_requests_total{protocol="grpc",status="404"}' in page


def test_health_is_told_in_grpcs_own_way(iris: Station) -> None:
    with grpc.insecure_channel(iris.host) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=120) == b"\x08\x01"


def test_by_http_1_the_address_says_what_it_is(iris: Station) -> None:
    status, body = iris.raw("/inference.GRPCInferenceService/ModelInfer", b"{}")
    assert status == 415 and b"HTTP/2" in body


def exchange(station: Station, *parts: bytes) -> bytes:
    host, port = station.host.split(":")
    with socket.create_connection((host, int(port)), timeout=120) as sock:
        for part in parts:
            sock.sendall(part)
        found = b""
        while chunk := sock.recv(65536):
            found += chunk
        return found


def test_a_preface_in_pieces_is_one(iris: Station) -> None:
    from ekiben.runtime.http2 import PREFACE

    # A client that then says something that is no frame is told goodbye, and the connection ends.
    assert b"\x07" in exchange(iris, PREFACE[:1], PREFACE[1:10], PREFACE[10:], bytes([0, 0, 1]) + bytes(7))
    request = b"POST /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(iris, request[:1], request[1:]).startswith(b"HTTP/1.1 ")
