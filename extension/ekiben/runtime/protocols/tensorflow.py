"""TensorFlow Serving over gRPC: ``PredictionService`` and ``ModelService``; what takes examples is in ``features.py``.

TensorFlow's versions are numbers and a model's here is a tag, so it stands as version 1 in these messages.
"""

from __future__ import annotations

from typing import Any

import numpy

from . import messages as form
from .asking import Given, ask
from .call import Call, refused
from .described import TENSORFLOW, signatures
from .features import classify, multiple, regress
from .protobuf import read, write
from .tensor_rows import given
from .tensors import FLOATS, NUMPY, Output, Tensor, check_head, from_bytes, from_json, sized
from .v2 import answered, check_outputs

#: How long the list of values may grow from one that stands for all.
MOST = 2**27
_NUMBERS = {name: number for number, (name, _place) in form.DTYPES.items()}
_ANY = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
AVAILABLE, LOADING = 30, 20


async def predict(call: Call, message: bytes) -> bytes:
    """Predict: a tensor a field by name, or one for all; the outputs are typed lists of values."""
    request: dict[str, Any] = {}

    def prepare() -> Given:
        request.update(read(form.PREDICT_REQUEST, message))
        _expect(call, request.get("model_spec", {}))
        check_outputs(call, request.get("output_filter"))
        sent = request.get("inputs", {})
        # One value may stand for all: a few bytes must not become a gigabyte.
        if sum(map(_count, sent.values())) > call.limit:
            raise refused(413, "$.inputs", "too_large", limit=call.limit)
        return given(call.contract, [_tensor(name, entry) for name, entry in sent.items()])

    found = await ask(call, prepare)
    signature = request.get("model_spec", {}).get("signature_name", "")
    names = request.get("output_filter") or _outputs(call, signature, list(found.outputs))
    outputs = {entry.name: _proto(entry) for entry in answered(call, found, names)}
    spec = _spec(call, signature or "serving_default")
    return write(form.PREDICT_RESPONSE, {"outputs": outputs, "model_spec": spec})


async def metadata(call: Call, message: bytes) -> bytes:
    """GetModelMetadata, of the signatures."""
    request = read(form.METADATA_REQUEST, message)
    _expect(call, request.get("model_spec", {}))
    if set(request.get("metadata_field", ())) != {"signature_def"}:
        raise refused(400, "$.metadata_field", "one_key", wanted="signature_def")
    defined = {
        name: {
            "inputs": {key: _info(entry) for key, entry in signature["inputs"].items()},
            "outputs": {key: _info(entry) for key, entry in signature["outputs"].items()},
            "method_name": signature["method_name"],
        }
        for name, signature in signatures(call.contract).items()
    }
    packed = {"type_url": _ANY, "value": write(form.SIGNATURES, {"signature_def": defined})}
    answer = {"model_spec": _spec(call, ""), "metadata": {"signature_def": packed}}
    return write(form.METADATA_RESPONSE, answer)


async def status(call: Call, message: bytes) -> bytes:
    """GetModelStatus."""
    _expect(call, read({1: ("model_spec", form.SPEC, False)}, message).get("model_spec", {}))
    state = AVAILABLE if call.engine.ready else LOADING
    return write(
        form.STATUS_RESPONSE, {"model_version_status": [{"version": 1, "state": state, "status": {}}]}
    )


METHODS = {
    "PredictionService/Predict": predict,
    "PredictionService/Classify": classify,
    "PredictionService/Regress": regress,
    "PredictionService/MultiInference": multiple,
    "PredictionService/GetModelMetadata": metadata,
    "ModelService/GetModelStatus": status,
}


def _expect(call: Call, spec: dict[str, Any]) -> None:
    number = spec.get("version", {}).get("value", 0)
    version = spec.get("version_label", "") or (str(number) if number not in (0, 1) else "")
    call.expect(spec.get("name", ""), version)


def _spec(call: Call, signature: str) -> dict[str, Any]:
    return {"name": call.engine.name, "version": {"value": 1}, "signature_name": signature}


def _outputs(call: Call, signature: str, found: list[str]) -> list[str]:
    """The outputs of a signature; the default gives all."""
    if signature in ("", "serving_default"):
        return found
    if signature not in found:
        known = ", ".join(["serving_default", *found])
        raise refused(
            400, "$.model_spec.signature_name", "unknown_signature", name=signature[:80], known=known
        )
    return [signature]


def _count(proto: dict[str, Any]) -> int:
    """How many values a TensorProto says that it has."""
    return sized(
        tuple(max(0, entry.get("size", 0)) for entry in proto.get("tensor_shape", {}).get("dim", ()))
    )


def _tensor(name: str, proto: dict[str, Any]) -> Tensor:
    """A TensorProto: its content in binary, or typed values, of which the last stands for all that lack."""
    path = f"$.inputs[{name[:80]!r}]"
    datatype, place = form.DTYPES.get(proto.get("dtype", 0), ("", ""))
    sizes = [entry.get("size", 0) for entry in proto.get("tensor_shape", {}).get("dim", ())]
    shape = check_head(name, datatype or f"DT_{proto.get('dtype', 0)}", sizes, path)
    if "tensor_content" in proto and datatype != "BYTES":
        flat: Any = from_bytes(proto["tensor_content"], datatype, shape, path)
        return Tensor(name, datatype, shape, flat, path, empty_is_gap=True)
    values = proto.get(place, [])
    count = sized(shape)
    if 0 < len(values) < count <= MOST and datatype != "BYTES":
        values = numpy.concatenate([values, numpy.full(count - len(values), values[-1])])
    if datatype in ("FP16", "BF16"):
        content = numpy.asarray(values).astype("<u2").tobytes()
        return Tensor(name, datatype, shape, from_bytes(content, datatype, shape, path), path)
    if datatype == "BYTES" and len(values) == 1 < count <= MOST:
        values = values * count
    if datatype == "BYTES" or datatype in FLOATS:
        if len(values) != count:
            raise refused(400, path, "tensor_size", got=len(values), wanted=count)
        return Tensor(name, datatype, shape, values, path, empty_is_gap=True)
    return Tensor(name, datatype, shape, from_json(values, datatype, shape, path), path, True)


def _proto(entry: Output) -> dict[str, Any]:
    number = _NUMBERS[entry.datatype]
    values = entry.values.ravel()
    if entry.datatype == "BYTES":
        values = [value.encode("utf-8", "replace") for value in values.tolist()]
    elif entry.datatype == "FP16":
        values = values.astype("<f2").view("<u2")
    elif entry.datatype in NUMPY:
        values = values.astype(NUMPY[entry.datatype])
    shape = {"dim": [{"size": size} for size in entry.shape]}
    return {"dtype": number, "tensor_shape": shape, form.DTYPES[number][1]: values}


def _info(entry: dict[str, Any]) -> dict[str, Any]:
    number = next(_NUMBERS[name] for name, told in TENSORFLOW.items() if told == entry["dtype"])
    shape = {"dim": [{"size": int(dim["size"])} for dim in entry["tensor_shape"]["dim"]]}
    return {"name": entry["name"], "dtype": number, "tensor_shape": shape}
