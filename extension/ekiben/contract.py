"""The contract of a model, inferred from the user's own sample and the live object's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ekiben import pictures
from ekiben.canonical import canonical, rows_of
from ekiben.errors import UnsupportedSample
from ekiben.fields import sample_fields, to_wire
from ekiben.golden import choose
from ekiben.protocols import Description
from ekiben.records import Contract, Field, Golden, Input, Kind, Scale, Tolerance, Unseen
from ekiben.runtime.predictor import plain
from ekiben.runtime.tolerance import scale_of
from ekiben.words import _

Call = Callable[[Any], dict[str, Any]]
#: Dtypes of answers that carry fewer digits than the contract's strict tolerance asks for.
NARROW = ("float32", "float16")
#: Tasks whose predictions are labels, which are equal or wrong.
LABELS = ("classification", "clustering", "outlier detection")


def infer(
    sample: Any, call: Call, about: Description, *, unseen: Unseen = "reject", outside: Unseen = "warn"
) -> Contract:
    """The contract of the model behind ``call`` as ``sample`` shows it.

    ``sample`` has n ≥ 1 rows in any form that ``ekiben.canonical`` knows. ``call`` gives the live
    object's answers, one entry a row, for such data.

    Raises:
        UnsupportedSample: the sample is of another kind, is empty, or does not fit the model.
    """
    form, data = canonical(sample)
    _check_fit(data, form, about)
    inputs = sample_fields(form, data, about.columns)
    classes = None if about.classes is None else tuple(plain(list(about.classes)))
    chosen = choose(data, form, inputs, call)
    part = pictures.bared(rows_of(data, chosen), form, inputs)
    rows = to_wire(part, form, inputs)
    most = pictures.kept(rows, inputs)
    if most < len(rows):
        chosen, rows, part = chosen[:most], rows[:most], rows_of(part, list(range(most)))
    live = call(part)
    answers = {name: plain(values) for name, values in live.items()}
    for name, values in answers.items():
        if not isinstance(values, list) or len(values) != len(chosen):
            raise UnsupportedSample(
                _(
                    "The model gave {got} {name} for {rows} rows.",
                    got=len(values) if isinstance(values, list) else 1,
                    name=name,
                    rows=len(chosen),
                ),
                remedy=_("ekiben needs one answer a row."),
            )
        _check_answers(name, values)
    dtype = str(data.dtype) if hasattr(data, "dtype") else ""
    return Contract(
        input=form,
        inputs=inputs,
        outputs=tuple(_output(name, values, classes) for name, values in answers.items()),
        task=about.task,
        classes=classes,
        sample_rows=len(data),
        golden=Golden(rows=rows, answers=answers),
        dtype=dtype,
        unseen=unseen,
        outside=outside,
        tolerance=_tolerance(dtype, live, answers, about.task),
    )


def _check_answers(name: str, values: list[Any]) -> None:
    try:
        json.dumps(values)
    except (TypeError, ValueError) as error:
        odd = next(
            (value for value in values if not isinstance(value, (str, int, float, list, dict))), values[0]
        )
        raise UnsupportedSample(
            _("The model's {name} have no form in JSON: {type}.", name=name, type=type(odd).__name__),
            remedy=_("Let it answer numbers, text, booleans, lists or dicts of them."),
        ) from error


def _check_fit(data: Any, form: Input, about: Description) -> None:
    names = [str(name) for name in data.columns] if form == "table" else None
    if names and about.columns:
        missing = [name for name in about.columns if name not in names]
        extra = [name for name in names if name not in about.columns]
        if missing or extra:
            raise UnsupportedSample(
                _("The model was not fitted on this sample's columns.")
                + (" " + _("Missing: {names}.", names=", ".join(missing[:10])) if missing else "")
                + (" " + _("Unknown to the model: {names}.", names=", ".join(extra[:10])) if extra else ""),
                remedy=about.takes or _("Pass the data that fit was called with, as it was."),
            )
        if names != list(about.columns):
            raise UnsupportedSample(
                _("The sample has the model's columns in another order."),
                remedy=_("Pass sample[list(model.feature_names_in_)]."),
            )
    if about.takes and form not in ("table", "array", "records"):
        raise UnsupportedSample(_("The model does not take such rows."), remedy=about.takes)
    width = data.shape[1] if form in ("table", "array") else None
    if about.width is not None and width is not None and width != about.width:
        raise UnsupportedSample(
            _(
                "The sample has {got} columns, the model was fitted on {wanted}.",
                got=width,
                wanted=about.width,
            ),
            remedy=about.takes or _("Pass the data that fit was called with, as it was."),
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


def _tolerance(dtype: str, live: dict[str, Any], answers: dict[str, Any], task: str) -> Tolerance:
    """Wider for 32-bit numbers: their last digit is near 1e-7 of the value.

    Where the answers themselves are such, they have a scale too; labels and probabilities never do.
    """
    kinds = {name: str(getattr(values, "dtype", "")) for name, values in live.items()}
    if not any(kind in NARROW for kind in (dtype, *kinds.values())):
        return Tolerance()
    exact = {"probabilities", *(("predictions",) if task in LABELS else ())}
    found = {name: scale_of(answers[name]) for name in kinds if kinds[name] in NARROW and name not in exact}
    scales = {name: Scale(tuple(scale["sizes"]), scale["least"]) for name, scale in found.items() if scale}
    return Tolerance(relative=1e-5, absolute=1e-7, scales=scales)
