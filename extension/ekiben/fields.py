"""The fields of a sample, column by column, and its rows as they travel."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from ekiben import pictures
from ekiben.errors import UnsupportedSample
from ekiben.records import Field, Input, Kind
from ekiben.runtime.predictor import plain
from ekiben.words import _

#: More distinct texts than this are free text, not categories.
MOST_CATEGORIES = 100
BINS = 16
#: A histogram counts at most twice as many values.
MOST_COUNTED = 50_000
KINDS: dict[str, Kind] = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}


def sample_fields(form: Input, data: Any, columns: tuple[str, ...] | None = None) -> tuple[Field, ...]:
    """The fields of canonical data; ``columns`` are the model's own names for those of an array.

    Raises:
        UnsupportedSample: a column's values cannot travel.
    """
    if form == "table":
        return frame_fields(data)
    if form == "array":
        return array_fields(data, columns)
    if form == "tensor":
        kind = KINDS[data.dtype.kind]
        field = _numeric_field("x", data.reshape(-1), str(data.dtype), kind)
        return (replace(field, shape=tuple(int(size) for size in data.shape[1:])),)
    if form == "records":
        return record_fields(data)
    if form == "images":
        return (pictures.image_field("image", list(data)),)
    return (Field("text", "str", "text"),)


def record_fields(records: list[dict[str, Any]]) -> tuple[Field, ...]:
    """One Field a key of the records, in order of their first appearance; a key may be absent.

    Raises:
        UnsupportedSample: pandas is needed to look at them, or a key's values cannot travel.
    """
    import pandas

    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: [record.get(name) for record in records] for name in names}
    whole = {name: "Int64" for name, values in columns.items() if set(map(type, values)) == {int, type(None)}}
    made = {name: pandas.Series(values, dtype=whole.get(name)) for name, values in columns.items()}
    fields = frame_fields(pandas.DataFrame(made, columns=names))
    return tuple(replace(field, missing=_gap(records, field.name)) for field in fields)


def _gap(records: list[dict[str, Any]], name: str) -> str:
    """How the records leave a key out: ``absent``, ``nan`` or ``none``; empty where none does."""
    if any(record.get(name, "") is None for record in records):
        return "none"
    if any(isinstance(value := record.get(name), float) and value != value for record in records):
        return "nan"
    return "absent" if any(name not in record for record in records) else ""


def frame_fields(frame: Any) -> tuple[Field, ...]:
    """One Field a column of a DataFrame, in its order.

    Raises:
        UnsupportedSample: a column's values cannot travel.
    """
    return tuple(_column_field(name, frame[name]) for name in frame.columns)


def array_fields(array: Any, columns: tuple[str, ...] | None = None) -> tuple[Field, ...]:
    """One Field a column of an array, named ``x0``, ``x1``, … where the model has no names for them.

    Raises:
        UnsupportedSample: it holds an infinite number.
    """
    names = columns or tuple(f"x{index}" for index in range(array.shape[1]))
    return tuple(
        _numeric_field(name, array[:, index], str(array.dtype), KINDS[array.dtype.kind])
        for index, name in enumerate(names)
    )


def _column_field(name: str, column: Any) -> Field:
    dtype = str(column.dtype)
    gaps = bool(column.isna().any())
    family = getattr(column.dtype, "kind", "O")
    if dtype == "category":
        known = tuple(plain(column.cat.categories.tolist()))
        others = sorted({type(value).__name__ for value in known} - {"str", "int", "float", "bool"})
        if others:
            told = _("The categories are {types}, which have no form in JSON.", types=", ".join(others))
            raise _homeless(name, others[0].lower(), told)
        counts = column.value_counts(sort=False).reindex(column.cat.categories)
        return Field(
            name, dtype, "category", nullable=gaps, categories=known, all_categories=known,
            ordered=bool(column.cat.ordered), counts=tuple(int(count) for count in counts),
        )  # fmt: skip
    if family in "iuf" and not dtype.startswith("datetime"):
        values = column.dropna().to_numpy(dtype="float64" if family == "f" else None)
        return _numeric_field(name, values, dtype, "number" if family == "f" else "integer", gaps)
    if family == "b":
        truths = int(column.fillna(False).sum())
        return Field(name, dtype, "boolean", nullable=gaps, counts=(int(column.count()) - truths, truths))
    if family == "M":
        present = column.dropna()
        ends = (present.min().isoformat(), present.max().isoformat()) if len(present) else (None, None)
        return Field(name, dtype, "datetime", nullable=gaps, minimum=ends[0], maximum=ends[1])
    if dtype not in ("object", "str", "large_string") and not dtype.startswith(("string", "large_string")):
        raise _homeless(
            name,
            re.split(r"\W", dtype)[0],
            _("The column is {dtype}, which has no form in JSON.", dtype=dtype),
        )
    return _text_field(name, column, dtype, gaps)


#: What pandas calls it: the code that makes it something that travels. ``{x}`` is the column.
_ADVICE = {
    "timedelta64": "{x}.dt.total_seconds()",
    "timedelta": "pandas.to_timedelta({x}).dt.total_seconds()",
    "duration": "{x}.dt.total_seconds()",
    "period": "{x}.dt.to_timestamp()",
    "interval": "{x}.astype(str)",
    "dictionary": "{x}.astype('category')",
    "mixed-integer": "{x}.astype(str)",
    "time": "{x}.astype(str)",
    "date": "pandas.to_datetime({x})",
    "datetime": "pandas.to_datetime({x})",
    "datetime64": "pandas.to_datetime({x})",
    "date32": "pandas.to_datetime({x})",
    "decimal": "{x}.astype(float)",
    "decimal128": "{x}.astype(float)",
    "integer": "pandas.to_numeric({x})",
    "floating": "pandas.to_numeric({x})",
    "mixed-integer-float": "pandas.to_numeric({x})",
}


def _homeless(name: str, kind: str, told: str) -> UnsupportedSample:
    """The error for a column whose values have no form in JSON."""
    where = f"sample[{name!r}]"
    code = _ADVICE.get(kind)
    if code is None:
        remedy = _("Make it one type before fit: numbers, text, booleans or datetimes.")
    else:
        column = f"X[{name!r}]"
        remedy = _("Convert it before fit: {code}", code=f"{column} = {code.format(x=column)}")
    return UnsupportedSample(told, where=where, remedy=remedy)


def _text_field(name: str, column: Any, dtype: str, gaps: bool) -> Field:
    from pandas.api.types import infer_dtype

    present = column.dropna() if gaps else column
    if dtype == "object" and len(present) and pictures.is_image(present.iloc[0]):
        return _image_field(name, present, gaps)
    # Reading the values one by one would take seconds a million.
    held = infer_dtype(present, skipna=True) if dtype == "object" else "string"
    if held == "boolean":
        truths = int(present.sum())
        return Field(name, dtype, "boolean", nullable=gaps, counts=(len(present) - truths, truths))
    if held not in ("string", "empty"):
        told = ", ".join(sorted({type(value).__name__ for value in present}))
        message = _("The column holds objects of {types}, which have no common form in JSON.", types=told)
        raise _homeless(name, held, message)
    missing = ""
    if dtype == "object" and gaps:
        missing = "nan" if any(isinstance(value, float) for value in column[column.isna()]) else "none"
    shares = present.value_counts()
    # Categories repeat; texts that hardly do are free text.
    if 0 < len(shares) <= MOST_CATEGORIES and len(shares) <= max(2, len(present) // 2):
        return Field(
            name, dtype, "category", nullable=gaps, categories=tuple(str(value) for value in shares.index),
            counts=tuple(int(count) for count in shares), missing=missing,
        )  # fmt: skip
    return Field(name, dtype, "text", nullable=gaps, missing=missing)


def _image_field(name: str, present: Any, gaps: bool) -> Field:
    values = present.tolist()
    others = {type(value).__name__ for value in values if not pictures.is_image(value)}
    if others:
        raise UnsupportedSample(
            _("The column holds images and {types}.", types=", ".join(sorted(others))),
            where=f"sample[{name!r}]",
            remedy=_("Make all of them Pillow images."),
        )
    return pictures.image_field(name, values, gaps)


def _numeric_field(name: str, values: Any, dtype: str, kind: Kind, gaps: bool = False) -> Field:
    import numpy

    if values.dtype.kind == "f":
        if numpy.isinf(values).any():
            raise UnsupportedSample(
                _("The column holds infinity, which has no form in JSON."),
                where=f"sample[{name!r}]",
                remedy=_("Replace it with NaN or a large number before fit."),
            )
        holes = numpy.isnan(values)
        gaps = gaps or bool(holes.any())
        present = values[~holes] if holes.any() else values
    else:
        present = values
    if kind == "boolean":
        truths = int(present.sum())
        return Field(name, dtype, kind, nullable=gaps, counts=(len(present) - truths, truths))
    if not len(present):
        return Field(name, dtype, kind, nullable=gaps)
    low, high = plain(present.min()), plain(present.max())
    return Field(
        name, dtype, kind, nullable=gaps, minimum=low, maximum=high, counts=_histogram(present, low, high)
    )


def _histogram(values: Any, low: float, high: float) -> tuple[int, ...]:
    import numpy

    if low == high or not math.isfinite(float(high) - float(low)):
        return ()
    # The picture behind a slider needs no more: of many rows every k-th is counted.
    few = values[:: max(1, len(values) // MOST_COUNTED)]
    if float(low) + (float(high) - float(low)) / BINS == float(low):
        return ()  # beyond 2**53 doubles are too far apart for bins
    if few.dtype.kind == "u":  # numpy takes the ends of bins for signed numbers
        few, low, high = few.astype("float64"), float(low), float(high)
    counts, _edges = numpy.histogram(few, bins=BINS, range=(low, high))
    return tuple(int(count) for count in counts)


def to_wire(data: Any, form: Input, fields: tuple[Field, ...]) -> tuple[Any, ...]:
    """The rows of canonical data as a request carries them."""
    if form in ("array", "tensor"):
        return tuple(plain(data))
    if form == "texts":
        return tuple(data)
    if form == "images":
        return tuple(pictures.to_wire(value, fields[0]) for value in data)
    names = [field.name for field in fields]
    if form == "records":
        return tuple(
            {field.name: _wire_value(record.get(field.name), field) for field in fields} for record in data
        )
    columns = [_wire_column(data[field.name], field) for field in fields]
    return tuple(dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _wire_value(value: Any, field: Field) -> Any:
    return pictures.to_wire(value, field) if field.kind == "image" else plain(value)


def _wire_column(column: Any, field: Field) -> list[Any]:
    gaps = column.isna().tolist()
    values = [None if gap else value for value, gap in zip(column.tolist(), gaps, strict=True)]
    if field.kind == "datetime":
        return [None if value is None else value.isoformat() for value in values]
    return [_wire_value(value, field) for value in values]
