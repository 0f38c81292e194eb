"""Ways from a sample to its model, tried on a part of the sample, with the evidence for each."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ekiben.candidates import TELLS, Named, tables
from ekiben.canonical import rows_of
from ekiben.chains import Chain, chains
from ekiben.evidence import likeness, score
from ekiben.protocols import Description

#: Evidence is plain when answers are better by this much (balanced accuracy or R²), and good; …
_BETTER = 0.15
#: … or when the recorded data fits this much better, and nearly wholly.
_CLOSER, _CLOSE = 0.5, 0.9


@dataclass(frozen=True)
class Look:
    """One check: the model, a part of the sample and what is known about them."""

    model: Named
    sample: Named
    part: Any
    rows: list[int]
    about: Description
    known: list[Named]
    truths: list[Any]
    guessed: bool = False  # the truths are whatever numbers the notebook holds

    def evidence(
        self, model: Any, data: Any, inner: Any, fed: Any, *, fair: bool = True
    ) -> tuple[float | None, float | None]:
        """How good the answers are, and how well what reaches ``inner`` fits its records."""
        found = score(model, data, self.truths, self.about.classes, fair=fair)
        if self.guessed and found is not None and found < TELLS:
            found = None
        return found, likeness(inner, fed)

    def standing(self, tried: Iterable[Tried]) -> tuple[float | None, float | None]:
        """The evidence for the sample as it is.

        Once a proposal's answers fit one of the guessed truths, the sample's own that fit none count too.
        """
        before = self.evidence(self.model.value, self.part, self.model.value, self.part, fair=False)
        if before[0] is None and self.guessed and any(one.score is not None for one in tried):
            return score(self.model.value, self.part, self.truths, self.about.classes), before[1]
        return before

    def names(self) -> dict[str, Any]:
        """The variables for a proposal's code."""
        return {
            **{e.name: e.value for e in self.known},
            self.model.name: self.model.value,
            self.sample.name: self.part,
        }


@dataclass(frozen=True)
class Tried:
    """A proposal that runs: how good its answers are, and how well its data fits what was recorded."""

    chain: Chain
    score: float | None
    likeness: float | None
    rows: Any

    def better(self, before: tuple[float | None, float | None], good: float) -> bool:
        """Whether the proposal beats the sample as it is, plainly; ``good`` is the score it must reach."""
        now, then = self.score, before[0]
        if now is not None and then is not None:
            if now - then >= _BETTER and now >= good:
                return True
            if then - now >= _BETTER:
                return False
        near, far = self.likeness, before[1]
        return near is not None and far is not None and near >= _CLOSE and near - far >= _CLOSER

    def likelier(self, before: tuple[float | None, float | None]) -> bool:
        """Whether it beats the sample as it is, though not plainly."""
        now, then = self.score, before[0]
        if now is not None and then is not None:
            return now - then >= _BETTER and now >= 0.2
        near, far = self.likeness, before[1]
        return near is not None and far is not None and near >= _CLOSE and near - far >= _BETTER

    def rank(self) -> tuple[float, float, bool, int]:
        """The better, the higher."""
        made = bool(self.chain.imports)  # a Pipeline serves raw rows; another table asks callers for them
        return (round(self.score or 0.0, 2), round(self.likeness or 0.0, 2), made, -len(self.chain.through))


def pipelines_tried(look: Look, *, seen: bool = False) -> Iterator[Tried]:
    """The proposals that run, with their evidence.

    ``seen`` takes two transformers in a row only where the notebook holds what they make: there are many
    pairs, and one of them may fit by chance.
    """
    part = Named(look.sample.name, look.part)
    for chain in chains(look.known, look.model, part, look.about):
        made = chain.run(look.names())
        if made is None:
            continue
        pipeline, rows = made
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fed = pipeline[:-1].transform(rows)
        if seen and len(pipeline) > 2 and not is_a_variable(look, fed):
            continue
        right, alike = look.evidence(pipeline, rows, look.model.value, fed)
        yield Tried(chain, right, alike, fed)


def tables_tried(look: Look) -> Iterator[Tried]:
    """Other tables of the same rows that fit by name and width, and the sample's columns in their orders."""
    for entry in tables(look.known, look.sample.value):
        if not suits(look, entry.value):
            continue
        expression, rows = entry.name, rows_of(entry.value, look.rows)
        given, wanted = getattr(look.part, "columns", None), getattr(entry.value, "columns", None)
        if given is not None and wanted is not None and sorted(map(str, given)) == sorted(map(str, wanted)):
            swapped = list(given) != list(wanted)
            if swapped and _same(look.part[list(wanted)], rows):
                expression = f"{look.sample.name}[{list(wanted)!r}]"
        right, alike = look.evidence(look.model.value, rows, look.model.value, rows)
        yield Tried(Chain((), (), (), look.model.name, expression), right, alike, rows)


def suits(look: Look, table: Any) -> bool:
    """Whether a table has the names, or the width, that the model was fitted on."""
    columns = getattr(table, "columns", None)
    if look.about.columns is not None and columns is not None:
        return list(map(str, columns)) == list(look.about.columns)
    return look.about.width is not None and table.shape[1] == look.about.width


def is_a_variable(look: Look, made: Any) -> bool:
    """Whether the notebook holds what the proposal makes of the sample."""
    return any(
        _same(rows_of(entry.value, look.rows), made) for entry in tables(look.known, look.sample.value)
    )


def _same(one: Any, other: Any) -> bool:
    import numpy

    a, b = numpy.asarray(one), numpy.asarray(other.toarray() if hasattr(other, "toarray") else other)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "iufb" and b.dtype.kind in "iufb":
        return bool(numpy.allclose(a, b, equal_nan=True))
    return bool((a == b).all())
