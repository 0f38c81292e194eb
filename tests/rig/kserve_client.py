"""What KServe's SDK gets; run in an environment of its own. A line of JSON in, a line of JSON out."""

import asyncio
import base64
import json
import sys
import traceback

import httpx
import numpy
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

KINDS = {"FP32": "float32", "FP64": "float64", "INT64": "int64", "BOOL": "bool", "BYTES": "object"}


def request(model: str, tensors: list, binary: bool) -> InferRequest:
    made = []
    for name, datatype, shape, flat in tensors:
        # A file: its bytes in binary, base64 in JSON.
        flat = [
            (base64.b64decode(value["b64"]) if binary else value["b64"]) if isinstance(value, dict) else value
            for value in flat
        ]
        values = numpy.array(flat, dtype=KINDS[datatype]).reshape(shape)
        tensor = InferInput(name=name, shape=shape, datatype=datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    return InferRequest(model_name=model, infer_inputs=made)


def found(answer) -> dict:
    told = {}
    for entry in answer.outputs:
        values = entry.as_numpy().tolist()
        told[entry.name] = json.loads(json.dumps(values, default=lambda value: value.decode()))
    return told


async def ask(asked: dict) -> dict:
    url, model, told = asked["url"], asked["model"], {}
    one = InferenceRESTClient(RESTConfig(protocol="v1"))
    told["v1"] = await one.infer(url, {"instances": asked["rows"]}, model_name=model)
    told["ready"] = [await one.is_model_ready(url, model)]
    two = InferenceRESTClient(RESTConfig(protocol="v2"))
    told["live"] = [await two.is_server_live(url), await two.is_server_ready(url)]
    told["ready"].append(await two.is_model_ready(url, model))
    told["json"] = found(await two.infer(url, request(model, asked["tensors"], False), model_name=model))
    told["binary"] = found(await two.infer(url, request(model, asked["tensors"], True), model_name=model))
    async with InferenceGRPCClient(url.partition("://")[2]) as three:
        told["live"].append(await three.is_server_live())
        told["ready"].append(await three.is_model_ready(model))
        told["grpc"] = found(await three.infer(request(model, asked["tensors"], True)))
    try:
        await one.infer(url, {"instances": []}, model_name=model)
    except httpx.HTTPStatusError as error:
        told["error"] = str(error)
    return told


for line in sys.stdin:
    try:
        answer = asyncio.run(ask(json.loads(line)))
    except Exception:  # noqa: BLE001 - told to who asked
        answer = {"failed": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
