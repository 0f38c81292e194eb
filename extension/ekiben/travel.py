"""What rows lose on their way through JSON, and whether a row's answer is its own.

Asked of the notebook's own object, before the saved copy is blamed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ekiben.canonical import canonical, rows_of
from ekiben.records import Contract, Finding
from ekiben.runtime.predictor import plain
from ekiben.runtime.replay import compare
from ekiben.words import _

Ask = Callable[[Any], dict[str, Any]]

#: Golden rows that are asked one by one, and the seconds after which the next is no longer asked.
ALONE, SECONDS = 3, 1.0
#: Libraries round otherwise for one row than for many; what a row owes to its neighbours is more than that.
SLACK = 1000


def beside(ask: Ask, contract: Contract, example: Any) -> tuple[Finding, ...]:
    """Tells a row whose answer depends on the rows beside it: ``example`` are the golden rows as they arrive."""
    golden, count = contract.golden.to_json(), len(contract.golden.rows)
    known = contract.tolerance
    tolerance = replace(known, relative=known.relative * SLACK, absolute=known.absolute * SLACK).to_json()
    end = time.monotonic() + SECONDS
    for place in sorted({0, count // 2, count - 1})[:ALONE] if count > 1 else ():
        answers = {name: [values[place]] for name, values in golden["answers"].items()}
        try:
            got = _asked(ask, rows_of(example, [place]))
        except Exception as error:  # noqa: BLE001 - the user's own function may raise anything
            told = _("A row alone is not answered: {error}.", error=_said(error))
            return (Finding("warning", told, _depends()),)
        _worst, differing = compare({"rows": [golden["rows"][place]], "answers": answers}, got, tolerance)
        if differing:
            told = _(
                "A row's answer depends on the rows beside it: {output} of row {row} is {expected} among others "
                "and {got} alone.",
                output=differing[0]["output"],
                row=place,
                expected=_short(differing[0]["expected"]),
                got=_short(differing[0]["got"]),
            )
            return (Finding("warning", told, _depends()),)
        if time.monotonic() > end:
            break
    return ()


def _depends() -> str:
    return _(
        "A request may have one row. Compute means, columns and categories once, from the training data, "
        "and use them in what answers."
    )


def remedy(ask: Ask, sample: Any, contract: Contract, example: Any) -> str:
    """Why the saved copy answers otherwise, as a remedy; empty where the rows are not the reason."""
    golden, tolerance = contract.golden.to_json(), contract.tolerance.to_json()
    try:
        first = _asked(ask, example)
        if not compare(golden, first, tolerance)[1]:
            return ""
        again = {"rows": golden["rows"], "answers": first}
        if compare(again, _asked(ask, example), tolerance)[1]:
            return _(
                "It answers otherwise each time it is asked. Fix its seed where it answers, "
                "call eval() on a network, keep no counts."
            )
        told = _(
            "The notebook's own object answers these rows otherwise too once they have travelled as JSON."
        )
    except Exception as error:  # noqa: BLE001 - the user's own function may raise anything
        told = _(
            "The notebook's own object does not take the rows that have travelled as JSON: {error}.",
            error=_said(error),
        )
    lost = list(_lost(sample, example))
    return told + "".join(f"\n  {entry}" for entry in lost[:8]) + ("\n  …" if len(lost) > 8 else "")


def _asked(ask: Ask, data: Any) -> dict[str, Any]:
    return {name: plain(values) for name, values in ask(data).items()}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300].rstrip(".")


def _lost(sample: Any, example: Any) -> Iterator[str]:
    form, data = canonical(sample)
    if form == "table":
        if type(data.index).__name__ != "RangeIndex":
            yield _("The index stays behind: make it a column, X = X.reset_index().")
        for name in data.columns:
            yield from _column(str(name), data[name], example[name])
    if form == "records":
        names = dict.fromkeys(name for row in data for name in row)
        for name in names:
            values = [row.get(name, _lost) for row in data]
            gaps = {repr(value) for value in values if value is None or value != value}
            if len(gaps) + (_lost in values) > 1:
                yield _("{name}: missing keys, None and NaN become one; use one of them.", name=name)


def _column(name: str, before: Any, after: Any) -> Iterator[str]:
    if str(before.dtype) != str(after.dtype):
        yield _(
            "{name}: {before} becomes {after}.", name=name, before=str(before.dtype), after=str(after.dtype)
        )
    elif str(before.dtype) == "category" and not before.cat.categories.equals(after.cat.categories):
        kinds = {"before": str(before.cat.categories.dtype), "after": str(after.cat.categories.dtype)}
        yield _("{name}: categories of {before} become {after}.", name=name, **kinds)
    elif str(before.dtype) == "object" and len({type(value) for value in before[before.isna()]}) > 1:
        yield _(
            "{name}: None and NaN become one: X[{quoted}] = X[{quoted}].fillna('').",
            name=name,
            quoted=repr(name),
        )
