"""What a user passes to ``predict``, as rows that travel."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from ekiben import pictures
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
    if contract.input == "images":
        return _images(rows, contract.inputs[0])
    if isinstance(rows, dict):
        return [_encoded(rows, contract)]
    if isinstance(rows, str):
        return [rows]
    if bases(rows) & {"polars.DataFrame", "pyarrow.Table", "torch.Tensor"}:
        rows = canonical(rows)[1]
    if isinstance(rows, (list, tuple)):
        return [
            plain(row)
            if isinstance(row, (list, tuple)) or hasattr(row, "tolist")
            else _encoded(row, contract)
            for row in rows
        ]
    if hasattr(rows, "columns") and hasattr(rows, "iloc"):
        return _frame_rows(rows, contract)
    if hasattr(rows, "to_frame") and hasattr(rows, "index"):
        if contract.input == "texts":
            return list(rows)
        # A Series: one row of a DataFrame.
        return [_encoded({str(name): plain(_item(value)) for name, value in rows.items()}, contract)]
    if hasattr(rows, "ndim") and hasattr(rows, "tolist"):
        single = len(contract.inputs[0].shape) if contract.input == "tensor" else 1
        listed = plain(rows)
        return [listed] if rows.ndim == single and contract.input != "texts" else list(listed)
    raise UnsupportedSample(
        _("Rows cannot be a {type}.", type=type(rows).__name__),
        remedy=_("Pass rows as the sample was: a DataFrame, an array, or a list of rows."),
    )


def _images(rows: Any, field: Field) -> list[Any]:
    """One image or several, as they travel; the bytes of a file too."""
    if bases(rows) & {"torch.Tensor"}:
        rows = rows.detach().cpu().numpy()
    single = pictures.is_image(rows) or isinstance(rows, (dict, bytes))
    single = single or getattr(rows, "ndim", None) == len(field.shape)
    if not single and not hasattr(rows, "__iter__"):
        raise UnsupportedSample(
            _("Rows cannot be a {type}.", type=type(rows).__name__),
            remedy=_("Pass one image or a list of images."),
        )
    return [_image(image, field) for image in ([rows] if single else rows)]


def _image(image: Any, field: Field) -> Any:
    if isinstance(image, bytes):
        return {"b64": b64encode(image).decode("ascii")}
    if hasattr(image, "dtype") and str(image.dtype) != "uint8":
        return plain(image)  # refused by the contract, which says what it takes
    return pictures.to_wire(image, field)


def _encoded(row: Any, contract: Contract) -> Any:
    """A row whose images are as they travel."""
    if not isinstance(row, dict):
        return row
    found = [field for field in contract.inputs if field.kind == "image" and field.name in row]
    return {**row, **{field.name: _image(row[field.name], field) for field in found}}


def _frame_rows(frame: Any, contract: Contract) -> list[Any]:
    if contract.input == "array":
        return list(plain(frame.to_numpy()))
    known = {field.name: field for field in contract.inputs}
    fields = tuple(known.get(str(name)) or Field(str(name), "", "text") for name in frame.columns)
    return list(to_wire(frame, "table", fields))


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
