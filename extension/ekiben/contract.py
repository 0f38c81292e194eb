"""The contract of a model, inferred from the user's own sample and the live object's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ekiben.errors import UnsupportedSample
from ekiben.fields import array_fields, frame_fields, to_wire
from ekiben.golden import choose
from ekiben.protocols import Description
from ekiben.records import Contract, Field, Golden, Kind, Tolerance, Unseen
from ekiben.runtime.predictor import plain
from ekiben.words import _

Call = Callable[[Any], dict[str, Any]]


def infer(sample: Any, call: Call, about: Description, *, unseen: Unseen = "reject") -> Contract:
    """The contract of the model behind ``call`` as ``sample`` shows it.

    ``sample`` is a pandas DataFrame (n × fields) or a 2-D array of numbers (n × fields), n ≥ 1.
    ``call`` gives the live object's answers, one entry a row, for such data.

    Raises:
        UnsupportedSample: the sample is of another kind, is empty, or does not fit the model.
    """
    kind = sample_kind(sample)
    _check_fit(sample, kind, about)
    if kind == "table":
        inputs, dtype = frame_fields(sample), ""
    else:
        inputs, dtype = array_fields(sample, about.columns), str(sample.dtype)
    classes = None if about.classes is None else tuple(plain(list(about.classes)))
    chosen = choose(sample, kind, inputs, call)
    part = sample.iloc[chosen] if kind == "table" else sample[chosen]
    answers = {name: plain(values) for name, values in call(part).items()}
    for name, values in answers.items():
        if len(values) != len(chosen):
            raise UnsupportedSample(
                _("The model gave {got} {name} for {rows} rows.", got=len(values), name=name, rows=len(chosen)),
                remedy=_("ekiben needs one answer a row."),
            )
    return Contract(
        input=kind,
        inputs=inputs,
        outputs=tuple(_output(name, values, classes) for name, values in answers.items()),
        task=about.task,
        classes=classes,
        sample_rows=len(sample),
        golden=Golden(rows=to_wire(part, kind, inputs), answers=answers),
        dtype=dtype,
        unseen=unseen,
        tolerance=_tolerance(dtype, call(part)),
    )


def sample_kind(sample: Any) -> Literal["table", "array"]:
    """``table`` for a pandas DataFrame, ``array`` for a 2-D numpy array of numbers.

    Raises:
        UnsupportedSample: it is neither, or it has no rows.
    """
    bases = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(sample).__mro__}
    if "pandas.DataFrame" in bases:
        kind: Literal["table", "array"] = "table"
    elif "numpy.ndarray" in bases and sample.ndim == 2 and sample.dtype.kind in "fiub":
        kind = "array"
    else:
        shape = getattr(sample, "shape", None)
        raise UnsupportedSample(
            _("The sample is a {type}.", type=type(sample).__name__ + (f" {shape}" if shape is not None else "")),
            remedy=_("Pass the rows you trained on: a pandas DataFrame or a 2-D array of numbers."),
        )
    if len(sample) == 0:
        raise UnsupportedSample(
            _("The sample has no rows."), remedy=_("Pass the rows you trained on; a few hundred are plenty.")
        )
    return kind


def _check_fit(sample: Any, kind: str, about: Description) -> None:
    names = [str(name) for name in sample.columns] if kind == "table" else None
    if names and about.columns:
        missing = [name for name in about.columns if name not in names]
        extra = [name for name in names if name not in about.columns]
        if missing or extra:
            raise UnsupportedSample(
                _("The model was not fitted on this sample's columns.")
                + (" " + _("Missing: {names}.", names=", ".join(missing[:10])) if missing else "")
                + (" " + _("Unknown to the model: {names}.", names=", ".join(extra[:10])) if extra else ""),
                remedy=_("Pass the data that fit was called with, as it was."),
            )
        if names != list(about.columns):
            raise UnsupportedSample(
                _("The sample has the model's columns in another order."),
                remedy=_("Pass sample[list(model.feature_names_in_)]."),
            )
    if about.width is not None and sample.shape[1] != about.width:
        raise UnsupportedSample(
            _("The sample has {got} columns, the model was fitted on {wanted}.", got=sample.shape[1], wanted=about.width),
            remedy=_("Pass the data that fit was called with, as it was."),
        )


def _output(name: str, values: list[Any], classes: tuple[Any, ...] | None) -> Field:
    first = next((value for value in values if value is not None), None)
    shape: tuple[int, ...] = ()
    while isinstance(first, list):
        shape = (*shape, len(first))
        first = first[0] if first else None
    kinds: dict[type, tuple[Kind, str]] = {
        bool: ("boolean", "bool"),
        int: ("integer", "int64"),
        float: ("number", "float64"),
    }
    kind, dtype = kinds.get(type(first), ("text", "object"))
    if name == "predictions" and classes is not None and not shape:
        return Field(name=name, dtype=dtype, kind="category", categories=classes)
    return Field(name=name, dtype=dtype, kind=kind, shape=shape)


def _tolerance(dtype: str, answers: dict[str, Any]) -> Tolerance:
    """Wider for 32-bit numbers: their last digit is near 1e-7 of the value."""
    narrow = [dtype, *(str(getattr(values, "dtype", "")) for values in answers.values())]
    if any(name in ("float32", "float16") for name in narrow):
        return Tolerance(relative=1e-5, absolute=1e-7)
    return Tolerance()

