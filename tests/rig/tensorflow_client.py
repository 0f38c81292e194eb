"""What tensorflow-serving-api gets over gRPC; run in an environment of its own. A line of JSON in and out."""

import base64
import json
import sys
import traceback

import grpc
import tensorflow
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

KINDS = {"FP16": "float16", "FP32": "float32", "FP64": "float64", "BOOL": "bool", "BYTES": "string"}


def plain(tensor):
    values = tensorflow.make_ndarray(tensor).tolist()
    return json.loads(json.dumps(values, default=lambda value: value.decode()))


def filled(request, asked):
    request.model_spec.name = asked["model"]
    for name, datatype, shape, flat in asked["tensors"]:
        flat = [base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in flat]
        kind = KINDS.get(datatype, datatype.lower())
        request.inputs[name].CopyFrom(tensorflow.make_tensor_proto(flat, dtype=kind, shape=shape))
    return request


def example(row, name):
    """A row as a tf.Example, with one feature a field; a gap is no feature."""
    row = row if isinstance(row, dict) and "b64" not in row else {name: row}
    made = tensorflow.train.Example()
    for key, value in row.items():
        if isinstance(value, dict):
            made.features.feature[key].bytes_list.value.append(base64.b64decode(value["b64"]))
        elif isinstance(value, str):
            made.features.feature[key].bytes_list.value.append(value.encode())
        elif isinstance(value, int):
            made.features.feature[key].int64_list.value.append(int(value))
        elif value is not None:
            flat = tensorflow.constant(value, "float64").numpy().ravel()
            made.features.feature[key].float_list.value.extend(flat)
    return made


def examples(request, call, asked):
    """What Classify or Regress answers; a refusal as its code and its words."""
    request.model_spec.name = asked["model"]
    name = asked["tensors"][0][0]
    request.input.example_list.examples.extend(example(row, name) for row in asked["rows"])
    try:
        return call(request, 60).result
    except grpc.RpcError as error:
        return [error.code().name, error.details()]


def listed(found):
    """Classes, or numbers, a row."""
    if hasattr(found, "classifications"):
        return [[[one.label, one.score] for one in row.classes] for row in found.classifications]
    return [row.value for row in found.regressions]


def several(stub, asked, *tasks):
    """What MultiInference answers to tasks (method, signature): by task its signature and its rows."""
    request = inference_pb2.MultiInferenceRequest()
    for method, signature in tasks:
        task = request.tasks.add(method_name=method and f"tensorflow/serving/{method}")
        task.model_spec.name = asked["model"]
        task.model_spec.signature_name = signature
    name = asked["tensors"][0][0]
    request.input.example_list.examples.extend(example(row, name) for row in asked["rows"])
    try:
        results = stub.MultiInference(request, 60).results
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    told = [[one.model_spec.signature_name, one.WhichOneof("result")] for one in results]
    rows = [listed(getattr(one, kind)) for one, (_name, kind) in zip(results, told, strict=True)]
    return {"told": told, "results": rows}


def ask(asked, channel):
    told = {}
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = filled(predict_pb2.PredictRequest(), asked)
    request.model_spec.signature_name = "serving_default"
    answer = stub.Predict(request, 60)
    told["predict"] = {name: plain(tensor) for name, tensor in answer.outputs.items()}
    request.output_filter.append("predictions")
    told["filtered"] = sorted(stub.Predict(request, 60).outputs)
    question = get_model_metadata_pb2.GetModelMetadataRequest()
    question.model_spec.name = asked["model"]
    question.metadata_field.append("signature_def")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(question, 60).metadata["signature_def"].Unpack(signatures)
    told["inputs"] = sorted(signatures.signature_def["serving_default"].inputs)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = asked["model"]
    found = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, 60)
    told["states"] = [entry.state for entry in found.model_version_status]
    found = examples(classification_pb2.ClassificationRequest(), stub.Classify, asked)
    told["classify"] = found if isinstance(found, list) else {"results": listed(found)}
    found = examples(regression_pb2.RegressionRequest(), stub.Regress, asked)
    told["regress"] = found if isinstance(found, list) else {"results": listed(found)}
    for name, tasks in {
        "both": [("classify", ""), ("regress", "predictions")],
        "one classify": [("classify", "")],
        "one regress": [("regress", "")],
        "none": [],
        "unknown": [("classify", "serving_default"), ("predict", "")],
        "twice": [("regress", ""), ("regress", "serving_default")],
        "elsewhere": [("regress", "nothing")],
    }.items():
        told[f"multiple, {name}"] = several(stub, asked, *tasks)
    request.model_spec.name = "nobody"
    try:
        stub.Predict(request, 60)
    except grpc.RpcError as error:
        told["error"] = [error.code().name, error.details()]
    return told


for line in sys.stdin:
    asked = json.loads(line)
    try:
        with grpc.insecure_channel(asked["url"].partition("://")[2]) as channel:
            answer = ask(asked, channel)
    except Exception:  # noqa: BLE001 - told to who asked
        answer = {"failed": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
