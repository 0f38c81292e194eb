"""The bytes of a request to checked rows in one pass, where the rows are clean.

A decoder of msgspec, made once for the contract, refuses whatever is not exactly of the contract's
types, within its ends and among its categories; what such a type cannot say is looked at afterwards.
Many rows are kept by column (``packing.py``), and a body that is one grid of numbers becomes an array
without a Python object for each (``grids.py``). It takes only what the reference way (``contract.check``)
would hand on unchanged and without a warning. Everything else is None here and goes the reference way,
which knows what to say.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, Optional

from .columns import MANY, Columns, Rows
from .grids import grid
from .images import read_image
from .packing import packing
from .values import ends, moment_trouble

TYPES = {"number": float, "integer": int, "boolean": bool, "text": str, "datetime": str}
#: Dtypes in which a whole number sent as 1 and as 1.0 become the same value.
TYPED = ("float", "int", "uint", "bool")

Decode = Callable[[bytes], Rows | None]
Fit = Callable[[Any], Rows | None]


def decoder(contract: dict[str, Any], key: str = "rows") -> Decode | None:
    """A function from a body to its rows, or to None where they are not clean; None where none can be made.

    ``key`` is where the body has them.

    A row is what ``predictor.assemble`` takes: a tuple of values (table, records, array), an array (tensor), a
    string or an image. ``MANY`` rows of a table or an array are ``Columns``,
    those of a tensor one array.
    """
    try:
        import msgspec
    except ImportError:
        return None
    make = {"table": _table, "records": _table, "array": _array, "texts": _texts, "tensor": _tensor}
    make["images"] = _images
    made = make[contract["input"]](contract, msgspec) if contract["input"] in make else None
    if made is None:
        return None
    kind, finish = made
    numbers = _numbers(contract, key)
    body: Any = msgspec.defstruct("Body", [("rows", kind)], rename={"rows": key})
    read = msgspec.json.Decoder(body).decode
    trouble = msgspec.MsgspecError

    def decode(raw: bytes) -> Rows | None:
        found = None if numbers is None else numbers(raw)
        if found is not None:
            return found
        try:
            rows = read(raw).rows
        except (trouble, RecursionError, UnicodeDecodeError):
            return None
        return finish(rows) if rows else None

    return decode


def _list_of(kind: Any) -> Any:
    return types.GenericAlias(list, (kind,))  # a type made at run time


Clean = Callable[[Any], bool]


def _kind(field: dict[str, Any], msgspec: Any) -> tuple[Any, Clean | None]:
    """The exact type of a field's values, None where there is no single one; and what a value must pass yet."""
    kind: Any = None
    clean: Clean | None = None
    if field["categories"] is not None:
        kinds = {type(entry) for entry in field["categories"]}
        kind = kinds.pop() if len(kinds) == 1 else None
        kind, clean = _categories(field["categories"], kind, msgspec)
    elif field["kind"] == "datetime":
        kind, clean = str, partial(_moment, dtype=field["dtype"])
    elif field["kind"] not in ("number", "integer"):
        kind = TYPES.get(field["kind"])
    elif field["dtype"].lower().startswith(TYPED):
        kind, clean = _number(TYPES[field["kind"]], *ends(field), msgspec)
    if kind is None or not field["nullable"]:
        return kind, clean
    return Optional[kind], clean and partial(_if_there, clean)  # noqa: UP045 - made at run time


def _number(kind: Any, low: float, high: float, msgspec: Any) -> tuple[Any, Clean | None]:
    annotated: Any = Annotated
    if kind is int:
        low, high = math.ceil(low), math.floor(high)
        exact = -(2**63) <= low <= high < 2**63  # what msgspec compares with
    else:
        exact = float(low) == low and float(high) == high
    if exact:
        return annotated[kind, msgspec.Meta(ge=kind(low), le=kind(high))], None
    return kind, lambda value: low <= value <= high


def _categories(known: list[Any], kind: Any, msgspec: Any) -> tuple[Any, Clean | None]:
    if kind is str and known:
        try:
            literal: Any = Literal
            literal = literal[tuple(known)]
            msgspec.json.Decoder(literal)
            return literal, None
        except UnicodeError:  # half a surrogate pair, which JSON can spell and UTF-8 cannot
            pass
    return kind, frozenset(known).__contains__


def _if_there(clean: Clean, value: Any) -> bool:
    return value is None or clean(value)


def _moment(value: str, dtype: str) -> bool:
    return not moment_trouble(dtype, value)


def _table(contract: dict[str, Any], msgspec: Any) -> Any:
    fields = contract["inputs"]
    kinds = [_kind(field, msgspec) for field in fields]
    if not fields or any(kind is None for kind, _clean in kinds):
        return None
    if not all(map(_plain_name, (field["name"] for field in fields))):
        return None
    names = [f"f{place}" for place in range(len(fields))]
    rename = {made: field["name"] for made, field in zip(names, fields, strict=True)}
    members = [(name, kind) for name, (kind, _clean) in zip(names, kinds, strict=True)]
    row: Any = msgspec.defstruct("Row", members, rename=rename, forbid_unknown_fields=True, gc=False)
    astuple = msgspec.structs.astuple
    finish = _finish(fields, kinds)
    return _list_of(row), lambda rows: finish(list(map(astuple, rows)))


def _plain_name(name: str) -> bool:
    """Whether msgspec takes it: as JSON it has no escapes, and UTF-8 can write it."""
    return not any(sign in '"\\' or sign < " " or "\ud800" <= sign <= "\udfff" for sign in name)


def _array(contract: dict[str, Any], msgspec: Any) -> Any:
    fields = contract["inputs"]
    kinds = [_kind(field, msgspec) for field in fields]
    if not fields or any(kind is None for kind, _clean in kinds):
        return None
    row = types.GenericAlias(tuple, tuple(kind for kind, _clean in kinds))
    return _list_of(row), _finish(fields, kinds)


def _finish(
    fields: list[dict[str, Any]], kinds: list[tuple[Any, Clean | None]]
) -> Callable[[Rows], Rows | None]:
    """A function from rows of the right types to the same rows, or to None where a value is not clean."""
    checks = [(place, clean) for place, (_kind, clean) in enumerate(kinds) if clean]
    pack = packing(fields)

    def finish(rows: Rows) -> Rows | None:
        for place, clean in checks:
            if not all(clean(row[place]) for row in rows):
                return None
        return rows if pack is None or len(rows) < MANY else pack(rows)

    return finish


def _texts(contract: dict[str, Any], msgspec: Any) -> Any:
    return list[str], lambda rows: rows


def _images(contract: dict[str, Any], msgspec: Any) -> Any:
    """Files only: nested lists of pixels go the reference way."""
    field = contract["inputs"][0]
    if field["nullable"]:
        return None
    image: Any = msgspec.defstruct("Image", [("b64", str)], forbid_unknown_fields=True, gc=False)

    def finish(rows: Rows) -> Rows | None:
        bad: list[Any] = []
        read = [read_image(field, {"b64": row.b64}, "$", bad) for row in rows]
        return None if bad else read

    return _list_of(image), finish


def _tensor(contract: dict[str, Any], msgspec: Any) -> Any:
    """Nested lists of one shape, each row an array as the reference way makes it."""
    import numpy

    field = contract["inputs"][0]
    if field["nullable"] or field["kind"] not in ("number", "integer"):
        return None
    shape = tuple(field["shape"])
    kind: Any = TYPES[field["kind"]]
    for size in reversed(shape):
        kind = Annotated[_list_of(kind), msgspec.Meta(min_length=size, max_length=size)]
    fit = _fitting(contract)
    dtype = numpy.dtype(contract["dtype"])

    def finish(rows: Rows) -> Rows | None:
        with numpy.errstate(over="ignore"):  # infinity, seen below
            return fit(numpy.array(rows, dtype=dtype if dtype.kind == "f" else None))

    return _list_of(kind), finish


def _fitting(contract: dict[str, Any]) -> Fit:
    """A function from a tensor's numbers to the same in the contract's dtype; to None where one does not fit.

    Whole numbers stay as they were read; ``predictor.assemble`` and the forms make the dtype of them.
    """
    import numpy

    low, high = ends({**contract["inputs"][0], "minimum": None})
    dtype = numpy.dtype(contract["dtype"])

    def fit(made: Any) -> Rows | None:
        if dtype.kind != "f":
            return None if made.min() < low or made.max() > high else made
        with numpy.errstate(over="ignore"):
            made = made.astype(dtype, copy=False)
        return made if numpy.isfinite(made).all() else None  # not so where it is too large for the dtype

    return fit


def _numbers(contract: dict[str, Any], key: str) -> Decode | None:
    """The quick way for tensors, and for many rows whose columns are all of one kind of numbers."""
    fields = contract["inputs"]
    kinds = {field["kind"] for field in fields}
    if len(kinds) != 1 or any(field["nullable"] or field["categories"] is not None for field in fields):
        return None
    tensor = contract["input"] == "tensor"
    if not tensor and (
        contract["input"] != "array" or any(entry["dtype"].lower() == "uint64" for entry in fields)
    ):
        return None
    real = tensor and contract["dtype"].startswith("float")
    shape = fields[0]["shape"] if tensor else [len(fields)]
    read = grid(key, shape, kinds.pop(), contract["dtype"] if real else None)
    if read is None:
        return None
    fit = _fitting(contract) if tensor else _within(fields)

    def numbers(body: bytes) -> Rows | None:
        found = read(body)
        return None if found is None else fit(found)

    return numbers


def _within(fields: list[dict[str, Any]]) -> Fit:
    """A function from a matrix of many rows to ``Columns``, to None where the rows are few or a number is out."""
    import numpy

    low, high = (numpy.array(side) for side in zip(*map(ends, fields), strict=True))

    def within(matrix: Any) -> Rows | None:
        if len(matrix) < MANY or not ((low <= matrix) & (matrix <= high)).all():
            return None
        return Columns(matrix.T, matrix)

    return within
