"""``ModelStreamInfer`` by NVIDIA's client and by grpc's own, and deadlines: what ends, ends at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import ekiben
import grpc
import httpx
import numpy
import pytest
import tritonclient.grpc as client
from matrix import Station
from rig.tensors import as_text, tensors
from rig.waiting import until
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.slow


def send(station: Station, count: int | None = None) -> list[client.InferInput]:
    made = []
    for name, datatype, values in tensors(station, binary=True):
        tensor = client.InferInput(name, list(values[:count].shape), datatype)
        tensor.set_data_from_numpy(values[:count])
        made.append(tensor)
    return made


class Told:
    """What a stream's callback got."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()

    def __call__(self, result: Any, error: Any) -> None:
        self.queue.put(error or result)

    def next(self) -> Any:
        return self.queue.get(timeout=60)


def test_answers_come_in_order_and_are_the_kernels(station: Station) -> None:
    told = Told()
    with client.InferenceServerClient(station.host) as triton:
        triton.start_stream(told)
        asked = send(station)
        for number in range(50):
            triton.async_stream_infer(station.box.model.name, asked, request_id=str(number))
        results = [told.next() for _number in range(50)]
        triton.stop_stream()
    assert [result.get_response().id for result in results] == [str(number) for number in range(50)]
    assert all(result.get_response().parameters["triton_final_response"].bool_param for result in results)
    for output in station.golden["answers"]:
        station.agrees(as_text(results[-1].as_numpy(output)), output)
    assert told.queue.empty()


def test_an_error_is_told_in_its_place_and_the_stream_goes_on(people: Station) -> None:
    told = Told()
    name = people.box.model.name
    wrong = send(people)
    wrong[3] = client.InferInput("plan", [len(people.rows)], "BYTES")
    wrong[3].set_data_from_numpy(numpy.array(["gold"] * len(people.rows), dtype=object))
    before = people.raw("/metrics")[1].decode()
    with client.InferenceServerClient(people.host) as triton:
        triton.start_stream(told, headers={"accept-language": "zh"})
        for model, tensors_ in (
            (name, send(people)),
            (name, wrong),
            ("nobody", send(people)),
            (name, send(people)),
        ):
            triton.async_stream_infer(model, tensors_)
        first, second, third, fourth = (told.next() for _ in range(4))
        triton.stop_stream()
    for result in (first, fourth):
        people.agrees(as_text(result.as_numpy("predictions")))
    assert isinstance(second, InferenceServerException) and "$.inputs[3].data[0]: 样本中没有 'gold'" in str(
        second
    )
    assert "没有模型 nobody" in str(third)
    after = people.raw("/metrics")[1].decode()
    for status, more in ((200, 2), (400, 1), (404, 1)):
        label = f'ekiben_requests_total{{protocol="grpc",status="{status}"}} '
        assert figure(after, label) == figure(before, label) + more


def figure(page: str, label: str) -> float:
    return next(
        (float(line.removeprefix(label)) for line in page.splitlines() if line.startswith(label)), 0.0
    )


def test_many_large_messages_wait_for_who_reads_slowly(stations: dict[str, Station]) -> None:
    """120 MB through one stream whose reader takes its time: bounded on the way, whole at the end."""
    images = stations["images"]
    many = numpy.repeat(numpy.array(images.rows, dtype="float32"), 250, axis=0)
    tensor = client.InferInput(images.box.contract.inputs[0].name, list(many.shape), "FP32")
    tensor.set_data_from_numpy(many)
    told = Told()
    with client.InferenceServerClient(images.host) as triton:
        triton.start_stream(lambda result, error: (time.sleep(0.02), told(result, error)))
        for _ in range(60):
            triton.async_stream_infer(images.box.model.name, [tensor])
        for _ in range(60):
            result = told.next()
        assert triton.is_server_live()
        triton.stop_stream()
    wanted = numpy.repeat(images.golden["answers"]["predictions"], 250, axis=0)
    numpy.testing.assert_allclose(result.as_numpy("predictions"), wanted, rtol=1e-4, atol=1e-6)


def test_what_is_no_message_ends_the_stream(iris: Station) -> None:
    name = "/inference.GRPCInferenceService/ModelStreamInfer"
    with grpc.insecure_channel(iris.host, [("grpc.max_send_message_length", -1)]) as channel:
        call = channel.stream_stream(name)
        answers = list(call(iter([b"\xff\xff"]), timeout=60))
        assert b"\x0a" in answers[0]  # told in its answer: the frame was whole
        with pytest.raises(grpc.RpcError) as caught:
            list(call(iter([b"\0" * 9_000_000]), timeout=60))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert list(call(iter([]), timeout=60)) == []


# -- what ends ---------------------------------------------------------------------------------------


def unhurried(rows: Any) -> Any:
    """Takes as many seconds as the rows say."""
    import time

    time.sleep(sum(row["seconds"] for row in rows))
    return [row["seconds"] for row in rows]


@pytest.fixture(scope="module")
def slow() -> Iterator[Station]:
    sample = [{"seconds": 0.0}, {"seconds": 0.05}, {"seconds": 0.0}]
    box = ekiben.wrap(unhurried, sample, name="unhurried", outside="accept")
    with box.serve() as server:
        yield Station("slow", None, box, server)


def request(seconds: float) -> service_pb2.ModelInferRequest:
    made = service_pb2.ModelInferRequest(model_name="unhurried")
    made.inputs.add(name="seconds", datatype="FP64", shape=[1]).contents.fp64_contents.append(seconds)
    return made


def in_flight(slow: Station) -> int:
    found: int = slow.call("/watch")[1]["now"]["in_flight"]
    return found


def nothing_in_flight(slow: Station) -> None:
    until(lambda: in_flight(slow) == 0)


def test_a_callers_deadline_ends_the_work_and_says_so(slow: Station) -> None:
    message = request(8).SerializeToString()
    framed = bytes(1) + len(message).to_bytes(4, "big") + message
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "100m"}
    begin = time.monotonic()
    with httpx.Client(http1=False, http2=True, timeout=60) as raw:
        for method in ("ModelInfer", "ModelStreamInfer"):
            path = f"{slow.server.url}/inference.GRPCInferenceService/{method}"
            answer = raw.post(path, content=framed, headers=headers)
            if method == "ModelInfer":  # httpx does not show trailers
                assert answer.headers["grpc-status"] == "4" and "100m" in answer.headers["grpc-message"]
    assert time.monotonic() - begin < 7.9
    nothing_in_flight(slow)
    with grpc.insecure_channel(slow.host) as channel:
        stub = GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request(8), timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ModelStreamInfer(iter([request(8)]), timeout=0.1))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        nothing_in_flight(slow)
        assert len(stub.ModelInfer(request(0), timeout=60).outputs) == 1


def test_what_a_client_takes_back_is_not_asked_of_the_model(slow: Station) -> None:
    rows = slow.call("/watch")[1]["rows"]
    told = Told()
    with client.InferenceServerClient(slow.host) as triton:
        tensor = client.InferInput("seconds", [1], "FP64")
        tensor.set_data_from_numpy(numpy.array([4.0]))
        triton.start_stream(told)
        for _ in range(20):
            triton.async_stream_infer("unhurried", [tensor])
        until(lambda: in_flight(slow), every=0.01)
        triton.stop_stream(cancel_requests=True)
    nothing_in_flight(slow)
    until(lambda: slow.call("/predict", {"rows": [{"seconds": 0.0}]})[0] == 200)  # what had begun has ended
    assert slow.call("/watch")[1]["rows"] - rows <= 3  # two, and that one


def test_a_stop_ends_an_open_stream_after_its_answers(slow: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    tensor = client.InferInput("seconds", [1], "FP64")
    tensor.set_data_from_numpy(numpy.array([4.0]))
    monkeypatch.setenv("EKIBEN_DRAIN", "60")
    with slow.box.serve() as server:
        triton = client.InferenceServerClient(server.url.removeprefix("http://"))
        triton.start_stream(told)
        triton.async_stream_infer("unhurried", [tensor])
        until(lambda: server.watch()["now"]["in_flight"], every=0.01)
        stop = threading.Thread(target=lambda: server.stop(60))
        begin = time.monotonic()
        stop.start()
        assert told.next().as_numpy("predictions").tolist() == [4.0]
        ended = told.next()
        stop.join(120)
    assert isinstance(ended, InferenceServerException) and ended.status() == "StatusCode.UNAVAILABLE"
    assert time.monotonic() - begin < 50  # it was not the drain's end that closed it
    triton.close()
