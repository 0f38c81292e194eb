"""Every way to ask a service, by the field's own clients where they run here; each gives the answers by output.

What a protocol cannot say raises ``Refused`` with what the service tells of it.
"""

from __future__ import annotations

import csv
import io
import queue
from collections.abc import Callable
from typing import Any

import bentoml
import grpc
import numpy
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from rig.clients import Client
from rig.station import Station
from rig.tensors import as_text, plain, tensors

Outputs = dict[str, Any]


class Refused(Exception):
    """The service says that it does not take this."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


def _asked(station: Station, path: str, body: Any, **headers: str) -> Any:
    status, answer = station.call(path.format(model=station.box.model.name), body, **headers)
    if status != 200:
        raise Refused(status, answer.get("error") or answer["message"])
    return answer


# -- REST --------------------------------------------------------------------------------------------


def predict(station: Station) -> Outputs:
    with bentoml.SyncHTTPClient(station.server.url, timeout=120) as client:
        found: Outputs = client.predict(rows=station.rows)
    return found


def v1_rows(station: Station) -> Outputs:
    found: Outputs = _asked(station, "/v1/models/{model}:predict", {"instances": station.rows})
    return found


def v1_columns(station: Station) -> Outputs:
    found = _asked(station, "/v1/models/{model}:predict", {"inputs": station.columns})["outputs"]
    # TensorFlow Serving leaves the name out where there is one output.
    return found if len(station.golden["answers"]) > 1 else {"predictions": found}


def v1_classify(station: Station) -> Outputs:
    found = _asked(station, "/v1/models/{model}:classify", {"examples": station.rows})["results"]
    return classified(station, found)


def v1_regress(station: Station) -> Outputs:
    return {
        "predictions": _asked(station, "/v1/models/{model}:regress", {"examples": station.rows})["results"]
    }


def classified(station: Station, rows: list[list[tuple[str, float]]]) -> Outputs:
    """Labels with scores as the outputs that they came from."""
    labels = [str(label) for label in station.box.contract.classes or ()]
    if "probabilities" in station.golden["answers"]:
        assert [[pair[0] for pair in row] for row in rows] == [labels] * len(rows)
        return {"probabilities": [[pair[1] for pair in row] for row in rows]}
    assert all(len(row) == 1 and row[0][1] == 1 for row in rows)
    wanted = {str(label): label for label in station.box.contract.classes or ()}
    return {"predictions": [wanted[row[0][0]] for row in rows]}


def v2_json(station: Station) -> Outputs:
    listed = [
        {"name": name, "datatype": datatype, "shape": list(made.shape), "data": plain(made)}
        for name, datatype, made in tensors(station, binary=False)
    ]
    answer = _asked(station, "/v2/models/{model}/infer", {"inputs": listed})
    return {
        entry["name"]: numpy.array(entry["data"], dtype=object).reshape(entry["shape"]).tolist()
        for entry in answer["outputs"]
    }


def v2_binary(station: Station) -> Outputs:
    with by_http.InferenceServerClient(station.host, network_timeout=120, connection_timeout=120) as client:
        return _read(station, client.infer(station.box.model.name, _tensors(station, by_http.InferInput)))


def invocations_split(station: Station) -> Outputs:
    rows: Any = station.rows
    if station.table:
        rows = [[row[name] for name in station.fields] for row in rows]
    frame = {"index": list(range(len(rows))), "columns": station.fields, "data": rows}
    found: Outputs = _asked(station, "/invocations", {"dataframe_split": frame})
    return found


def invocations_records(station: Station) -> Outputs:
    rows: Any = station.rows
    if not station.table:
        array = station.box.contract.input == "array"
        rows = [dict(zip(station.fields, row if array else [row], strict=True)) for row in rows]
    found: Outputs = _asked(station, "/invocations", {"dataframe_records": rows})
    return found


def invocations_instances(station: Station) -> Outputs:
    found: Outputs = _asked(station, "/invocations", {"instances": station.rows})
    return found


def invocations_inputs(station: Station) -> Outputs:
    found: Outputs = _asked(station, "/invocations", {"inputs": station.columns})
    return found


def invocations_csv(station: Station) -> Outputs:
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(station.fields)
    for row in station.rows:
        cells = [row[name] for name in station.fields] if station.table else row
        cells = cells if isinstance(cells, list) else [cells]
        write.writerow([cell["b64"] if isinstance(cell, dict) else cell for cell in cells])
    body = out.getvalue().encode()
    found: Outputs = _asked(station, "/invocations", body, Content_Type="text/csv; charset=utf-8")
    return found


# -- gRPC --------------------------------------------------------------------------------------------

CONTENTS = {
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BOOL": "bool_contents",
    "BYTES": "bytes_contents",
}


def grpc_raw(station: Station) -> Outputs:
    with by_grpc.InferenceServerClient(station.host) as client:
        return _read(station, client.infer(station.box.model.name, _tensors(station, by_grpc.InferInput)))


def grpc_typed(station: Station) -> Outputs:
    request = service_pb2.ModelInferRequest(model_name=station.box.model.name)
    for name, datatype, values in tensors(station, binary=True):
        tensor = request.inputs.add(name=name, datatype=datatype, shape=values.shape)
        flat = values.ravel().tolist()
        if datatype == "BYTES":
            flat = [value.encode() if isinstance(value, str) else value for value in flat]
        getattr(tensor.contents, CONTENTS[datatype]).extend(flat)
    with grpc.insecure_channel(station.host) as channel:
        answer = GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=120)
    assert not answer.raw_output_contents
    found = {}
    for entry in answer.outputs:
        values = list(getattr(entry.contents, CONTENTS[entry.datatype]))
        values = [value.decode() if isinstance(value, bytes) else value for value in values]
        found[entry.name] = numpy.array(values, dtype=object).reshape(list(entry.shape)).tolist()
    return found


def grpc_stream(station: Station) -> Outputs:
    told: queue.Queue[Any] = queue.Queue()
    with by_grpc.InferenceServerClient(station.host) as client:
        client.start_stream(lambda result, error: told.put(error or result))
        client.async_stream_infer(station.box.model.name, _tensors(station, by_grpc.InferInput))
        result = told.get(timeout=120)
        client.stop_stream()
    assert not isinstance(result, Exception), result
    return _read(station, result)


def _tensors(station: Station, kind: Any) -> list[Any]:
    made = []
    for name, datatype, values in tensors(station, binary=True):
        tensor = kind(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values)
        made.append(tensor)
    return made


def _read(station: Station, result: Any) -> Outputs:
    found = {}
    for name, wanted in station.golden["answers"].items():
        values = result.as_numpy(name)
        assert values.shape == numpy.shape(wanted)
        found[name] = as_text(values)
    return found


# TensorFlow's, whose client lives in an environment of its own (rig.clients).


def tensorflow(station: Station, client: Client) -> Outputs:
    found: Outputs = client.answers(station)["predict"]
    return found


def tensorflow_classify(station: Station, client: Client) -> Outputs:
    return classified(station, _examples(client.answers(station)["classify"]))


def tensorflow_regress(station: Station, client: Client) -> Outputs:
    return {"predictions": _examples(client.answers(station)["regress"])}


def _examples(found: Any) -> Any:
    if isinstance(found, list):
        raise Refused({"INVALID_ARGUMENT": 400}.get(found[0], 0), found[1])
    return found["results"]


WAYS: dict[str, Callable[[Station], Outputs]] = {
    "BentoML": predict,
    "V1, rows": v1_rows,
    "V1, columns": v1_columns,
    "V1, classify": v1_classify,
    "V1, regress": v1_regress,
    "V2, JSON": v2_json,
    "V2, binary": v2_binary,
    "V2, gRPC raw": grpc_raw,
    "V2, gRPC typed": grpc_typed,
    "V2, gRPC stream": grpc_stream,
    "invocations, split": invocations_split,
    "invocations, records": invocations_records,
    "invocations, instances": invocations_instances,
    "invocations, inputs": invocations_inputs,
    "invocations, CSV": invocations_csv,
}
TENSORFLOW: dict[str, Callable[[Station, Client], Outputs]] = {
    "TensorFlow, gRPC": tensorflow,
    "TensorFlow, gRPC classify": tensorflow_classify,
    "TensorFlow, gRPC regress": tensorflow_regress,
}


def refusal(station: Station, way: str) -> tuple[int, str] | None:
    """What a model's form cannot say in a protocol, as the service must tell it; None where it can."""
    contract = station.box.contract
    if way == "invocations, CSV" and contract.input == "tensor":
        return 415, "Send application/json"
    if way.endswith("classify") and contract.classes is None:
        return 400, "The model gives no classes"
    first = station.golden["answers"]["predictions"][0]
    if way.endswith("regress") and (isinstance(first, (str, bool, list))):
        return 400, "The model does not give one number a row"
    return None
