"""What in a kernel's namespace could have stood between a sample and a model: transformers, tables, targets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ekiben.canonical import bases

#: More objects than these are not looked at; a notebook with more is looked at from its first on.
MOST = 8
#: Nor more columns of a frame, where one may be the target.
_COLUMNS = 40


class Named(NamedTuple):
    """A variable."""

    name: str
    value: Any


def variables(namespace: Mapping[str, Any]) -> list[Named]:
    """The user's own variables; an object with two names comes once."""
    seen: set[int] = set()
    found: list[Named] = []
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in ("In", "Out", "exit", "quit") or id(value) in seen:
            continue
        seen.add(id(value))
        found.append(Named(name, value))
    return found


def name_of(value: object, known: list[Named], otherwise: str) -> str:
    """The variable that holds ``value``."""
    return next((entry.name for entry in known if entry.value is value), otherwise)


def transformers(known: list[Named], model: Any, parts: tuple[Any, ...]) -> list[Named]:
    """Fitted objects with ``fit`` and ``transform`` that are not in the model already.

    Those that transform answers (label encoders) or predict themselves are left out.
    """
    inside = {id(part) for part in (model, *parts)}
    found = [
        entry
        for entry in known
        if id(entry.value) not in inside
        and not isinstance(entry.value, type)
        and _has(entry.value, "fit")
        and _has(entry.value, "transform")
        and not _has(entry.value, "predict")
        and not _of_labels(entry.value)
        and _fitted(entry.value)
    ]
    return found[:MOST]


def label_encoders(known: list[Named]) -> list[Named]:
    """Fitted LabelEncoders."""
    return [
        entry
        for entry in known
        if "sklearn.LabelEncoder" in bases(entry.value) and getattr(entry.value, "classes_", None) is not None
    ][:MOST]


def tables(known: list[Named], sample: Any) -> list[Named]:
    """Other DataFrames and 2-D arrays with as many rows as the sample."""
    found = []
    for entry in known:
        if entry.value is sample or not ({"pandas.DataFrame", "numpy.ndarray"} & bases(entry.value)):
            continue
        shape: tuple[int, ...] = entry.value.shape
        if len(shape) == 2 and shape[0] == len(sample):
            found.append(entry)
    return found[:MOST]


def targets(known: list[Named], sample: Any, rows: list[int], classes: tuple[Any, ...] | None) -> list[Any]:
    """What the model was meant to answer for ``rows`` of the sample: arrays of as many entries.

    Variables that are named like one come first. Where there is none, a classifier's classes tell: any other
    variable, or column beside the sample's own, that holds nothing else. Numbers tell nothing of the kind:
    see ``guesses``.
    """
    found = _meant(
        (entry.value for entry in known if _NAMED.match(entry.name) or _bunch(entry)), sample, rows, classes
    )
    if not found and classes is not None:
        found = _meant(_beside(known, sample), sample, rows, classes)
    return found


def guesses(known: list[Named], sample: Any, rows: list[int]) -> list[Any]:
    """Numbers of whatever name that a regression may have been meant to answer, as ``targets`` gives them.

    They tell something only where answers fit one of them (``TELLS``): most are no target at all.
    """
    return _meant(_beside(known, sample), sample, rows, None, MOST)


#: R² from which a guessed target is taken for one.
TELLS = 0.5
#: What people call a target.
_NAMED = re.compile(r"(y|target|label|outcome|answer)", re.IGNORECASE)


def _bunch(entry: Named) -> bool:
    return isinstance(entry.value, dict) and "target" in entry.value and "sklearn.Bunch" in bases(entry.value)


def _meant(
    values: Iterable[Any], sample: Any, rows: list[int], classes: tuple[Any, ...] | None, most: int = 4
) -> list[Any]:
    truths = (
        _truth(value["target"] if isinstance(value, dict) and "target" in value else value, sample, rows)
        for value in values
    )
    return list(itertools.islice((one for one in truths if one is not None and _answers(one, classes)), most))


def _beside(known: list[Named], sample: Any) -> Iterator[Any]:
    """Variables of one dimension, and columns of other frames that the sample does not have."""
    own = {str(name) for name in getattr(sample, "columns", ())}
    for entry in known:
        if entry.value is sample:
            continue
        if "pandas.DataFrame" in bases(entry.value):
            others = [name for name in entry.value.columns if str(name) not in own]
            yield from (entry.value[name] for name in others[:_COLUMNS] if others.count(name) == 1)
        elif {"pandas.Series", "numpy.ndarray"} & bases(entry.value) or isinstance(entry.value, list):
            yield entry.value


def _truth(value: Any, sample: Any, rows: list[int]) -> Any:
    import numpy

    # A target that keeps its index is aligned to a part of the rows, as ``X.head(50)`` is.
    index: Any = getattr(sample, "index", None)
    aligned: Any = getattr(value, "index", None)
    if (
        "pandas.Series" in bases(value)
        and "pandas.DataFrame" in bases(sample)
        and aligned.is_unique
        and index.isin(aligned).all()
    ):
        return value.loc[index[rows]].to_numpy()
    if not isinstance(value, (list, tuple)) and not bases(value) & {
        "numpy.ndarray",
        "pandas.Series",
        "pandas.DataFrame",
    }:
        return None
    if getattr(value, "ndim", 1) == 0 or len(value) != len(sample):
        return None
    try:
        array = numpy.asarray(value)
    except ValueError:
        return None  # a ragged list
    array = array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array
    return array[rows] if array.ndim == 1 else None


def _answers(truth: Any, classes: tuple[Any, ...] | None) -> bool:
    """Whether they could be answers of the model, and tell something."""
    import numpy

    if classes is not None:
        known = {str(label) for label in classes}
        try:
            seen = {str(label) for label in numpy.unique(truth).tolist()}
        except TypeError:
            return False  # labels of several types, which cannot be sorted
        return seen <= known and len(seen) > 1
    return bool(truth.dtype.kind in "iuf" and len(truth) > 1 and numpy.isfinite(truth).all())


def _has(value: Any, name: str) -> bool:
    # A Pipeline's own properties raise when its last step lacks the method.
    try:
        return callable(getattr(value, name, None))
    except Exception:  # noqa: BLE001 - a property may raise anything
        return False


def _of_labels(value: Any) -> bool:
    return bool(
        {"sklearn.LabelEncoder", "sklearn.LabelBinarizer", "sklearn.MultiLabelBinarizer"} & bases(value)
    )


def _fitted(value: Any) -> bool:
    steps = getattr(value, "steps", None)
    if steps:
        return all(isinstance(step, str) or step is None or _fitted(step) for _name, step in steps)
    told = [name for name in vars(value) if name.endswith("_") and not name.startswith("_")]
    return bool(told) or bool(getattr(value, "__sklearn_is_fitted__", bool)())
