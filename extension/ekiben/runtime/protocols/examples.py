"""One row sent in each protocol, as text for people: the service's page and the project's README show it."""

from __future__ import annotations

import json
from typing import Any

from .described import Described, inputs

#: Stands for the base64 of a file in an example.
FILE = "<image.png>"


def bodies(model: str, contract: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """``(protocol, path, body)`` of the first golden row, for each protocol over REST."""
    row = unfiled(contract["golden"]["rows"][0])
    table = contract["input"] in ("table", "records")
    tensors = [_tensor(entry, row, table) for entry in inputs(contract)]
    return [
        ("BentoML", "/predict", {"rows": [row]}),
        ("TensorFlow Serving, KServe V1", f"/v1/models/{model}:predict", {"instances": [row]}),
        ("Open Inference Protocol V2", f"/v2/models/{model}/infer", {"inputs": tensors}),
        ("MLflow, SageMaker", "/invocations", {"dataframe_records" if table else "instances": [row]}),
    ]


def calls(model: str, contract: dict[str, Any], base: str) -> list[tuple[str, str]]:
    """``(protocol, command)`` for the service at ``base`` (``http://HOST:PORT``); gRPC is Python."""
    row = unfiled(contract["golden"]["rows"][0])
    found = [(title, curl(f"{base}{path}", body)) for title, path, body in bodies(model, contract)]
    table = contract["input"] in ("table", "records")
    by_grpc = _grpc(model, base.partition("://")[2], inputs(contract), row, table)
    return [*found[:3], ("Open Inference Protocol V2, gRPC", by_grpc), *found[3:]]


def curl(url: str, body: Any) -> str:
    """The shell command that sends a body; an image in it is read from a file."""
    head = f"curl -X POST {url} -H 'content-type: application/json' \\\n  "
    text = json.dumps(body, ensure_ascii=False)
    if FILE not in text:
        return f"{head}-d '{_quoted(_short(text))}'"
    # No command line is long enough for a photograph.
    parts = "; base64 < image.png | tr -d '\\n'; ".join(
        f"printf %s '{_quoted(part)}'" for part in text.split(FILE)
    )
    return f"({parts}) |\n  {head}-d @-"


def unfiled(row: Any) -> Any:
    """A row in which ``FILE`` stands for each image."""
    if isinstance(row, dict):
        if row.keys() == {"b64"}:
            return {"b64": FILE}
        return {name: unfiled(value) for name, value in row.items()}
    return row


def _quoted(text: str) -> str:
    """Text for between a shell's single quotes."""
    return text.replace("'", "'\\''")


def _short(text: str) -> str:
    """A row of a thousand numbers is nothing to read."""
    return text if len(text) < 2000 else f"{text[:200]}…"


def _tensor(entry: Described, row: Any, table: bool) -> dict[str, Any]:
    value = row[entry.name] if table else row
    if isinstance(value, dict):
        value = value["b64"]
    shape = [1, *entry.shape[1:]]
    return {"name": entry.name, "datatype": entry.datatype, "shape": shape, "data": [value]}


def _grpc(model: str, host: str, tensors: list[Described], row: Any, table: bool) -> str:
    entry = tensors[0]
    value = row[entry.name] if table else row
    value = "" if value is None and entry.datatype == "BYTES" else value
    shown = "numpy.nan" if value is None else _short(repr(value))
    if isinstance(value, dict):
        shown = 'open("image.png", "rb").read()'
    more = ", …" if len(tensors) > 1 else ""
    return "\n".join(
        [
            "import numpy",
            "import tritonclient.grpc as client  # pip install tritonclient[grpc]",
            "from tritonclient.utils import triton_to_np_dtype",
            "",
            f"values = numpy.array([{shown}], triton_to_np_dtype({json.dumps(entry.datatype)}))",
            f"tensor = client.InferInput({json.dumps(entry.name, ensure_ascii=False)}, "
            f'values.shape, "{entry.datatype}")',
            "tensor.set_data_from_numpy(values)",
            f'print(client.InferenceServerClient("{host}").infer("{model}", [tensor{more}])'
            '.as_numpy("predictions"))',
        ]
    )
