"""How a server is asked and understood: the path, the body for some rows, the answers in a response."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .models import Model

#: Answers of a network may differ by this much, as another library computed them.
TOLERANCE = 1e-4

Rows = list[Any]


@dataclass(frozen=True)
class Form:
    """``path`` with ``{name}``; ``body`` makes JSON data; ``answers`` takes the decoded response."""

    path: str
    body: Callable[[Model, Rows], Any]
    answers: Callable[[Any], list[Any]] | None

    def encode(self, model: Model, rows: Rows) -> bytes:
        return json.dumps(self.body(model, rows), separators=(",", ":")).encode()

    def url(self, model: Model, port: int) -> str:
        return f"http://127.0.0.1:{port}{self.path.format(name=model.name)}"


def differs(got: list[Any], expected: list[Any]) -> str | None:
    """What is wrong with the answers; None where they are right."""
    if len(got) != len(expected):
        return f"{len(got)} answers to {len(expected)} rows"
    for row, (one, other) in enumerate(zip(got, expected, strict=True)):
        if isinstance(other, list):
            near = len(one) == len(other) and all(
                math.isclose(a, b, abs_tol=TOLERANCE, rel_tol=TOLERANCE)
                for a, b in zip(one, other, strict=True)
            )
            if not near:
                return f"row {row}: {str(one)[:80]} instead of {str(other)[:80]}"
        elif one != other:
            return f"row {row}: {one!r} instead of {other!r}"
    return None


def _rows(model: Model, rows: Rows) -> Any:
    return {"rows": rows}


def _mlflow(model: Model, rows: Rows) -> Any:
    return {"dataframe_records": rows} if model.form == "table" else {"inputs": rows}


def _flat(values: Any) -> list[Any]:
    return [deep for value in values for deep in _flat(value)] if isinstance(values, list) else [values]


def _v2(model: Model, rows: Rows, pandas: bool) -> Any:
    """Open Inference Protocol; a table is a tensor a column."""
    size = len(rows)
    if model.form != "table":
        kind = "FP32" if model.form == "tensor" else "FP64"
        shape = [size, *model.spec["shape"]]
        return {"inputs": [{"name": "rows", "shape": shape, "datatype": kind, "data": _flat(rows)}]}
    inputs = []
    for name in model.spec["columns"]:
        text = name in model.spec["texts"]
        column = {
            "name": name,
            "shape": [size, 1],
            "datatype": "BYTES" if text else "FP64",
            "data": [row[name] for row in rows],
        }
        if pandas and text:
            column["parameters"] = {"content_type": "str"}
        inputs.append(column)
    return {"inputs": inputs, **({"parameters": {"content_type": "pd"}} if pandas else {})}


def _v2_answers(body: Any) -> list[Any]:
    output = body["outputs"][0]
    data, shape = output["data"], output["shape"]
    width = math.prod(shape[1:])
    if width == 1:
        return list(data)
    return [data[at : at + width] for at in range(0, len(data), width)]


def _vetiver(model: Model, rows: Rows) -> Any:
    if model.form == "array":
        return [{f"f{place}": value for place, value in enumerate(row)} for row in rows]
    return rows


def _expert_answers(body: Any) -> list[Any]:
    first = next(iter(body.values()))
    return list(first)


ROWS = Form("/predict", _rows, lambda body: body["predictions"])
ROWS_AT_ROOT = Form("/", _rows, lambda body: body["predictions"])
ROWS_BARE = Form("/predict", _rows, lambda body: body)
MLFLOW = Form(
    "/invocations",
    _mlflow,
    lambda body: body["predictions"],
)
V2 = Form("/v2/models/{name}/infer", lambda model, rows: _v2(model, rows, True), _v2_answers)
TRITON = Form("/v2/models/{name}/infer", lambda model, rows: _v2(model, rows, False), _v2_answers)
KSERVE = Form(
    "/v1/models/{name}:predict",
    lambda model, rows: {"instances": rows},
    lambda body: body["predictions"],
)
TORCHSERVE = Form("/predictions/{name}", lambda model, rows: rows, lambda body: body)
VETIVER = Form(
    "/predict", _vetiver, lambda body: body["predict"] if "predict" in body else body["prediction"]
)
EXPERT = Form("/predict", _rows, _expert_answers)
CONSTANT = Form("/", _rows, None)
