"""What a wrong request costs: it is looked at so far and no further, and never for long on the event loop."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading

import numpy
import pytest
from ekiben.contract import infer
from ekiben.protocols import Description
from ekiben.runtime import values
from ekiben.runtime.contract import check
from ekiben.runtime.engine import ODD_BODY, Engine
from ekiben.runtime.predictor import Predictor
from ekiben.runtime.problems import MOST, InvalidRows
from ekiben.runtime.protocols import invocations, v1, v2
from ekiben.runtime.protocols.call import Call
from models import applicants
from rig.boxes import kept

MANY = 20_000


class Looked(list):
    """A list that counts how many of its entries were looked at one by one."""

    seen = 0

    def __iter__(self):
        for entry in super().__iter__():
            self.seen += 1
            yield entry


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return kept(model, X, "refusing")


def refused(box, rows) -> dict:
    with pytest.raises(InvalidRows) as caught:
        check(box.contract.to_json(), rows)
    return caught.value.body()


@pytest.mark.parametrize("wrong", [3, [], {}, {"age": 1, "nobody": 2}])
def test_of_many_wrong_rows_the_first_are_told_and_the_rest_not_looked_at(box, wrong):
    rows = Looked([wrong] * MANY)
    told = refused(box, rows)
    assert (told["count"], told["more"]) == (MOST, True)
    assert told["problems"][0]["path"].startswith("$.rows[0]")
    assert rows.seen <= MOST + 2


def test_of_many_wrong_values_the_first_of_each_column_are_read(box, monkeypatch):
    read = dict.fromkeys(values.READERS, 0)
    for kind, reader in values.READERS.items():

        def counted(*arguments, kind=kind, reader=reader):
            read[kind] += 1
            return reader(*arguments)

        monkeypatch.setitem(values.READERS, kind, counted)
    good = box.contract.golden.rows[0]
    told = refused(box, [dict.fromkeys(good, "x" * 1000)] * MANY)
    assert (told["count"], told["more"]) == (MOST, True)
    assert 0 < sum(read.values()) <= (MOST + 2) * len(good)
    assert len(json.dumps(told)) < 20_000
    told = refused(box, [{**good, "age": "x"}] * MOST)
    assert told["count"] == MOST and "more" not in told


def test_a_row_of_many_unknown_fields_is_told_in_the_order_sent(box):
    told = refused(box, [{f"f{n}": 1 for n in range(MANY)}])
    assert told["count"] == MOST and told["more"]
    unknown = [entry["path"] for entry in told["problems"] if entry["code"] == "unknown_field"]
    assert unknown[:2] == ["$.rows[0].f0", "$.rows[0].f1"]


def test_warnings_are_no_more_than_are_told(box):
    good = box.contract.golden.rows[0]
    _columns, warnings = check(box.contract.to_json(), [{**good, "age": 90}] * MANY)
    assert len(warnings) == MOST


def test_what_is_large_or_packed_is_read_beside_the_event_loop(box, monkeypatch):
    where: list[bool] = []
    whole = Predictor.check

    def noted(self, rows):
        where.append(threading.current_thread() is threading.main_thread())
        return whole(self, rows)

    async def ask(path: str, answer, body: bytes, **headers: str) -> bool:
        engine = Engine(box.predictor)
        engine.start()
        try:
            sent = {b"content-type": b"application/json"}
            sent |= {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
            call = Call(engine, "POST", path, sent, body, limit=2**23)
            where.clear()
            with pytest.raises(InvalidRows):
                await (engine.answer_body(body) if answer is None else answer(call))
        finally:
            engine.close()
        return where[0]

    monkeypatch.setattr(Predictor, "check", noted)
    name = box.model.name
    long = [3] * (ODD_BODY // 2)
    for rows, on_loop in (([3], True), (long, False)):
        for path, answer, key in (
            ("/predict", None, "rows"),
            (f"/v1/models/{name}:predict", v1.answer, "instances"),
            ("/invocations", invocations.answer, "dataframe_records"),
        ):
            body = json.dumps({key: rows}).encode()
            assert asyncio.run(ask(path, answer, body)) is on_loop, path
    body = gzip.compress(json.dumps({"dataframe_records": long}).encode())
    assert len(body) < ODD_BODY
    assert not asyncio.run(ask("/invocations", invocations.answer, body, content_encoding="gzip"))


def test_of_many_unknown_tensors_the_first_are_told(box):
    tensors = [{"name": f"t{n}", "datatype": "INT64", "shape": [1], "data": [1]} for n in range(1000)]

    async def ask():
        engine = Engine(box.predictor)
        engine.start()
        try:
            path = f"/v2/models/{box.model.name}/infer"
            await v2.answer(Call(engine, "POST", path, body=json.dumps({"inputs": tensors}).encode()))
        finally:
            engine.close()

    with pytest.raises(InvalidRows) as caught:
        asyncio.run(ask())
    assert caught.value.more and len(caught.value.problems) <= MOST + 1 + len(box.contract.inputs)


@pytest.mark.parametrize(
    "row", [[["1.5", None]], [["abc", None]], [[{}, None]], [[True, None]], [[10**400, None]]]
)
def test_a_tensor_with_gaps_takes_numbers_and_gaps_alone(row):
    about = Description("look", "prediction", True)
    sample = numpy.array([[[1.5, numpy.nan]]] * 3)
    contract = infer(sample, lambda data: {"predictions": [0.5] * len(data)}, about).to_json()
    (columns,), _warnings = check(contract, [[[2, None]]])
    assert columns[0][0, 0] == 2 and numpy.isnan(columns[0][0, 1])
    with pytest.raises(InvalidRows, match=r"\$\.rows\[0\]"):
        check(contract, [row])
