"""An edited ``service.py`` answers for itself in every protocol, or the protocol says that it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as by_grpc
from ekiben import service
from ekiben.service import RunningServer
from matrix import Station
from rig.tensors import tensors
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.slow

MINE = 'return {"predictions": ["mine"] * len(rows), "note": "x"} if len(rows) < 3 else {"label": "mine"}'


@pytest.fixture(scope="module")
def edited(stations: dict[str, Station], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    people = stations["applicants"]
    project = replace(people.box.project, folder=str(tmp_path_factory.mktemp("edited") / "project"))
    shutil.copytree(people.box.project.folder, project.folder)
    file = Path(project.folder) / "service.py"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("return self.predictor.respond(rows)", MINE)
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    with service.start(project, people.box.model, timeout=120) as server:
        assert isinstance(server, RunningServer)
        yield Station("edited", people.case, people.box, server)


def infer(edited: Station, count: int) -> by_grpc.InferResult:
    made = []
    for name, datatype, values in tensors(edited, binary=True):
        tensor = by_grpc.InferInput(name, [count], datatype)
        tensor.set_data_from_numpy(values[:count])
        made.append(tensor)
    with by_grpc.InferenceServerClient(edited.host) as client:
        return client.infer(edited.box.model.name, made)


def asked(edited: Station, count: int) -> dict[str, tuple[str, Any]]:
    name, rows = edited.box.model.name, edited.rows[:count]
    sent = []
    for tensor, kind, values in tensors(edited, binary=False):
        data = [None if value != value else value for value in values[:count].tolist()]
        sent.append({"name": tensor, "datatype": kind, "shape": [count], "data": data})
    return {
        "v1": (f"/v1/models/{name}:predict", {"instances": rows}),
        "invocations": ("/invocations", {"dataframe_records": rows}),
        "v2": (f"/v2/models/{name}/infer", {"inputs": sent}),
    }


def test_its_own_answer_is_carried(edited: Station) -> None:
    for protocol, (path, body) in asked(edited, 2).items():
        status, answer = edited.call(path, body)
        assert (protocol, status) == (protocol, 200), answer
        if protocol == "v2":
            assert answer["outputs"] == [
                {"name": "predictions", "datatype": "BYTES", "shape": [2], "data": ["mine", "mine"]}
            ]
        else:
            assert answer == {"predictions": ["mine", "mine"], "note": "x"}
    assert infer(edited, 2).as_numpy("predictions").tolist() == [b"mine", b"mine"]


def test_what_cannot_be_carried_is_said(edited: Station) -> None:
    for path, body in asked(edited, 3).values():
        status, answer = edited.call(path, body)
        assert status == 501
        assert "this protocol cannot carry what it answers (label)" in (
            answer.get("error") or answer["message"]
        )
    with pytest.raises(InferenceServerException, match=r"cannot carry what it answers \(label\)") as caught:
        infer(edited, 3)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
