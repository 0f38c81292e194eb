"""``/docs.json``: every route that the service answers, as an OpenAPI document made from the contract."""

from __future__ import annotations

from typing import Any

from .contract import JSON_TYPES, row_schema
from .protocols.examples import bodies, unfiled

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
#: A float that JSON cannot say is null.
NUMBER: Schema = {"type": ["number", "null"]}
ANY: Schema = {}
PROBLEM: Schema = {
    "type": "object",
    "properties": {name: TEXT for name in ("path", "code", "message", "remedy")},
    "required": ["path", "code", "message"],
}
WARNINGS: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}}
REFUSAL: Schema = {
    "type": "object",
    "description": "What is wrong, where, and what to do.",
    "properties": {
        "error": TEXT,
        "problems": WARNINGS,
        "count": {"type": "integer"},
        "more": {"type": "boolean", "description": "There may be more; nobody looked any further."},
    },
    "required": ["error"],
}
TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "datatype": TEXT,
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "data": {"type": "array", "items": ANY},
        "parameters": {"type": "object"},
    },
    "required": ["name", "datatype", "shape"],
}
#: What each refusal means, by status.
REFUSALS = {
    400: "The rows break the contract.",
    404: "No such model or address.",
    405: "Another method.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content type or encoding is not known.",
    500: "The model failed.",
    503: "Too much is waiting; Retry-After says when to come again.",
    504: "The answer took too long.",
}


def document(name: str, contract: dict[str, Any], keyed: bool = False) -> Schema:
    """The document of the model ``name`` (``model:version``); ``keyed`` where an API key is asked for."""
    model, _colon, version = name.partition(":")
    row = {"$ref": "#/components/schemas/Row"}
    rows = {"type": "array", "items": row, "minItems": 1}
    answer = {"$ref": "#/components/schemas/Answer"}
    sent = {path: body for _title, path, body in bodies(model, contract)}
    mlflow = "#/components/schemas/MlflowRefusal"
    v1, v2 = f"/v1/models/{model}", f"/v2/models/{model}"
    columns = {"description": "The same by column: an object of lists."}
    one_of = {
        key: {"type": "object", "properties": {key: value}, "required": [key]}
        for key, value in {
            "instances": rows,
            "inputs": columns,
            "dataframe_records": rows,
            "dataframe_split": {"type": "object", "description": "A DataFrame's to_dict('split')."},
        }.items()
    }
    named = {"signature_name": TEXT}
    predict = {"anyOf": [_with(one_of["instances"], named), _with(one_of["inputs"], named)]}
    paths: dict[str, Any] = {
        "/predict": _post("BentoML", "predict", _object(rows=rows), sent["/predict"], answer),
        f"{v1}:predict": _post(
            "TensorFlow Serving, KServe V1",
            "v1_predict",
            predict,
            sent[f"{v1}:predict"],
            {"anyOf": [answer, _object(outputs=ANY)]},
        ),
        v1: _get("TensorFlow Serving, KServe V1", "v1_status", "State and version"),
        f"{v1}/metadata": _get("TensorFlow Serving, KServe V1", "v1_metadata", "Signatures"),
        f"{v2}/infer": _post(
            "Open Inference Protocol V2",
            "v2_infer",
            _with(_object(inputs={"type": "array", "items": TENSOR, "minItems": 1}), {"id": TEXT}),
            sent[f"{v2}/infer"],
            _object(model_name=TEXT, model_version=TEXT, outputs={"type": "array", "items": TENSOR}),
        ),
        v2: _get("Open Inference Protocol V2", "v2_metadata", "Inputs and outputs"),
        f"{v2}/ready": _get("Open Inference Protocol V2", "v2_ready", "Whether the model answers"),
        "/invocations": _post(
            "MLflow, SageMaker",
            "invocations",
            {"anyOf": list(one_of.values())},
            sent["/invocations"],
            answer,
            refusal={"$ref": mlflow},
        ),
        "/ping": _get("MLflow, SageMaker", "ping", "Whether the model answers", free=True, kind="text/plain"),
        "/readyz": _get("Operation", "readyz", "Whether the model answers", free=True),
        "/livez": _get("Operation", "livez", "Whether the process answers", free=True),
        "/contract": _get("Operation", "contract", "The contract"),
        "/metrics": _get("Operation", "metrics", "For Prometheus", kind="text/plain"),
        "/watch": _get("Operation", "watch", "The same figures as JSON"),
    }
    if contract["input"] != "tensor":
        paths["/invocations"]["post"]["requestBody"]["content"]["text/csv"] = {"schema": TEXT}
    for verb, gives in _verbs(contract).items():
        example = {"examples": [unfiled(contract["golden"]["rows"][0])]}
        paths[f"{v1}:{verb}"] = _post(
            "TensorFlow Serving, KServe V1",
            f"v1_{verb}",
            _object(examples=rows),
            example,
            _object(results={"type": "array", "items": gives}),
        )
    found: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": model,
            "version": version or "1",
            "description": "gRPC is on the same port: the Open Inference Protocol and TensorFlow Serving.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Row": row_schema(contract),
                "Answer": _answer(contract),
                "Problem": PROBLEM,
                "Refusal": REFUSAL,
                "MlflowRefusal": _object(error_code=TEXT, message=TEXT),
            }
        },
    }
    if keyed:
        found["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        found["security"] = [{"bearer": []}, {"header": []}]
    return found


def _verbs(contract: dict[str, Any]) -> dict[str, Schema]:
    """TensorFlow's further verbs that the model has, and what a row's answer is."""
    found: dict[str, Schema] = {}
    if contract["classes"] is not None:
        found["classify"] = {"type": "array", "items": {"type": "array", "items": {"anyOf": [TEXT, NUMBER]}}}
    first = next(iter(contract["golden"]["answers"]["predictions"]), None)
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        found["regress"] = NUMBER
    return found


def _answer(contract: dict[str, Any]) -> Schema:
    properties: dict[str, Schema] = {}
    for field in contract["outputs"]:
        kind = JSON_TYPES[field["kind"]]
        item: Schema = {"type": [kind, "null"]} if kind else {}
        for _axis in range(len(field["shape"]) + 1):
            item = {"type": "array", "items": item}
        properties[field["name"]] = item
    required = list(properties)
    if contract["classes"] is not None:
        properties["classes"] = {"type": "array", "items": ANY, "examples": [contract["classes"]]}
    properties["warnings"] = WARNINGS
    return {"type": "object", "properties": properties, "required": required}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _with(schema: Schema, more: dict[str, Schema]) -> Schema:
    return {**schema, "properties": {**schema["properties"], **more}}


def _post(
    tag: str, identity: str, schema: Schema, example: Any, answer: Schema, refusal: Schema | None = None
) -> Schema:
    refused = refusal or {"$ref": "#/components/schemas/Refusal"}
    responses = {
        "200": {"description": "The answers, one entry a row.", "content": _json(answer)},
        **{str(status): {"description": why, "content": _json(refused)} for status, why in REFUSALS.items()},
        "401": {"description": "The API key is missing or wrong.", "content": _json(ANY)},
    }
    body = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    return {"post": {"tags": [tag], "operationId": identity, "requestBody": body, "responses": responses}}


def _get(tag: str, identity: str, told: str, free: bool = False, kind: str = "application/json") -> Schema:
    content = {kind: {"schema": TEXT if kind.startswith("text") else ANY}}
    responses: dict[str, Any] = {"200": {"description": told, "content": content}}
    if free or identity.endswith("ready"):
        responses["503"] = {"description": "Not now."}
    if not free:
        responses["401"] = {"description": "The API key is missing or wrong.", "content": _json(ANY)}
    found: Schema = {"tags": [tag], "operationId": identity, "summary": told, "responses": responses}
    return {"get": {**found, "security": [{}]} if free else found}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
