"""TensorFlow Serving's REST interface and KServe's V1: ``/v1/models/NAME[/versions/V][:VERB]``.

``predictions`` holds the model's predictions; probabilities and classes stand beside it under their own
names, as in ``/predict``. ``signature_name`` may name another output to stand there.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ..decode import Decode, decoder
from ..engine import Engine
from ..predictor import plain
from ..problems import InvalidRows, kind_of
from ..reply import Reply
from .asking import Answer, Given, ask, written
from .call import Call, refused, sentences
from .plain_json import by_column, by_row

NAME = "v1"
VERBS = ("predict", "classify", "regress")
DEFAULT = ("", "serving_default", "predictions")


async def answer(call: Call) -> Reply:
    """One request.

    Raises:
        InvalidRows: with the status and what is wrong.
    """
    parts = call.path.rstrip("/").split("/")[2:]
    if parts[:1] != ["models"]:
        raise refused(404, call.path, "unknown_route", known="/v1/models/NAME:predict")
    if len(parts) == 1:
        call.only("GET", "HEAD")
        return _json({"models": [call.engine.name]})
    last, _colon, verb = parts[-1].partition(":")
    name, *more = [*parts[1:-1], last]
    version = ""
    if more[:1] == ["versions"] and len(more) > 1:
        # TensorFlow's versions are numbers and ours is a tag: its first stands for the only one.
        version, more = "" if more[1] == "1" else more[1], more[2:]
    call.expect(name, version)
    if not verb and not more:
        call.only("GET", "HEAD")
        return _json(_status(call))
    if not verb and more == ["metadata"]:
        call.only("GET", "HEAD")
        return _json(_metadata(call))
    if more or verb not in VERBS:
        known = ", ".join(f"/v1/models/{call.engine.name}:{entry}" for entry in VERBS)
        raise refused(404, call.path, "unknown_route", known=known)
    call.only("POST")
    return await (_predict(call) if verb == "predict" else _examples(call, verb))


def trouble(error: InvalidRows, call: Call) -> Reply:
    """``{"error": "…"}``, and each place beside it."""
    told = {**error.body(call.language), "error": sentences(error, call.language)}
    return _json(told, error.status)


async def _predict(call: Call) -> Reply:
    fast = _decoder(call.engine) if isinstance(call.engine, Engine) else None
    asked = ""
    column = False

    def read() -> Given:
        nonlocal asked, column
        call.unpack()
        if fast and b'"inputs"' not in call.body and b'"signature_name"' not in call.body:
            rows = fast(call.body)
            if rows is not None:
                return Given(checked=rows)
        body = call.json()
        if not isinstance(body, dict):
            raise refused(400, "$", "body_type", got=kind_of(body), wanted="instances, inputs")
        asked = signature(call, body.get("signature_name", ""))
        if ("instances" in body) is ("inputs" in body):
            raise refused(400, "$", "one_key", wanted="instances, inputs")
        column = "inputs" in body
        if column:
            return by_column(call.contract, body["inputs"])
        return by_row(call.contract, body["instances"])

    found = await ask(call, read)
    _has(found, asked)

    def write() -> bytes:
        if not column and not asked and found.body is None:
            body: bytes = call.engine.write(found.outputs, found.warnings, call.language)
            return body
        return _bytes(_columns(call, found, asked) if column else _rows(call, found, asked))

    return Reply(200, await written(call, found, write))


@lru_cache(maxsize=4)
def _decoder(engine: Engine) -> Decode | None:
    return decoder(engine.contract, "instances")


def signature(call: Call, name: Any, path: str = "$.signature_name") -> str:
    """The output that a signature stands for; empty for the default."""
    known = [entry["name"] for entry in call.contract["outputs"]]
    if name in DEFAULT:
        return ""
    if not isinstance(name, str) or name not in known:
        listed = ", ".join(["serving_default", *known])
        raise refused(400, path, "unknown_signature", name=repr(name)[:80], known=listed)
    return name


def _has(found: Answer, signature: str) -> None:
    if signature and signature not in found.outputs:
        known = ", ".join(found.outputs)
        raise refused(400, "$.signature_name", "unknown_signature", name=signature, known=known)


def _rows(call: Call, found: Answer, signature: str) -> dict[str, Any]:
    if signature:
        return {"predictions": plain(found.outputs[signature]), **_notices(call, found)}
    if found.body is not None:
        return found.body
    return {name: plain(values) for name, values in found.outputs.items()}


def _columns(call: Call, found: Answer, signature: str) -> dict[str, Any]:
    named = {name: plain(values) for name, values in found.outputs.items()}
    outputs = named[signature] if signature else named
    if not signature and len(named) == 1:
        outputs = next(iter(named.values()))
    return {"outputs": outputs, **_notices(call, found)}


def _notices(call: Call, found: Answer) -> dict[str, Any]:
    told = found.notices(call.language)
    return {"warnings": told} if told else {}


async def _examples(call: Call, verb: str) -> Reply:
    """``:classify`` and ``:regress``: a list of examples, each an object by name; ``context`` fills gaps."""
    has(call, verb)

    def read() -> Given:
        call.unpack()
        body = call.json()
        if not isinstance(body, dict) or not isinstance(body.get("examples"), list):
            raise refused(400, "$", "one_key", wanted="examples")
        signature(call, body.get("signature_name", ""))
        context = body.get("context", {})
        if not isinstance(context, dict):
            raise refused(400, "$.context", "object_type", got=kind_of(context))
        examples = [{**context, **one} if isinstance(one, dict) else one for one in body["examples"]]
        return by_row(call.contract, examples, "$.examples")

    found = await ask(call, read)
    write = classified if verb == "classify" else regressed
    return Reply(
        200, await written(call, found, lambda: _bytes({**write(call, found), **_notices(call, found)}))
    )


def has(call: Call, verb: str) -> None:
    """Raises InvalidRows where the model gives nothing to classify by."""
    if verb == "classify" and call.contract["classes"] is None:
        raise refused(400, call.path, "no_classes")


def classified(call: Call, found: Answer) -> dict[str, Any]:
    """``results``: a row's classes as pairs of label and score.

    Raises:
        InvalidRows: the scores are not those of the classes.
    """
    labels = [str(label) for label in call.contract["classes"] or ()]
    scores = plain(found.outputs.get("probabilities"))
    if scores is None:
        return {"results": [[[str(label), 1.0]] for label in plain(found.outputs["predictions"])]}
    if any(not isinstance(row, list) or len(row) != len(labels) for row in scores):
        raise refused(400, call.path, "no_classes")
    return {"results": [[list(pair) for pair in zip(labels, row, strict=True)] for row in scores]}


def regressed(call: Call, found: Answer) -> dict[str, Any]:
    """``results``: a row's number.

    Raises:
        InvalidRows: the model gives something else.
    """
    values = plain(found.outputs["predictions"])
    if any(isinstance(value, bool) or not isinstance(value, (int, float, type(None))) for value in values):
        raise refused(400, call.path, "no_number")
    return {"results": values}


def _status(call: Call) -> dict[str, Any]:
    """TensorFlow Serving's version status and KServe's readiness in one object."""
    ready = bool(call.engine.ready)
    state = {
        "version": call.engine.version,
        "state": "AVAILABLE" if ready else "LOADING",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return {"name": call.engine.name, "ready": ready, "model_version_status": [state]}


def _metadata(call: Call) -> dict[str, Any]:
    from .described import signatures

    spec = {"name": call.engine.name, "signature_name": "", "version": call.engine.version}
    defined = {"signature_def": signatures(call.contract)}
    return {"model_spec": spec, "metadata": {"signature_def": defined}}


def _bytes(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _json(body: Any, status: int = 200) -> Reply:
    return Reply(status, _bytes(body))
