"""How far what is sent has moved from the sample: the population stability index of each field.

``PSI = Σ (s_i - e_i) ln(s_i / e_i)`` over bins, where ``e`` are the sample's shares and ``s`` those of the
rows sent; 0 is the same distribution, below 0.1 is called stable, above 0.25 a shift (N. Siddiqi, Credit
Risk Scorecards, Wiley 2006, ch. 9; it is the symmetrised Kullback-Leibler divergence of the two).

The bins come from the contract's histogram (16 equal ones between the sample's ends, or one a category),
neighbours joined until each holds a tenth of the sample, with one more bin on either side for what lies
outside, and one for gaps. Half a row is added to each bin, so that an empty one stays finite. Rows
are sampled, at most ``MOST`` a turn, and older ones fade: at ``MEMORY`` rows all counts are halved.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .columns import Columns, joined, plainly
from .values import span

MOST = 200
#: Fields of numbers that are counted in one pass; a request may go first after each.
TOGETHER = 16
MEMORY = 20_000
#: Rows without which an index says nothing: by chance alone it is about (bins - 1) / rows.
LEAST = 200
SHARE = 0.1
#: The contract's histograms count samples up to this size whole.
WHOLE = 100_000


class Watched:
    """One field: its bins, the sample's counts in them, and which bin a value falls into."""

    def __init__(self, place: int, field: dict[str, Any], gaps: float) -> None:
        self.place = place
        self.name = str(field["name"])
        self.gaps_known = not math.isnan(gaps)
        gaps = gaps if self.gaps_known else 0.0
        #: The least value of each bin from the second on; None where values are looked up.
        self.edges: list[float] | None = None
        if field["categories"] is not None:
            known = {value: at for at, value in enumerate(field["categories"])}
            self.expected = [*map(float, field["counts"]), 0.0, gaps]
            self.bin: Callable[[Any], int] = lambda value: known.get(value, len(known))
        else:
            edges, counts = _joined(float(field["minimum"]), float(field["maximum"]), field["counts"])
            # The last bin begins after what rounds to the sample's greatest.
            self.edges = edges = [*edges, math.nextafter(span(field)[1], math.inf)]
            self.expected = [0.0, *counts, 0.0, gaps]
            self.bin = lambda value: bisect_right(edges, value)
        self.seen = [0.0] * len(self.expected)

    def count(self, values: Sequence[Any]) -> None:
        """Takes values in; a gap is the last bin."""
        counts = [0] * len(self.seen)
        for value, count in Counter(values).items():
            gap = value is None or value != value
            counts[-1 if gap else self.bin(value)] += count
        self.add(counts)

    def add(self, counts: Sequence[int]) -> None:
        """Takes in how many values fell into each bin, and halves all where they are many."""
        seen = [one + other for one, other in zip(self.seen, counts, strict=True)]
        if not self.gaps_known:
            seen[-1] = 0.0
        self.seen = [count / 2 for count in seen] if sum(seen) > MEMORY else seen


class Block:
    """Some fields of numbers, counted at once: a pass over each of them costs more than its numbers.

    Raises:
        ImportError: there is no NumPy.
    """

    def __init__(self, fields: Sequence[Watched]) -> None:
        import numpy

        self.fields = fields
        edges = [field.edges or [] for field in fields]
        self.most = max(map(len, edges))
        # Nothing is at least NaN.
        filled = [[*some, *[math.nan] * (self.most - len(some))] for some in edges]
        self.edges = numpy.array(filled)[:, :, None]

    def count(self, columns: Sequence[Any]) -> None:
        """Takes in the columns of its fields, found by their places."""
        import numpy

        x = numpy.array([columns[field.place] for field in self.fields], dtype="float64")
        found = (x[:, None, :] >= self.edges).sum(axis=1)
        found[numpy.isnan(x)] = self.most + 1
        bins = self.most + 2
        found += bins * numpy.arange(len(x))[:, None]
        counted = numpy.bincount(found.ravel(), minlength=bins * len(x)).reshape(len(x), bins)
        for field, (*counts, gaps) in zip(self.fields, counted.tolist(), strict=True):
            field.add([*counts[: len(field.expected) - 1], gaps])


def _blocks(fields: list[Watched]) -> list[Any]:
    """The fields in blocks; each for itself where its values are looked up, or where there is no NumPy."""
    numbers = [field for field in fields if field.edges is not None]
    try:
        some = [Block(numbers[at : at + TOGETHER]) for at in range(0, len(numbers), TOGETHER)]
    except ImportError:
        return fields
    return [*some, *(field for field in fields if field.edges is None)]


def _joined(low: float, high: float, counts: list[int]) -> tuple[list[float], list[float]]:
    """Lower edges of bins and their counts, where each holds a good share of the sample."""
    least = SHARE * sum(counts)
    width = (high - low) / len(counts)
    edges, joined = [low], [0.0]
    for at, count in enumerate(counts):
        if joined[-1] >= least and sum(counts[at:]) >= least:
            edges.append(low + at * width)
            joined.append(0.0)
        joined[-1] += count
    return edges, joined


class Drift:
    """The fields of a contract that have a histogram; rows are offered on a request's way."""

    def __init__(self, contract: dict[str, Any]) -> None:
        rows = contract["input"] in ("table", "records", "array")
        self.fields = [
            Watched(place, field, _gaps(field, contract["sample_rows"]))
            for place, field in enumerate(contract["inputs"])
            if rows and _fit(field)
        ]
        self.blocks = _blocks(self.fields)
        self.most = MOST if self.fields else 0
        self.waiting: list[Any] = []
        self._rows = 0

    def offer(self, rows: Sequence[Any]) -> None:
        """Some of the rows of a request."""
        if self._rows < self.most:
            self._rows += len(rows)
            self.waiting.append(rows[: self.most])

    def turn(self, last: bool = False) -> None:
        """Counts what was offered."""
        parts, self.waiting, self._rows = self.waiting, [], 0
        if parts:
            rows = joined(parts)
            columns = rows.columns if isinstance(rows, Columns) else list(zip(*rows, strict=True))
            for one in self.blocks:
                one.count(columns if isinstance(one, Block) else plainly(columns[one.place]))
                time.sleep(0)  # a request that came meanwhile goes first

    def figures(self) -> list[list[float]]:
        """The counts by field and bin, to be summed over workers."""
        return [field.seen.copy() for field in self.fields]

    def told(self, figures: list[list[float]]) -> list[dict[str, Any]]:
        """``name``, ``rows`` and ``psi`` of each field; None while too few rows were seen."""
        return [
            {
                "name": field.name,
                "rows": round(sum(seen)),
                "psi": round(psi(field.expected, seen), 4) if sum(seen) >= LEAST else None,
            }
            for field, seen in zip(self.fields, figures, strict=True)
        ]


def _fit(field: dict[str, Any]) -> bool:
    if not sum(field["counts"]) or field["shape"]:
        return False
    if field["categories"] is not None:
        return len(field["counts"]) == len(field["categories"])
    return field["kind"] in ("number", "integer") and field["minimum"] < field["maximum"]


def _gaps(field: dict[str, Any], sample: int) -> float:
    """How many gaps the sample had; not a number where its histogram is that of a part of it."""
    return float(sample - sum(field["counts"])) if sample <= WHOLE else math.nan


def psi(expected: list[float], seen: list[float]) -> float:
    """The index of two lists of counts over the same bins; bins that neither has are left out."""
    pairs = [(e + 0.5, s + 0.5) for e, s in zip(expected, seen, strict=True) if e or s]
    total_e, total_s = (sum(column) for column in zip(*pairs, strict=True))
    return float(sum((s / total_s - e / total_e) * math.log((s / total_s) / (e / total_e)) for e, s in pairs))
