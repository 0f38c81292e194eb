"""TensorFlow Serving over gRPC: ``Classify``, ``Regress`` and both at once, whose rows are ``tf.Example`` messages.

A feature is a field by its name, or all of a row where the model takes one thing. Its floats are 32 bits
wide: they are read as the shortest decimal that they stand for, so that 5.1 is 5.1. A feature that is not
there is a gap.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from . import messages as form
from .asking import Answer, Given, ask
from .call import Call, refused
from .plain_json import by_row
from .protobuf import read, write
from .v1 import classified, has, regressed, signature

PATH = "$.input.examples"
#: The largest number of 32 bits.
MOST = float(numpy.finfo("f4").max)


METHODS = "tensorflow/serving/"


async def classify(call: Call, message: bytes) -> bytes:
    """Classify: labels with their scores, a row."""
    has(call, "classify")
    found, spec = await _found(call, message)
    return write(form.CLASSIFY_RESPONSE, {"result": _classified(call, found), "model_spec": spec})


async def regress(call: Call, message: bytes) -> bytes:
    """Regress: one number a row."""
    found, spec = await _found(call, message)
    return write(form.REGRESS_RESPONSE, {"result": _regressed(call, found), "model_spec": spec})


async def multiple(call: Call, message: bytes) -> bytes:
    """MultiInference: the examples are read and asked once, and each task says what is told of the answer."""
    tasks: list[tuple[str, dict[str, Any]]] = []

    def prepare() -> Given:
        request = read(form.MULTI_REQUEST, message)
        tasks.extend(_tasks(call, request.get("tasks", ())))
        return by_row(call.contract, rows(call.contract, request.get("input", {})), PATH)

    found = await ask(call, prepare)
    results = [
        {"model_spec": spec, "classification_result": _classified(call, found)}
        if verb == "classify"
        else {"model_spec": spec, "regression_result": _regressed(call, found)}
        for verb, spec in tasks
    ]
    return write(form.MULTI_RESPONSE, {"results": results})


def _tasks(call: Call, sent: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """``classify`` or ``regress`` of each task, and the specification of its model as the answer has it.

    Raises:
        InvalidRows: there is none, one comes twice, or asks for what is not here.
    """
    if not sent:
        raise refused(400, "$.tasks", "no_tasks", wanted=f"{METHODS}classify, {METHODS}regress")
    seen: list[tuple[str, str]] = []
    for at, task in enumerate(sent):
        path, asked = f"$.tasks[{at}]", task.get("method_name", "")
        verb = asked.removeprefix(METHODS)
        if verb not in ("classify", "regress"):
            wanted = f"{METHODS}classify, {METHODS}regress"
            raise refused(501, f"{path}.method_name", "unknown_task", got=repr(asked)[:80], wanted=wanted)
        has(call, verb)
        spec = _spec(call, task.get("model_spec", {}), path)
        if (verb, spec["signature_name"]) in seen:
            raise refused(400, path, "task_twice", got=asked, name=spec["signature_name"])
        seen.append((verb, spec["signature_name"]))
        yield verb, spec


def _classified(call: Call, found: Answer) -> dict[str, Any]:
    rows = classified(call, found)["results"]
    listed = [{"classes": [{"label": label, "score": _float(score)} for label, score in row]} for row in rows]
    return {"classifications": listed}


def _regressed(call: Call, found: Answer) -> dict[str, Any]:
    return {"regressions": [{"value": _float(value)} for value in regressed(call, found)["results"]]}


def _float(value: float | None) -> float:
    """A number of JSON as these messages carry it, in 32 bits: null is NaN, and what is larger infinite."""
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) > MOST else value


def _spec(call: Call, asked: dict[str, Any], path: str = "$") -> dict[str, Any]:
    """The specification of the model that was asked, as the answer has it; another one's is refused."""
    number = asked.get("version", {}).get("value", 0)
    version = asked.get("version_label", "") or (str(number) if number not in (0, 1) else "")
    call.expect(asked.get("name", ""), version)
    signature(call, asked.get("signature_name", ""), f"{path}.model_spec.signature_name")
    name = asked.get("signature_name", "") or "serving_default"
    return {"name": call.engine.name, "version": {"value": 1}, "signature_name": name}


async def _found(call: Call, message: bytes) -> tuple[Answer, dict[str, Any]]:
    spec: dict[str, Any] = {}

    def prepare() -> Given:
        request = read(form.EXAMPLES_REQUEST, message)
        spec.update(_spec(call, request.get("model_spec", {})))
        return by_row(call.contract, rows(call.contract, request.get("input", {})), PATH)

    return await ask(call, prepare), spec


def rows(contract: dict[str, Any], sent: dict[str, Any]) -> list[Any]:
    """The examples of an ``Input`` as ``/predict`` takes rows.

    Raises:
        InvalidRows: a feature holds nothing that can be read.
    """
    listed = sent.get("with_context") or sent.get("example_list") or {}
    context = _features(listed.get("context", {}))
    examples = [{**context, **_features(entry)} for entry in listed.get("examples", ())]
    fields = contract["inputs"]
    names = {field["name"] for field in fields}
    if contract["input"] in ("table", "records"):
        gaps = {field["name"]: None for field in fields if field["nullable"]}
        by_name = {field["name"]: field for field in fields}
        return [
            {
                **gaps,
                **{
                    name: _value(by_name.get(name), feature, f"{PATH}[{at}].{name}"[:80])
                    for name, feature in example.items()
                },
            }
            for at, example in enumerate(examples)
        ]
    found: list[Any] = []
    for at, example in enumerate(examples):
        path = f"{PATH}[{at}]"
        if contract["input"] == "array" and example.keys() == names and len(names) > 1:
            found.append([_value(field, example[field["name"]], path) for field in fields])
        elif len(example) != 1:
            listed_names = ", ".join(sorted(names)[:12])
            raise refused(400, path, "column_names", fields=listed_names)
        else:
            found.append(_whole(contract, next(iter(example.values())), path))
    return found


def _features(example: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = example.get("features", {}).get("feature", {})
    return found


def _value(field: dict[str, Any] | None, feature: dict[str, Any], path: str) -> Any:
    """The one value of a feature; a list where it has several, for the contract to refuse; None for none."""
    values = _values(feature, path)
    if field and field["kind"] == "image":
        values = [value if isinstance(value, dict) else {"b64": value} for value in values]
    if field and field["kind"] == "boolean" and "int64_list" in feature:
        values = [bool(value) if value in (0, 1) else value for value in values]
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _values(feature: dict[str, Any], path: str) -> list[Any]:
    if "bytes_list" in feature:
        # As REST has it: what is text is read as text, an image stays a file.
        return [{"b64": base64.b64encode(value).decode()} for value in feature["bytes_list"].get("value", ())]
    if "float_list" in feature:
        return [float(str(value)) for value in numpy.asarray(feature["float_list"].get("value", ()), "f4")]
    if "int64_list" in feature:
        whole: list[Any] = numpy.asarray(feature["int64_list"].get("value", ()), "i8").tolist()
        return whole
    raise refused(400, path, "feature_type")


def _whole(contract: dict[str, Any], feature: dict[str, Any], path: str) -> Any:
    """All of a row that is one thing: a text, an image's file, the numbers of an array or a tensor."""
    values = _values(feature, path)
    if contract["input"] == "array":
        return values
    if contract["input"] == "tensor" and "bytes_list" not in feature:
        shape = contract["inputs"][0]["shape"]
        count = int(numpy.prod(shape))
        if len(values) != count:
            raise refused(400, path, "tensor_size", got=len(values), wanted=count)
        shaped: list[Any] = numpy.array(values).reshape(shape).tolist()
        return shaped
    return values[0] if len(values) == 1 else values
