"""What the contract's inputs and outputs are called in other protocols: names, datatypes, shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The name of the one tensor that an array model takes.
ARRAY = "input"

#: numpy's names to the Open Inference Protocol's.
DATATYPES = {
    "bool": "BOOL",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
}
#: The Open Inference Protocol's names to TensorFlow's.
TENSORFLOW = {
    "BOOL": "DT_BOOL",
    "BYTES": "DT_STRING",
    **{f"{sign}INT{bits}": f"DT_{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
}
_BY_KIND = {"number": "FP64", "integer": "INT64", "boolean": "BOOL"}


@dataclass(frozen=True)
class Described:
    """A tensor as clients are told of it; −1 is the number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def inputs(contract: dict[str, Any]) -> list[Described]:
    """The tensors that a model takes: one a field, or one for all of an array. An image is its file's bytes."""
    fields = contract["inputs"]
    if contract["input"] == "array":
        return [Described(ARRAY, DATATYPES.get(contract["dtype"], "FP64"), (-1, len(fields)))]
    if contract["input"] == "tensor":
        return [Described(fields[0]["name"], datatype(fields[0]), (-1, *fields[0]["shape"]))]
    return [Described(field["name"], datatype(field), (-1,)) for field in fields]


def outputs(contract: dict[str, Any]) -> list[Described]:
    """The tensors that a model gives; the last are its classes, where it has any."""
    found = [
        Described(field["name"], datatype(field), (-1, *field["shape"])) for field in contract["outputs"]
    ]
    if contract["classes"] is not None:
        found.append(Described("classes", _of(contract["classes"]), (len(contract["classes"]),)))
    return found


def datatype(field: dict[str, Any]) -> str:
    """The datatype of a field's values: that of its dtype, else of its kind; text where it is neither.

    A whole number that may be missing travels as a float: NaN is the gap.
    """
    kind = field["kind"]
    if kind == "category":
        kind = {"BOOL": "boolean", "INT64": "integer", "FP64": "number"}.get(_of(field["categories"]), "text")
    if kind not in _BY_KIND:
        return "BYTES"
    if kind == "integer" and field["nullable"]:
        return "FP64"
    return DATATYPES.get(field["dtype"].lower(), _BY_KIND[kind])


def _of(values: Any) -> str:
    kinds = {type(value) for value in values or ()}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds and kinds <= {int, float} else "BYTES"


def signatures(contract: dict[str, Any]) -> dict[str, Any]:
    """TensorFlow's signatures: the default, and one for each output."""
    takes = {entry.name: _tensor(entry) for entry in inputs(contract)}
    gives = {entry.name: _tensor(entry) for entry in outputs(contract) if entry.name != "classes"}
    known = {"serving_default": gives, **{name: {name: tensor} for name, tensor in gives.items()}}
    return {
        name: {"inputs": takes, "outputs": given, "method_name": "tensorflow/serving/predict"}
        for name, given in known.items()
    }


def _tensor(entry: Described) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in entry.shape]
    return {
        "name": f"{entry.name}:0",
        "dtype": TENSORFLOW[entry.datatype],
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
    }
