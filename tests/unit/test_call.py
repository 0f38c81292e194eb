"""What a request of another protocol is held against, and that it need not wait where nobody else is about."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from ekiben.runtime.engine import Engine
from ekiben.runtime.predictor import Predictor
from ekiben.runtime.protocols import v2
from ekiben.runtime.protocols.call import _OUTPUTS, Call
from ekiben.runtime.through import Through


def contract(**outputs: str) -> dict[str, Any]:
    fields = [
        {"name": name, "kind": "number", "dtype": dtype, "shape": [], "nullable": False}
        for name, dtype in outputs.items()
    ]
    return {"outputs": fields, "classes": None}


def test_each_model_has_its_own_outputs_told_once() -> None:
    """And they go with it."""
    gc.collect()
    before = len(_OUTPUTS)
    one, other = Through(None, contract(a="float32"), "m:1"), Through(None, contract(b="float64"), "m:2")
    first = Call(one, "GET", "/").outputs
    assert [(entry.name, entry.datatype) for entry in first] == [("a", "FP32")]
    assert [entry.name for entry in Call(other, "GET", "/").outputs] == ["b"]
    assert Call(one, "POST", "/").outputs is first
    del one, other
    gc.collect()
    assert len(_OUTPUTS) == before


def test_who_is_alone_is_answered_without_the_queue(tmp_path: Any, monkeypatch: Any) -> None:
    import ekiben
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data, target = load_iris(return_X_y=True)
    box = ekiben.wrap(LogisticRegression(max_iter=300).fit(data, target), data, name="alone", compiled=False)
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 4], "data": data[0].tolist()}

    async def ask() -> dict[str, Any]:
        engine = Engine(Predictor(box.model.folder, box.predictor.adapter))
        engine.start()
        monkeypatch.setattr(engine, "submit", None)
        try:
            body = json.dumps({"inputs": [tensor]}).encode()
            reply = await v2.answer(Call(engine, "POST", "/v2/models/alone/infer", body=body))
            assert engine.metrics.rows == 1 and len(engine.drift.waiting) == 1
            told: dict[str, Any] = json.loads(reply.body)
            return told
        finally:
            engine.close()

    told = asyncio.run(ask())
    assert told["outputs"][0]["data"] == [int(target[0])]
