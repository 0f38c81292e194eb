"""How trees are asked: by rule and not by measuring, so that the same model gives the same form.

The rule's microseconds are fitted to measurements of forests and boosted trees of 1 to 1500 trees.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from ekiben.converters.cuts import cut
from ekiben.converters.ensemble import Ensemble
from ekiben.converters.lanes import laned

Arrays = dict[str, Any]
#: Leaves of a tree up to which it has masks of them, and bytes of the table that is made of these.
MOST_MASKED = 64
MOST_TABLE = 64 * 2**20
#: Leaves of all trees up to which they have bins, and lanes.
MOST_CUT, MOST_LANED = 200_000, 1_000_000
#: How much slower than with ONNX Runtime a request may be without, one row and a hundred together, and the
#: microseconds that such requests take besides.
SPARED, BESIDES = 1.25, (45, 500)
#: Rows up to which a table answers them one by one.
FEW = 12


@dataclass(frozen=True)
class Way:
    """How an ensemble is asked: its ``arrays``, whether they make a ``table`` and ``planes`` of it, its ``lanes``.

    Up to ``few`` rows the table answers, and what is more the planes or the lanes. ONNX Runtime walks the
    trees for what is left: few rows without a table, many without planes and lanes.
    """

    arrays: Arrays
    table: bool = False
    planes: bool = False
    lanes: Arrays | None = None
    few: int = FEW

    def told(self, walked: bool) -> tuple[str, ...]:
        """The same for people (``records.Compiled.ways``); ``walked`` says whether ONNX Runtime is there."""
        many = "lanes" if self.lanes is not None else "bits" if self.planes else "walk"
        few = "table" if self.table else "walk" if walked else many
        return (f"all:{few}",) if few == many else (f"few:{few}", f"many:{many}")


def way_of(ensemble: Ensemble, *, walked: bool = True) -> Way:
    """The fastest way. ``walked`` says whether ONNX Runtime is there."""
    leaves = int(ensemble.leaf_counts.sum())
    arrays = cut(ensemble) if leaves <= MOST_CUT else None
    lanes = laned(ensemble) if leaves <= MOST_LANED else None
    visits = _visits(ensemble)
    walk, walks = (12 + 0.008 * visits, 12 + 0.68 * visits) if walked else (inf, inf)
    table, planes = (inf, inf) if arrays is None else _by_bins(arrays, ensemble)
    begin, flow = (inf, inf) if lanes is None else _by_lanes(lanes, visits)
    one, many = BESIDES
    spared = (one + table) * (many + min(planes, flow))
    alone = spared < inf and spared <= SPARED * (one + min(table, walk)) * (many + min(planes, flow, walks))
    tabled = alone or table < walk
    # With a table there, the planes need no more arrays.
    by_lanes = flow < (planes / SPARED if tabled else planes) and (alone or flow < walks)
    by_planes = not by_lanes and planes < inf and (alone or planes < walks)
    return Way(
        arrays if arrays is not None and (tabled or by_planes) else {},
        tabled,
        by_planes,
        lanes if by_lanes else None,
        FEW if tabled or not by_lanes else max(8, min(64, int(0.6 * begin / (0.0028 * visits)))),
    )


def _by_lanes(lanes: Arrays, visits: float) -> tuple[float, float]:
    """Microseconds before the first row and of a hundred."""
    columns = len(lanes["columns"])
    begin = 8 + 0.3 * columns + sum(15 + 3 * levels for _first, _trees, levels, _soon in lanes["groups"])
    return begin, begin + 12 + 0.7 * columns + 0.4 * visits


def _visits(ensemble: Ensemble) -> float:
    """Nodes that a row passes in all trees, were every leaf as likely."""
    import numpy

    nodes = ensemble.nodes()
    tree = numpy.repeat(numpy.arange(ensemble.count), ensemble.leaf_counts)
    depths = numpy.zeros(len(tree))
    level, depth = ensemble.roots, 0
    while len(level):
        depth += 1
        child = numpy.concatenate((nodes["true"][level], nodes["false"][level]))
        leaf = numpy.concatenate((nodes["true_leaf"][level], nodes["false_leaf"][level])) == 1
        depths[child[leaf]] = depth
        level = child[~leaf]
    return float((numpy.bincount(tree, depths) / ensemble.leaf_counts).sum())


def _by_bins(arrays: Arrays, ensemble: Ensemble) -> tuple[float, float]:
    """Microseconds of a row by a table, infinite where there is none, and of a hundred by planes."""
    most, lines, columns = int(arrays["leaves"].max()), int(arrays["starts"][-1]), len(arrays["columns"])
    width = next((bits // 8 for bits in (8, 16, 32, 64) if most <= bits), 0)
    fits = most <= MOST_MASKED and lines * ensemble.count * width <= MOST_TABLE
    slots = ensemble.count * (1 << (most - 1).bit_length())
    table = 8.5 + 0.13 * columns + 1e-4 * columns * ensemble.count * width + 0.006 * ensemble.count
    told = min(0.035 * lines + 2 * columns, 0.1 * lines)
    return table if fits else inf, 120 + 0.02 * int(arrays["sizes"].sum()) + 0.006 * slots + told
