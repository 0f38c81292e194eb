"""The Open Inference Protocol over gRPC: ``inference.GRPCInferenceService``."""

from __future__ import annotations

from typing import Any

from ..predictor import plain
from . import messages as form
from .asking import Given, ask
from .call import Call, refused
from .protobuf import Malformed, read, write
from .tensor_rows import given
from .tensors import FLOATS, Output, Tensor, check_head, from_bytes, from_json, sized
from .v2 import answered, check_outputs, model_metadata, server_metadata, warnings


async def live(call: Call, message: bytes) -> bytes:
    """ServerLive."""
    return write(form.LIVE, {"live": True})


async def ready(call: Call, message: bytes) -> bytes:
    """ServerReady."""
    return write(form.READY, {"ready": bool(call.engine.ready)})


async def model_ready(call: Call, message: bytes) -> bytes:
    """ModelReady."""
    _expect(call, read(form.NAMED, message))
    return write(form.READY, {"ready": bool(call.engine.ready)})


async def about_server(call: Call, message: bytes) -> bytes:
    """ServerMetadata."""
    return write(form.SERVER_METADATA, server_metadata(call))


async def about_model(call: Call, message: bytes) -> bytes:
    """ModelMetadata."""
    _expect(call, read(form.NAMED, message))
    return write(form.MODEL_METADATA, model_metadata(call))


async def health(call: Call, message: bytes) -> bytes:
    """grpc.health.v1.Health/Check: 1 is SERVING, 2 is not."""
    return write(form.HEALTH, {"status": 1 if call.engine.ready else 2})


async def infer(call: Call, message: bytes) -> bytes:
    """ModelInfer."""
    return write(form.INFER_RESPONSE, await inferred(call, message, {}))


async def inferred(call: Call, message: bytes, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a ModelInferRequest, which is raw where the question was; ``request`` is filled."""
    names: list[str] = []

    def prepare() -> Given:
        request.update(read(form.INFER_REQUEST, message))
        call.expect(request.get("model_name", ""), request.get("model_version", ""))
        for index, entry in enumerate(request.get("outputs", ())):
            if _parameter(entry, "classification"):
                raise refused(400, f"$.outputs[{index}].parameters.classification", "no_classification")
            names.append(entry.get("name", ""))
        check_outputs(call, names)
        return given(call.contract, _tensors(request))

    found = await ask(call, prepare)
    outputs = answered(call, found, names)
    answer: dict[str, Any] = {
        "model_name": call.engine.name,
        "model_version": call.engine.version,
        "id": request.get("id", ""),
        "parameters": {name: {"string_param": text} for name, text in warnings(call, found).items()},
        "outputs": [
            {"name": entry.name, "datatype": entry.datatype, "shape": entry.shape} for entry in outputs
        ],
    }
    if "raw_input_contents" in request:
        answer["raw_output_contents"] = [entry.packed() for entry in outputs]
    else:
        for told, entry in zip(answer["outputs"], outputs, strict=True):
            told["contents"] = _contents(entry)
    return answer


METHODS = {
    "ServerLive": live,
    "ServerReady": ready,
    "ModelReady": model_ready,
    "ServerMetadata": about_server,
    "ModelMetadata": about_model,
    "ModelInfer": infer,
}


def _expect(call: Call, request: dict[str, Any]) -> None:
    call.expect(request.get("name", ""), request.get("version", ""))


def _parameter(entry: dict[str, Any], name: str) -> Any:
    return next(iter(entry.get("parameters", {}).get(name, {}).values()), None)


def _tensors(request: dict[str, Any]) -> list[Tensor]:
    sent = request.get("inputs", [])
    raw = request.get("raw_input_contents")
    if raw is not None and len(raw) != len(sent):
        raise Malformed("raw_input_contents has not one entry an input")
    found = []
    for index, entry in enumerate(sent):
        path = f"$.inputs[{index}]"
        name, datatype = entry.get("name"), entry.get("datatype")
        shape = check_head(name, datatype, plain(entry.get("shape", [])), path)
        if raw is not None:
            flat: Any = from_bytes(raw[index], datatype, shape, path)
        else:
            flat = _flat(entry.get("contents", {}), datatype, shape, path)
        found.append(Tensor(name, datatype, shape, flat, path, empty_is_gap=True))
    return found


def _flat(contents: dict[str, Any], datatype: str, shape: tuple[int, ...], path: str) -> Any:
    """The values of a tensor's typed contents."""
    values = contents.get(form.PLACES.get(datatype, ""), [])
    if datatype == "BYTES" or (datatype in FLOATS and datatype in form.PLACES):
        if len(values) != sized(shape):
            raise refused(400, path, "tensor_size", got=len(values), wanted=sized(shape))
        return values
    return from_json(values, datatype, shape, path)


def _contents(entry: Output) -> dict[str, Any]:
    values = entry.values.ravel()
    if entry.datatype == "BYTES":
        return {"bytes_contents": [value.encode("utf-8", "replace") for value in values.tolist()]}
    return {form.PLACES.get(entry.datatype, "fp32_contents"): values}
