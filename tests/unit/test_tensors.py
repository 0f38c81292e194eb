"""Tensors of images: a file travels as bytes, an array as it is."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace

import numpy
import pytest
from ekiben.contract import infer
from ekiben.protocols import Description
from ekiben.requirements import needed, reading_imports
from ekiben.runtime.contract import check
from ekiben.runtime.images import encoded
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.protocols import messages, protobuf, tensorflow
from ekiben.runtime.protocols.call import Call
from ekiben.runtime.protocols.described import inputs
from ekiben.runtime.protocols.tensor_rows import given
from ekiben.runtime.protocols.tensors import Tensor
from PIL import Image


class Engine(SimpleNamespace):
    """What a call needs of an engine, and may keep something for it."""

    __hash__ = object.__hash__


def noise(seed: int) -> numpy.ndarray:
    return numpy.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype="uint8")


def agreed(sample: object) -> dict:
    about = Description("look", "prediction", True)
    return infer(sample, lambda data: {"predictions": [0.0] * len(data)}, about).to_json()


def test_shapes_that_claim_too_much_are_refused_before_anything_is_made() -> None:
    contract = agreed([Image.fromarray(noise(seed)) for seed in range(3)])
    claimed = Tensor("image", "UINT8", (2**39, 0), [], "$.inputs[0]")
    with pytest.raises(InvalidRows, match="shape"):
        given(contract, [claimed])
    one = {"dtype": 2, "double_val": numpy.ones(1), "tensor_shape": {"dim": [{"size": 2**26}]}}
    asked = {"model_spec": {"name": "look"}, "inputs": {"a": one, "b": one}}
    message = protobuf.write(messages.PREDICT_REQUEST, asked)
    engine = Engine(contract=contract, name="look", version="1", app=None)
    call = Call(engine, "POST", "/", body=message, limit=2**20)
    with pytest.raises(InvalidRows) as refused:
        asyncio.run(tensorflow.predict(call, message))
    assert refused.value.status == 413


def test_files_travel_as_bytes_or_as_base64() -> None:
    contract = agreed([Image.fromarray(noise(seed)) for seed in range(3)])
    assert [(entry.datatype, entry.shape) for entry in inputs(contract)] == [("BYTES", (-1,))]
    file = encoded(Image.fromarray(noise(9)))
    raw = base64.b64decode(file["b64"])
    for flat in ([raw], [memoryview(raw)], [file["b64"]]):
        tensor = Tensor("image", "BYTES", (1,), flat, "$.inputs[0]")
        assert given(contract, [tensor]).rows == [file]
    wanted = r"\$.inputs\[0\].datatype: The datatype FP32 cannot carry"
    with pytest.raises(InvalidRows, match=wanted):
        given(contract, [Tensor("image", "FP32", (1,), [1.0], "$.inputs[0]")])


def test_arrays_travel_as_they_are() -> None:
    contract = agreed(numpy.stack([noise(seed) for seed in range(3)]))
    tensor = Tensor("x", "UINT8", (1, 4, 5, 3), noise(9).ravel(), "$.inputs[0]")
    found = given(contract, [tensor])
    rows, warnings = found.check(SimpleNamespace(contract=contract))
    assert (rows[0] == noise(9)).all()
    assert not warnings
    # Row by row, as where something is odd.
    assert (check(contract, list(found.rows))[0][0][0] == noise(9)).all()


@pytest.mark.parametrize(
    ("shape", "dtype", "wanted"),
    [
        ((16, 16), "float32", ("simdjson",)),
        ((4, 64), "int64", ("simdjson",)),
        ((2, 5), "float32", ()),
        ((30,), "float32", ("simdjson",)),
        ((4,), "float64", ()),
        ((30,), "bool", ()),
    ],
)
def test_many_numbers_bring_their_reader(shape, dtype, wanted) -> None:
    about = Description("look", "prediction", True)
    sample = numpy.ones((3, *shape), dtype)
    contract = infer(sample, lambda data: {"predictions": [0.5] * len(data)}, about)
    assert reading_imports(contract) == wanted
    lines = needed(reading_imports(contract)).lines
    assert any(line.startswith("pysimdjson==") for line in lines) == bool(wanted)


def test_numbers_of_examples_are_what_their_32_bits_stand_for():
    from ekiben.runtime.protocols import features, messages
    from ekiben.runtime.protocols.protobuf import read, write

    fields = [
        {"name": "age", "kind": "integer", "nullable": True},
        {"name": "size", "kind": "number", "nullable": False},
        {"name": "member", "kind": "boolean", "nullable": False},
    ]
    feature = {
        "size": {"float_list": {"value": numpy.array([5.1], "f4")}},
        "member": {"int64_list": {"value": [1]}},
    }
    example = {"features": {"feature": feature}}
    packed = write(messages.INPUT, {"example_list": {"examples": [example]}})
    contract = {"input": "table", "inputs": fields}
    assert features.rows(contract, read(messages.INPUT, packed)) == [
        {"age": None, "size": 5.1, "member": True}
    ]
    context = {"features": {"feature": {"age": {"int64_list": {"value": [30]}}}}}
    packed = write(messages.INPUT, {"with_context": {"examples": [example], "context": context}})
    assert features.rows(contract, read(messages.INPUT, packed))[0]["age"] == 30
    found = [features._float(value) for value in (None, 1e300, -1e300, 3.4e38)]
    assert str(found[0]) == "nan" and found[1:] == [float("inf"), float("-inf"), 3.4e38]
    assert len(write(messages.CLASS, {"label": "a", "score": found[1]})) == 8
