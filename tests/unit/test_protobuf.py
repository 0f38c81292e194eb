"""Our reading and writing of protocol buffers against Google's own."""

from __future__ import annotations

import contextlib

import numpy
import pytest
from ekiben.runtime.protocols import messages
from ekiben.runtime.protocols.protobuf import Malformed, read, write
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as some
from tritonclient.grpc import service_pb2

INT64 = some.integers(-(2**63), 2**63 - 1)
WIDE = some.lists(INT64, max_size=20)


def theirs(
    shape: list[int], wide: list[int], narrow: list[int], wider: list[int], raw: list[bytes], text: str
):
    made = service_pb2.ModelInferRequest(model_name=text, id=text[::-1])
    tensor = made.inputs.add(name=text, datatype="INT64", shape=shape)
    tensor.contents.int64_contents.extend(wide)
    tensor.contents.int_contents.extend(narrow)
    tensor.contents.uint64_contents.extend(wider)
    tensor.contents.fp32_contents.extend([1.5, float("inf")])
    tensor.contents.fp64_contents.extend([value / 3 for value in narrow])
    tensor.contents.bool_contents.extend([value > 0 for value in narrow])
    tensor.contents.bytes_contents.extend(raw)
    tensor.parameters["a"].int64_param = shape[0] if shape else -1
    tensor.parameters[text].string_param = text
    made.outputs.add(name="x").parameters["binary"].bool_param = True
    made.raw_input_contents.extend(raw)
    return made


messages_of_theirs = some.builds(
    theirs,
    WIDE,
    WIDE,
    some.lists(some.integers(-(2**31), 2**31 - 1), max_size=9),
    some.lists(some.integers(0, 2**64 - 1), max_size=9),
    some.lists(some.binary(max_size=9), max_size=3),
    some.text(some.characters(codec="utf-8"), max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(message=messages_of_theirs)
def test_what_google_writes_is_read_and_written_back(message) -> None:
    found = read(messages.INFER_REQUEST, message.SerializeToString())
    assert found["inputs"][0].get("name", "") == message.inputs[0].name
    contents = found["inputs"][0]["contents"]
    for name in ("int64_contents", "int_contents", "uint64_contents", "fp64_contents", "bool_contents"):
        got = numpy.asarray(contents.get(name, [])).tolist()
        assert got == list(getattr(message.inputs[0].contents, name))
    assert [bytes(part) for part in found.get("raw_input_contents", [])] == list(message.raw_input_contents)
    back = service_pb2.ModelInferRequest.FromString(write(messages.INFER_REQUEST, found))
    assert back == message


@settings(max_examples=150, deadline=None)
@given(message=messages_of_theirs, at=some.integers(0, 400), noise=some.binary(max_size=6))
def test_what_is_broken_is_malformed_and_nothing_else(message, at: int, noise: bytes) -> None:
    whole = message.SerializeToString()
    broken = whole[:at] + noise + whole[at + len(noise) :]
    with contextlib.suppress(Malformed):
        read(messages.INFER_REQUEST, broken)


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05ab", b"\x0b", b"\xff" * 11, b"\x2a\x02\x1a\x05", b"\x0a\x01\xff"]
)
def test_both_refuse(data: bytes) -> None:
    with pytest.raises(DecodeError):
        service_pb2.ModelInferRequest.FromString(data)
    with pytest.raises(Malformed):
        read(messages.INFER_REQUEST, data)


def test_numbers_that_are_not_packed_are_read() -> None:
    # shape = 3 in a tensor: once packed, once one by one, once with ten bytes for −1.
    data = b"\x1a\x02\x01\x02" + b"\x18\x03" + b"\x18" + b"\xff" * 9 + b"\x01"
    assert read(messages.TENSOR, data)["shape"].tolist() == [1, 2, 3, -1]
