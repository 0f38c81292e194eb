"""Checked columns to a pandas DataFrame with the sample's own dtypes."""

from __future__ import annotations

import re
from typing import Any


def frame(fields: list[dict[str, Any]], columns: list[list[Any]]) -> Any:
    """A DataFrame of the fields, in order, with a plain index; ``columns`` hold checked values."""
    import pandas

    made = {
        field["name"]: _series(pandas, field, values) for field, values in zip(fields, columns, strict=True)
    }
    return pandas.DataFrame(made, columns=[field["name"] for field in fields])


def _series(pandas: Any, field: dict[str, Any], values: list[Any]) -> Any:
    dtype = field["dtype"]
    if dtype == "category":
        kind = pandas.CategoricalDtype(field["all_categories"], ordered=field["ordered"])
        # What is no category was made a gap; pandas 4 refuses it.
        known = set(field["all_categories"])
        return pandas.Series([value if value in known else None for value in values], dtype=kind)
    if field["kind"] == "datetime":
        aware = "," in dtype
        moments = pandas.to_datetime(pandas.Series(values, dtype=object), format="ISO8601", utc=aware)
        unit = re.match(r"timestamp\[(s|ms|us|ns)", dtype)
        if unit:  # Arrow would rather raise than cut what is finer
            moments = moments.dt.as_unit(unit[1])
        return moments.astype(dtype)
    if dtype == "object" or field["kind"] == "image":
        return pandas.Series(_objects(field, values), dtype=object)
    if dtype.startswith("float"):
        return pandas.Series([float("nan") if value is None else value for value in values], dtype=dtype)
    return pandas.Series(values, dtype=dtype)


def _objects(field: dict[str, Any], values: list[Any]) -> list[Any]:
    # In an object column the sample's gaps are None or NaN; models such as OneHotEncoder tell them apart.
    gap = float("nan") if field.get("missing") == "nan" else None
    return [gap if value is None else value for value in values]
