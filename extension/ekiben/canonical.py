"""Whatever the user calls a sample, as one of the few forms that a contract knows.

============  ====================================================  ==========================
form          what the user may pass                                what reaches the model
============  ====================================================  ==========================
``table``     pandas; polars and pyarrow through narwhals           DataFrame
``array``     2-D numbers: numpy, torch, lists of lists             ndarray (n × fields)
``tensor``    numbers of three and more dimensions                  ndarray (n × …)
``records``   a list of dicts                                       list of dicts
``texts``     a list, array or Series of text                       list of str
``images``    Pillow images, or uint8 arrays of an image's shape     list, or ndarray (n × …)
============  ====================================================  ==========================
"""

from __future__ import annotations

from typing import Any

from ekiben import pictures
from ekiben.errors import MissingDependency, UnsupportedSample
from ekiben.records import Input
from ekiben.words import _


def canonical(sample: Any) -> tuple[Input, Any]:
    """The form of ``sample`` and the data in that form, n ≥ 1 rows.

    Raises:
        UnsupportedSample: it has no such form, no rows, or columns whose names are not text or not unique.
        MissingDependency: a polars or pyarrow table without narwhals.
    """
    form, data = _form(sample)
    if form == "table":
        _check_names(list(data.columns))
    if len(data) == 0:
        raise UnsupportedSample(
            _("The sample has no rows."), remedy=_("Pass the rows you trained on; a few hundred are plenty.")
        )
    return form, data


def bases(value: object) -> set[str]:
    """``library.Class`` of each class that the value is of."""
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}


def rows_of(data: Any, chosen: list[int]) -> Any:
    """Some rows of canonical data, in the same form."""
    if isinstance(data, list):
        return [data[index] for index in chosen]
    return data.iloc[chosen] if hasattr(data, "iloc") else data[chosen]


def _check_names(names: list[Any]) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not isinstance(name, str):
            join = (
                '"_".join(map(str, name)) for name in X.columns'
                if isinstance(name, tuple)
                else "str(name) for name in X.columns"
            )
            advice = _("Name them with text, X.columns = [{names}], or pass X.to_numpy().", names=join)
            raise UnsupportedSample(
                _("The column's name {name} is not text.", name=repr(name)),
                where=f"sample.columns[{position}]",
                remedy=advice,
            )
        if name in seen:
            raise UnsupportedSample(
                _("Two columns are called {name}.", name=repr(name)),
                where=f"sample.columns[{position}]",
                remedy=_("Give each column a name of its own."),
            )
        seen.add(name)


def _form(sample: Any) -> tuple[Input, Any]:
    kinds = bases(sample)
    if "pandas.DataFrame" in kinds:
        return "table", sample
    if kinds & {"polars.DataFrame", "pyarrow.Table"}:
        return "table", _to_pandas(sample)
    if "torch.Tensor" in kinds:
        return _numbers(sample, sample.detach().cpu().numpy())
    if "numpy.ndarray" in kinds:
        if sample.ndim == 1 and len(sample) and all(isinstance(value, str) for value in sample.tolist()):
            return "texts", sample.tolist()
        if sample.dtype == object and len(sample) and sample.ndim != 2:
            return _listed(sample)
        return _numbers(sample, sample)
    if kinds & {"pandas.Series", "polars.Series"} or isinstance(sample, (list, tuple)):
        return _listed(sample)
    if pictures.is_image(sample):
        raise _one_image()
    if any(hasattr(sample, name) for name in ("tocsr", "todense")):
        raise UnsupportedSample(
            _("The sample is a sparse matrix, and a request carries no sparse rows."),
            remedy=_("Wrap a Pipeline that makes the sparse matrix itself, with the raw rows as the sample."),
        )
    raise _unknown(sample)


def _numbers(sample: Any, array: Any) -> tuple[Input, Any]:
    if array.dtype.names or (array.ndim == 2 and array.dtype.kind in "OUST"):
        names = "" if array.dtype.names else f", columns={[f'x{n}' for n in range(array.shape[1])][:20]}"
        raise UnsupportedSample(
            _("The sample is an array of {dtype}, which has no numbers only.", dtype=array.dtype),
            remedy=_("Pass it as a table: {code}", code=f"pandas.DataFrame(X{names})"),
        )
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        raise _unknown(sample)
    if array.ndim == 2:
        return "array", array
    if array.dtype == "uint8" and pictures.is_shape(array.shape[1:]):
        return "images", array
    if array.dtype == "uint8" and array.ndim == 3 and pictures.is_shape(array.shape):
        raise _one_image()
    return "tensor", array


def _listed(sample: Any) -> tuple[Input, Any]:
    values = sample.to_list() if hasattr(sample, "to_list") else list(sample)
    if values and all(isinstance(value, str) for value in values):
        return "texts", values
    if values and all(isinstance(value, dict) for value in values):
        return "records", values
    if values and (all(map(pictures.is_image, values)) or all(map(pictures.is_picture, values))):
        return "images", values
    if not values:
        return "records", values
    import numpy

    try:
        array = numpy.array(values)
    except ValueError as error:  # rows of unequal length
        raise _unknown(sample) from error
    return _numbers(sample, array)


def _to_pandas(table: Any) -> Any:
    try:
        import narwhals
    except ImportError as error:
        raise MissingDependency(
            _("narwhals is not installed; it reads polars and pyarrow tables."),
            remedy="%pip install narwhals",
        ) from error
    return narwhals.from_native(table, eager_only=True).to_pandas()


def _one_image() -> UnsupportedSample:
    return UnsupportedSample(
        _("The sample is one image, not a list of images."), remedy=_("Pass a list of them: [image].")
    )


def _unknown(sample: Any) -> UnsupportedSample:
    shape = getattr(sample, "shape", None)
    told = type(sample).__name__ + (f" {tuple(shape)}" if shape is not None else "")
    return UnsupportedSample(
        _("The sample is a {type}.", type=told),
        remedy=_(
            "Pass the rows you trained on: a DataFrame, an array of numbers, a list of dicts, of texts or of images."
        ),
    )
