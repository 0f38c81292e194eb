"""MLflow's scoring protocol and SageMaker's: ``POST /invocations`` and ``GET /ping``."""

from __future__ import annotations

import json
from typing import Any

from ..predictor import plain
from ..problems import InvalidRows, kind_of
from ..reply import Reply
from .asking import Given, ask, written
from .call import Call, refused, sentences
from .comma import by_csv
from .plain_json import by_column, by_row, row_place, scalars

NAME = "invocations"
KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CODES = {
    400: "BAD_REQUEST",
    404: "ENDPOINT_NOT_FOUND",
    405: "BAD_REQUEST",
    408: "BAD_REQUEST",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "TEMPORARILY_UNAVAILABLE",
}


async def answer(call: Call) -> Reply:
    """One request.

    Raises:
        InvalidRows: with the status and what is wrong.
    """
    if call.path == "/ping":
        call.only("GET", "HEAD")
        return Reply(200 if call.engine.ready else 503, b"\n", b"text/plain; charset=utf-8")
    if call.path != "/invocations":
        raise refused(404, call.path, "unknown_route", known="/invocations, /ping")
    call.only("POST")
    found = await ask(call, lambda: _read(call))

    def write() -> bytes:
        if found.body is not None:
            return _bytes(found.body)
        body: bytes = call.engine.write(found.outputs, found.warnings, call.language)
        return body

    return Reply(200, await written(call, found, write))


def trouble(error: InvalidRows, call: Call) -> Reply:
    """``{"error_code": "…", "message": "…"}``, and each place beside it."""
    told = error.body(call.language)
    told.pop("error", None)
    body = {
        "error_code": CODES.get(error.status, "INTERNAL_ERROR"),
        "message": sentences(error, call.language),
        "problems": [],
    }
    return Reply(error.status, _bytes(body | told))


def _read(call: Call) -> Given:
    call.unpack()
    content, *parameters = [part.strip().lower() for part in call.header(b"content-type").split(";")]
    if content == "text/csv":
        return by_csv(call.contract, call.body)
    if content != "application/json":
        raise refused(
            415,
            "Content-Type",
            "unknown_content",
            got=repr(content)[:80],
            wanted="application/json, text/csv",
        )
    body = call.json()
    # Before version 2 MLflow named the format in the content type, and the body was the frame itself.
    if "format=pandas-split" in parameters:
        return _split(call.contract, body, "$")
    if "format=pandas-records" in parameters:
        return by_row(call.contract, body, "$")
    if not isinstance(body, dict):
        raise refused(400, "$", "body_type", got=kind_of(body), wanted=", ".join(KEYS))
    named = [key for key in KEYS if key in body]
    if len(named) != 1:
        raise refused(400, "$", "one_key", wanted=", ".join(KEYS))
    key = named[0]
    if key == "dataframe_split":
        return _split(call.contract, body[key], f"$.{key}")
    read = by_column if key == "inputs" else by_row
    return read(call.contract, body[key], f"$.{key}")


def _split(contract: dict[str, Any], frame: Any, key: str) -> Given:
    """A DataFrame's ``to_dict(orient="split")``: names, and rows in their order."""
    if not isinstance(frame, dict):
        raise refused(400, key, "object_type", got=kind_of(frame))
    data = frame.get("data")
    if not isinstance(data, list):
        raise refused(400, f"{key}.data", "list_type", got=kind_of(data))
    names = [field["name"] for field in contract["inputs"]]
    columns = frame.get("columns", names)
    if contract["input"] not in ("table", "records"):
        if isinstance(columns, list) and sorted(map(str, columns)) == sorted(names) and columns != names:
            order = [columns.index(name) for name in names]
            data = [[row[at] for at in order] if _fits(row, names) else row for row in data]
        return by_row(contract, data, f"{key}.data")
    if not isinstance(columns, list) or sorted(map(str, columns)) != sorted(names):
        raise refused(400, f"{key}.columns", "column_names", fields=", ".join(names[:20]))
    for index, row in enumerate(data):
        if not isinstance(row, list):
            raise refused(400, f"{key}.data[{index}]", "row_type", got=kind_of(row), wanted="list")
        if len(row) != len(names):
            path = f"{key}.data[{index}]"
            raise refused(400, path, "row_width", got=len(row), wanted=len(names))
    place = {name: at for at, name in enumerate(columns)}
    read = [
        scalars(field, [row[place[field["name"]]] for row in data], f"{key}.data")
        for field in contract["inputs"]
    ]
    return Given(columns=read, place=row_place(f"{key}.data"))


def _fits(row: Any, names: list[str]) -> bool:
    return isinstance(row, list) and len(row) == len(names)


def _bytes(body: Any) -> bytes:
    return json.dumps(plain_body(body), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def plain_body(body: Any) -> Any:
    """A body without NaN."""
    return {key: plain(value) for key, value in body.items()} if isinstance(body, dict) else body
