"""Pipelines that would lead from a sample to what a model was fitted on, as code that was tried.

A proposal is the very text that the user is shown; it is run on a part of the sample before it is
shown, so what it says of shapes and answers is seen, not guessed.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ekiben.candidates import Named, label_encoders, transformers
from ekiben.protocols import Description

#: Transformers one after the other.
DEPTH = 3
#: Calls of ``transform`` for one sample.
_CALLS = 60
#: Proposals that are tried.
_MOST = 16
#: A column with more values than this is no category.
_CATEGORIES = 40


@dataclass(frozen=True)
class Chain:
    """A way from the sample to the model.

    ``through`` are the variables that it uses, ``imports`` and ``setup`` lines of code before the
    expressions ``model`` and ``sample`` that ``ekiben.wrap`` is to be called with. ``sure`` is False where
    the order of columns is one of several that fit.
    """

    through: tuple[str, ...]
    imports: tuple[str, ...]
    setup: tuple[str, ...]
    model: str
    sample: str
    sure: bool = True

    def code(self) -> str:
        """What the user runs."""
        lines = [*self.imports, *self.setup, f"box = ekiben.wrap({self.model}, {self.sample})"]
        return "\n".join(dict.fromkeys(lines))

    def run(self, names: dict[str, Any]) -> tuple[Any, Any] | None:
        """The model and sample that the code makes, with the variables ``names``; None where it fails."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec("\n".join((*self.imports, *self.setup)), names)
                made = eval(self.model, names)
                rows = eval(self.sample, names)
                made.predict(rows[:5])
        except Exception:  # noqa: BLE001 - the user's objects may raise anything on data that does not fit
            return None
        return made, rows


@dataclass(frozen=True)
class Part:
    """Something that turns some columns of a frame: ``code`` makes it, ``made`` are the columns it gives."""

    columns: tuple[str, ...]
    code: str
    made: tuple[str, ...]
    through: str = ""
    imports: tuple[str, ...] = ()


_PIPELINE = "from sklearn.pipeline import make_pipeline"
_COLUMNS = "from sklearn.compose import make_column_transformer"
_FROZEN = "from sklearn.frozen import FrozenEstimator"
_ONE_HOT = "from sklearn.preprocessing import OneHotEncoder"
_ORDINAL = "from sklearn.preprocessing import OrdinalEncoder"


def chains(known: list[Named], model: Named, sample: Named, about: Description) -> Iterator[Chain]:
    """Proposals, the simplest first; ``sample`` is a small part of the user's under the user's name."""
    found = transformers(known, model.value, about.parts)
    whole = (
        Chain(names, (_PIPELINE,), (), f"make_pipeline({', '.join((*names, model.name))})", sample.name)
        for names in _whole(found, sample.value, about)
    )
    parts: Iterator[Chain] = iter(())
    if hasattr(sample.value, "columns"):
        parts = _in_parts(found, label_encoders(known), model, sample, about)
    return itertools.islice(itertools.chain(whole, parts), _MOST)


def _whole(found: list[Named], sample: Any, about: Description) -> Iterator[tuple[str, ...]]:
    """Names of transformers that, one after the other, take the sample and give what the model takes."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), sample)]
    calls = 0
    while waiting:
        names, data = waiting.pop(0)
        for entry in found:
            if entry.name in names or not _takes(entry.value, data):
                continue
            calls += 1
            made = _transformed(entry.value, data)
            if made is None:
                continue
            if _fits(entry.value, made, about):
                yield (*names, entry.name)
            if len(names) + 1 < DEPTH:
                waiting.append(((*names, entry.name), made))
            if calls >= _CALLS:
                return


def _takes(transformer: Any, data: Any) -> bool:
    names = getattr(transformer, "feature_names_in_", None)
    columns = getattr(data, "columns", None)
    if names is not None and columns is not None and list(names) != list(columns):
        return False
    width = getattr(transformer, "n_features_in_", None)
    if isinstance(data, list):
        return width is None
    return width is None or width == data.shape[1]


def _transformed(transformer: Any, data: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = transformer.transform(data)
    except Exception:  # noqa: BLE001 - the user's transformer may raise anything
        return None
    rows = getattr(made, "shape", (0,))
    return (
        made
        if len(rows) == 2 and rows[0] == (len(data) if isinstance(data, list) else data.shape[0])
        else None
    )


def _fits(transformer: Any, made: Any, about: Description) -> bool:
    width = about.width if about.width is not None else len(about.columns or ()) or None
    if width is not None and made.shape[1] != width:
        return False
    if not about.columns:
        return True
    names = names_out(transformer, made)
    if names is None or all(
        name.rstrip("0123456789").isidentifier() and name[-1:].isdigit() for name in names
    ):
        return True  # numbered, not named: the position tells
    bare = tuple(name.rpartition("__")[2] for name in names)
    return about.columns in (names, bare)


def names_out(transformer: Any, made: Any) -> tuple[str, ...] | None:
    """The names of the columns that a transformer gives, where it knows them."""
    if hasattr(made, "columns"):
        return tuple(map(str, made.columns))
    try:
        return tuple(map(str, transformer.get_feature_names_out()))
    except Exception:  # noqa: BLE001 - not every transformer has names, and some raise on the way
        return None


def _in_parts(
    found: list[Named], labels: list[Named], model: Named, sample: Named, about: Description
) -> Iterator[Chain]:
    """Transformers of some columns, put beside the columns that they leave."""
    frame = sample.value
    fitted = _fitted_parts(found, frame)
    texts = _text_parts(labels, frame, about, {name for part in fitted for name in part.columns})
    options = [*fitted, *texts]
    yield from _joined(options, frame, model, sample, about)


def _fitted_parts(found: list[Named], frame: Any) -> list[Part]:
    """Fitted transformers of some of the frame's columns."""
    columns = list(map(str, frame.columns))
    parts = []
    for entry in found:
        names = [str(name) for name in getattr(entry.value, "feature_names_in_", ())]
        if not names or set(names) == set(columns) or not set(names) <= set(columns):
            continue
        made = _transformed(entry.value, frame[names])
        if made is None:
            continue
        given = tuple(names) if made.shape[1] == len(names) else names_out(entry.value, made)
        if given is not None:
            parts.append(Part(tuple(names), f"FrozenEstimator({entry.name})", given, entry.name, (_FROZEN,)))
    return parts


def _text_parts(labels: list[Named], frame: Any, about: Description, taken: set[str]) -> list[Part]:
    """Encoders for columns of text: one-hot columns by the model's own names, or whole numbers in place."""
    parts = []
    for name in map(str, frame.columns):
        column = frame[name]
        if name in taken or getattr(column.dtype, "kind", "O") in "fM":
            continue
        values = column.dropna().unique().tolist()
        dummies = [given for given in about.columns or () if given.startswith(f"{name}_")]
        if dummies and name not in (about.columns or ()):
            by_text = {str(value): value for value in values}
            kept = [by_text.get(given[len(name) + 1 :], given[len(name) + 1 :]) for given in dummies]
            code = f"OneHotEncoder(categories=[{kept!r}], handle_unknown='ignore', sparse_output=False)"
            parts.append(Part((name,), code, tuple(dummies), "", (_ONE_HOT,)))
        elif all(isinstance(value, str) for value in values) and 0 < len(values) <= _CATEGORIES:
            by = next((e for e in labels if set(values) <= set(e.value.classes_.tolist())), None)
            kept = by.value.classes_.tolist() if by else sorted(values)
            code = f"OrdinalEncoder(categories=[{kept!r}])"
            parts.append(Part((name,), code, (name,), by.name if by else "", (_ORDINAL,)))
    return parts


def _joined(
    options: list[Part], frame: Any, model: Named, sample: Named, about: Description
) -> Iterator[Chain]:
    every: list[Part] = []
    for part in options:
        if not any(set(part.columns) & set(known.columns) for known in every):
            every.append(part)
    tried = [every, *([part] for part in options if len(options) > 1)] if every else []
    columns = list(map(str, frame.columns))
    for parts in tried:
        used = {name for part in parts for name in part.columns}
        rest = [name for name in columns if name not in used]
        made = [name for part in parts for name in part.made]
        for target, sure in _orders(columns, rest, made, parts, about):
            setup = _setup(parts, rest, target, sample.name)
            yield Chain(
                tuple(part.through for part in parts if part.through),
                (_PIPELINE, _COLUMNS, *dict.fromkeys(line for part in parts for line in part.imports)),
                (setup,),
                f"make_pipeline(columns, {model.name})",
                sample.name,
                sure,
            )


def _orders(
    columns: list[str], rest: list[str], made: list[str], parts: list[Part], about: Description
) -> Iterator[tuple[list[str], bool]]:
    """The orders in which the model may take the columns; with whether there is no other."""
    whole = [*rest, *made]
    if about.columns is not None:
        if sorted(about.columns) == sorted(whole):
            yield list(about.columns), True
        return
    if about.width is not None and about.width != len(whole):
        return
    if all(part.columns == part.made for part in parts):
        yield columns, True
        return
    yield whole, False
    yield [*made, *rest], False


def _setup(parts: list[Part], rest: list[str], target: list[str], sample: str) -> str:
    """The line that makes and fits ``columns``."""
    entries = _entries(parts, target)
    if entries is not None:
        return f"columns = make_column_transformer({', '.join(entries)}).fit({sample})"
    told = [f"({part.code}, {list(part.columns)!r})" for part in parts]
    given = [name for part in parts for name in part.made] + rest
    order = [given.index(name) for name in target]
    first = f"make_column_transformer({', '.join(told)}, remainder='passthrough')"
    second = f"make_column_transformer(('passthrough', {order!r}))"
    return f"columns = make_pipeline({first}, {second}).fit({sample})"


def _entries(parts: list[Part], target: list[str]) -> list[str] | None:
    """The parts and what passes between them in the order of ``target``; None where a part would be split."""
    entries: list[str] = []
    passing: list[str] = []
    left = list(target)
    while left:
        part = next((part for part in parts if tuple(left[: len(part.made)]) == part.made), None)
        if part is None and any(left[0] in part.made for part in parts):
            return None
        if part is None:
            passing.append(left.pop(0))
            continue
        if passing:
            entries.append(f"('passthrough', {passing!r})")
            passing = []
        entries.append(f"({part.code}, {list(part.columns)!r})")
        del left[: len(part.made)]
    return [*entries, f"('passthrough', {passing!r})"] if passing else entries
