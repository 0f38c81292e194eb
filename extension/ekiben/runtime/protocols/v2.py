"""The Open Inference Protocol (KServe V2, Triton, MLServer) over REST, with the binary tensor extension."""

from __future__ import annotations

import json
from typing import Any

from ..problems import InvalidRows, kind_of
from ..reply import Reply
from . import data
from .asking import Answer, Given, ask, written
from .call import Call, refused, sentences
from .described import inputs
from .tensor_rows import given
from .tensors import Output, Tensor, check_head, from_bytes, from_json, output

NAME = "v2"
EXTENSIONS = ("binary_tensor_data",)
LENGTH = b"inference-header-content-length"


async def answer(call: Call) -> Reply:
    """One request.

    Raises:
        InvalidRows: with the status and what is wrong.
    """
    match call.path.strip("/").split("/")[1:]:
        case []:
            call.only("GET", "HEAD")
            return _json(server_metadata(call))
        case ["health", ("live" | "ready") as state]:
            call.only("GET", "HEAD")
            return _state(state == "live" or call.engine.ready, state)
        case ["models"]:
            call.only("GET", "HEAD")
            return _json({"models": [call.engine.name]})
        case ["repository", "index"]:
            call.only("POST")
            loaded = "READY" if call.engine.ready else "UNAVAILABLE"
            told = {"name": call.engine.name, "version": call.engine.version, "state": loaded, "reason": ""}
            return Reply(200, _bytes([told]))
        case ["models", name, "versions", version, *verb]:
            call.expect(name, version)
        case ["models", name, *verb]:
            call.expect(name)
        case _:
            verb = ["?"]
    match verb:
        case []:
            call.only("GET", "HEAD")
            return _json(model_metadata(call))
        case ["ready"]:
            call.only("GET", "HEAD")
            return _state(call.engine.ready, "ready", name=call.engine.name)
        case ["infer"]:
            call.only("POST")
            return await _infer(call)
    base = f"/v2/models/{call.engine.name}"
    raise refused(404, call.path, "unknown_route", known=f"/v2, /v2/health/ready, {base}, {base}/infer")


def trouble(error: InvalidRows, call: Call) -> Reply:
    """``{"error": "…"}``, and each place beside it."""
    told = {**error.body(call.language), "error": sentences(error, call.language)}
    return _json(told, error.status)


def server_metadata(call: Call) -> dict[str, Any]:
    """Name, version and extensions of the server: the model's, which is all that it serves."""
    return {"name": call.engine.name, "version": call.engine.version, "extensions": list(EXTENSIONS)}


def model_metadata(call: Call) -> dict[str, Any]:
    """Name, versions, platform, and the tensors that go in and come out."""
    manifest = getattr(call.engine, "manifest", {})
    return {
        "name": call.engine.name,
        "versions": [call.engine.version],
        "platform": f"{manifest.get('framework', 'python')}_{manifest.get('storage', 'service')}",
        "inputs": _listed(inputs(call.contract)),
        "outputs": _listed(call.outputs),
    }


def _listed(tensors: list[Any]) -> list[dict[str, Any]]:
    return [{"name": entry.name, "datatype": entry.datatype, "shape": list(entry.shape)} for entry in tensors]


class Wanted:
    """What a request asks of its answer: the outputs by name, and which of them in binary."""

    def __init__(self) -> None:
        self.id: Any = None
        self.names: list[str] | None = None
        self.binary: dict[str, bool] = {}
        self.all_binary = False

    def read(self, request: dict[str, Any]) -> None:
        """Takes it from the JSON of a request.

        Raises:
            InvalidRows: it is not of the protocol's form.
        """
        self.id = request.get("id")
        if self.id is not None and not isinstance(self.id, str):
            raise refused(
                400, "$.id", "wrong_type", value=repr(self.id)[:40], got=kind_of(self.id), kind="text"
            )
        self.all_binary = parameters(request, "$").get("binary_data_output") is True
        asked = request.get("outputs")
        if asked is None:
            return
        if not isinstance(asked, list):
            raise refused(400, "$.outputs", "list_type", got=kind_of(asked))
        self.names = []
        for index, entry in enumerate(asked):
            path = f"$.outputs[{index}]"
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise refused(400, path, "tensor_type", part="name")
            told = parameters(entry, path)
            if told.get("classification"):
                raise refused(400, f"{path}.parameters.classification", "no_classification")
            self.names.append(entry["name"])
            if "binary_data" in told:
                self.binary[entry["name"]] = told["binary_data"] is True


def parameters(entry: dict[str, Any], path: str) -> dict[str, Any]:
    """The ``parameters`` of a request or a tensor."""
    found = entry.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise refused(400, f"{path}.parameters", "object_type", got=kind_of(found))
    return found


async def _infer(call: Call) -> Reply:
    wanted = Wanted()

    def read() -> Given:
        call.unpack()
        head, binary = _parts(call)
        request = data.request(head)
        if not isinstance(request, dict):
            raise refused(400, "$", "body_type", got=kind_of(request), wanted="inputs")
        wanted.read(request)
        check_outputs(call, wanted.names)
        sent = request.get("inputs")
        if not isinstance(sent, list):
            raise refused(400, "$.inputs", "list_type", got=kind_of(sent))
        tensors, at = [], 0
        for index, entry in enumerate(sent):
            tensor, at = _tensor(entry, f"$.inputs[{index}]", binary, at)
            tensors.append(tensor)
        if at != len(binary):
            raise refused(400, "$", "binary_left", got=len(binary) - at)
        return given(call.contract, tensors)

    found = await ask(call, read)
    headers: list[tuple[bytes, bytes]] = []

    def write() -> bytes:
        return _write(call, found, wanted, headers)

    body = await written(call, found, write)
    kind = b"application/octet-stream" if headers else b"application/json"
    return Reply(200, body, kind, tuple(headers))


def _parts(call: Call) -> tuple[bytes, memoryview]:
    """The JSON of a request and the bytes that follow it."""
    length = call.header(LENGTH)
    if not length:
        return call.body, memoryview(b"")
    if not length.isascii() or not length.isdigit() or int(length[:18]) > len(call.body):
        raise refused(400, "Inference-Header-Content-Length", "json_length")
    return call.body[: int(length)], memoryview(call.body)[int(length) :]


def _tensor(entry: Any, path: str, binary: memoryview, at: int) -> tuple[Tensor, int]:
    """An input, and where the next one's bytes begin."""
    if not isinstance(entry, dict):
        raise refused(400, path, "object_type", got=kind_of(entry))
    name, datatype = entry.get("name"), entry.get("datatype")
    shape = check_head(name, datatype, entry.get("shape"), path)
    told = parameters(entry, path)
    size = told.get("binary_data_size")
    if size is None:
        flat = from_json(entry.get("data"), str(datatype), shape, path)
        return Tensor(str(name), str(datatype), shape, flat, path, parameters=told), at
    if type(size) is not int or not 0 <= size <= len(binary) - at:
        wanted = repr(size)[:40]
        raise refused(400, path, "tensor_bytes", got=len(binary) - at, wanted=wanted)
    flat = from_bytes(binary[at : at + size], str(datatype), shape, path)
    return Tensor(str(name), str(datatype), shape, flat, path, True, told), at + size


def check_outputs(call: Call, names: list[str] | None) -> None:
    """Raises InvalidRows where a request asks for an output that the model has not got."""
    known = [entry.name for entry in call.outputs]
    for index, name in enumerate(names or ()):
        if name not in known and not hasattr(call.engine, "app"):
            path = f"$.outputs[{index}]"
            raise refused(400, path, "unknown_output", got=repr(name)[:80], wanted=", ".join(known))


def answered(call: Call, found: Answer, names: list[str] | None) -> list[Output]:
    """The tensors of an answer, all or those that were asked for."""
    told = {entry.name: entry for entry in call.outputs}
    given_outputs = dict(found.outputs)
    classes = call.contract["classes"]
    if classes is not None and found.body is None:
        given_outputs["classes"] = classes
    made = []
    for index, name in enumerate(names if names else given_outputs):
        if name not in given_outputs:
            wanted = ", ".join(given_outputs)
            raise refused(400, f"$.outputs[{index}]", "unknown_output", got=repr(name)[:80], wanted=wanted)
        made.append(output(name, given_outputs[name], told.get(name)))
    return made


def warnings(call: Call, found: Answer) -> dict[str, str]:
    """The parameters of an answer: its warnings, as JSON text, where it has any."""
    told = found.notices(call.language)
    return {"warnings": json.dumps(told, ensure_ascii=False)} if told else {}


def _write(call: Call, found: Answer, wanted: Wanted, headers: list[tuple[bytes, bytes]]) -> bytes:
    listed, parts = [], []
    for made in answered(call, found, wanted.names):
        entry: dict[str, Any] = {"name": made.name, "datatype": made.datatype, "shape": made.shape}
        if wanted.binary.get(made.name, wanted.all_binary):
            parts.append(made.packed())
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = made.listed()
        listed.append(entry)
    body: dict[str, Any] = {"model_name": call.engine.name, "model_version": call.engine.version}
    if wanted.id is not None:
        body["id"] = wanted.id
    told = warnings(call, found)
    if told:
        body["parameters"] = told
    body["outputs"] = listed
    head = _bytes(body)
    if not parts:
        return head
    headers.append((LENGTH, str(len(head)).encode()))
    return b"".join([head, *parts])


def _state(good: bool, word: str, **more: Any) -> Reply:
    return _json({**more, word: bool(good)}, 200 if good else 503)


def _bytes(body: Any) -> bytes:
    return _encode(body).encode("utf-8", "replace")


#: Made once; ``json.dumps`` would make one for each answer.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(body: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, _bytes(body))
