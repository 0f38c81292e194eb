"""What a user passes to ``predict``, as rows that travel."""

from __future__ import annotations

from typing import Any

from ekiben.canonical import bases, canonical
from ekiben.errors import UnsupportedSample
from ekiben.fields import to_wire
from ekiben.records import Contract, Field
from ekiben.runtime.predictor import plain
from ekiben.words import _


def wire_rows(rows: Any, contract: Contract) -> list[Any]:
    """Rows for a request, as the contract's form has them. Nothing is checked here but the kind.

    ``rows`` is what the sample was, or one row of it: a DataFrame or Series, an array, a dict, a
    text, or a list of such rows.

    Raises:
        UnsupportedSample: it is something else.
    """
    if isinstance(rows, (dict, str)):
        return [rows]
    if bases(rows) & {"polars.DataFrame", "pyarrow.Table", "torch.Tensor"}:
        rows = canonical(rows)[1]
    if isinstance(rows, (list, tuple)):
        return [
            plain(row) if isinstance(row, (list, tuple)) or hasattr(row, "tolist") else row for row in rows
        ]
    if hasattr(rows, "columns") and hasattr(rows, "iloc"):
        return _frame_rows(rows, contract)
    if hasattr(rows, "to_frame") and hasattr(rows, "index"):
        if contract.input == "texts":
            return list(rows)
        # A Series: one row of a DataFrame.
        return [{str(name): plain(_item(value)) for name, value in rows.items()}]
    if hasattr(rows, "ndim") and hasattr(rows, "tolist"):
        single = len(contract.inputs[0].shape) if contract.input == "tensor" else 1
        listed = plain(rows)
        return [listed] if rows.ndim == single and contract.input != "texts" else list(listed)
    raise UnsupportedSample(
        _("Rows cannot be a {type}.", type=type(rows).__name__),
        remedy=_("Pass rows as the sample was: a DataFrame, an array, or a list of rows."),
    )


def _frame_rows(frame: Any, contract: Contract) -> list[Any]:
    if contract.input == "array":
        return list(plain(frame.to_numpy()))
    known = {field.name: field for field in contract.inputs}
    fields = tuple(known.get(str(name)) or Field(str(name), "", "text") for name in frame.columns)
    return list(to_wire(frame, "table", fields))


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
