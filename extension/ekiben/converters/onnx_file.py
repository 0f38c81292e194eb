"""Writes ONNX files byte by byte: what a tree ensemble takes, without the onnx package.

The format is protobuf's wire format of ``onnx-ml.proto`` (https://github.com/onnx/onnx): ModelProto,
GraphProto, NodeProto, AttributeProto, TensorProto.
"""

from __future__ import annotations

from typing import Any

FLOAT, UINT8, DOUBLE = 1, 2, 11
_NUMBERS = {"float32": FLOAT, "uint8": UINT8, "float64": DOUBLE}
_INT, _TENSOR, _INTS = 2, 4, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _packed(values: Any) -> bytes:
    """Whole numbers from 0 as varints of five bytes each: longer than need be, and written at once."""
    import numpy

    numbers = numpy.asarray(values, dtype=numpy.int64)
    out = numpy.empty((len(numbers), 5), dtype=numpy.uint8)
    for place in range(5):
        out[:, place] = (numbers >> 7 * place) & 0x7F | (0x80 if place < 4 else 0)
    return out.tobytes()


def _tensor(values: Any) -> bytes:
    return (
        b"".join(_field(1, size) for size in values.shape)
        + _field(2, _NUMBERS[str(values.dtype)])
        + _field(9, values.tobytes())
    )


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, _INT)
    if value.dtype.kind == "i":
        return _field(1, name) + _field(8, _packed(value)) + _field(20, _INTS)
    return _field(1, name) + _field(5, _tensor(value)) + _field(20, _TENSOR)


def _value(name: str, kind: int, width: int) -> bytes:
    shape = _field(1, _field(2, "n")) + _field(1, _field(1, width))
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def one_node(
    operator: str, domain: str, opset: int, kind: int, widths: tuple[int, int], attributes: dict[str, Any]
) -> bytes:
    """A model of one node, ``x`` (n × widths[0]) to ``y`` (n × widths[1]), both of the type ``kind``."""
    node = _field(1, "x") + _field(2, "y") + _field(3, "trees") + _field(4, operator) + _field(7, domain)
    node += b"".join(_field(5, _attribute(name, value)) for name, value in attributes.items())
    graph = _field(1, node) + _field(2, "trees")
    graph += _field(11, _value("x", kind, widths[0])) + _field(12, _value("y", kind, widths[1]))
    opsets = _field(8, _field(1, domain) + _field(2, opset)) + _field(8, _field(1, "") + _field(2, 18))
    return _field(1, 9) + _field(2, "ekiben") + _field(7, graph) + opsets
