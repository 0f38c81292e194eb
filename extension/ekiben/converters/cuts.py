"""Trees as what they ask: the bins that all thresholds together cut each column into, and the nodes by level.

``program_runner`` answers many rows with it (``planes.py``), and of small trees one row (``tables.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ekiben.converters.ensemble import LT, MEMBER, Ensemble

#: Leaves of a tree up to which it has masks of them, and bytes of the table that is made of these.
MOST_MASKED = 64
MOST_TABLE = 64 * 2**20
#: Of more nodes, walking them is surely faster.
MOST_NODES = 200_000
#: How much slower than with ONNX Runtime a request may be without, one row and a hundred together, and the
#: microseconds that such requests take besides.
SPARED, BESIDES = 1.25, (45, 500)

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How an ensemble is asked: its ``arrays``, and whether they make a ``table`` and ``planes`` of it.

    ONNX Runtime walks it for what is left: few rows without a table, many without planes.
    """

    arrays: Arrays
    table: bool
    planes: bool


def way_of(ensemble: Ensemble, *, walked: bool = True) -> Way:
    """The fastest way, by rule and not by measuring: the same model gives the same form.

    ``walked`` says whether ONNX Runtime is there.
    """
    import numpy

    arrays = cut(ensemble) if int(ensemble.leaf_counts.sum()) <= MOST_NODES else None
    if arrays is None:
        return Way({}, False, False)
    most, lines, columns = int(arrays["leaves"].max()), int(arrays["starts"][-1]), len(arrays["columns"])
    width = next((bits // 8 for bits in (8, 16, 32, 64) if most <= bits), 0)
    fits = most <= MOST_MASKED and lines * ensemble.count * width <= MOST_TABLE
    if not walked:
        return Way(arrays, fits, True)
    # Microseconds of one row and of a hundred, fitted to measurements of ensembles of 100 to 1500 trees.
    ends = numpy.cumsum(2 * arrays["sizes"])
    depths = 1 + numpy.searchsorted(ends, arrays["places"], side="right")
    tree = numpy.repeat(numpy.arange(ensemble.count), arrays["leaves"])
    visits = float((numpy.bincount(tree, depths) / arrays["leaves"]).sum())
    slots = ensemble.count * (1 << (most - 1).bit_length())
    table = 8.5 + 0.13 * columns + 1e-4 * columns * ensemble.count * width + 0.006 * ensemble.count
    walk = 12 + 0.008 * visits
    told = min(0.035 * lines + 2 * columns, 0.1 * lines)
    planes = 120 + 0.02 * int(arrays["sizes"].sum()) + 0.006 * slots + told
    walks = 12 + 0.68 * visits
    one, many = BESIDES
    best = (one + min(table, walk)) * (many + min(planes, walks))
    if fits and (one + table) * (many + planes) <= SPARED * best:
        return Way(arrays, True, True)
    return Way(arrays, fits and table < walk, planes < walks)


def cut(ensemble: Ensemble) -> Arrays | None:
    """The arrays that the step "trees" takes; None where a threshold is no number.

    ``columns`` (k) are those that are asked, ``starts`` (k + 1) where the lines of each begin, and ``cuts``
    the upper ends of the lines, which belong to them; a column's last two are infinite: one for what is above
    all others, one for gaps.

    The nodes come by level, ``sizes`` telling how many there are in each: ``tree``, ``column`` (of the k),
    ``line`` (the last that leads left), ``gaps`` (whether they lead left). A level's children are its nodes'
    left ones, then the right ones; ``inner`` are the places of those that are nodes again, and ``places``
    those of the leaves, counted through all levels. ``leaves`` has the number of leaves of each tree.

    ``asks`` are the nodes that ask for categories, ``lists`` (k' + 1) where the lines of each begin in
    ``inside``, which says whether a line leads left.
    """
    import numpy

    nodes = ensemble.nodes()
    features, modes = nodes["features"], nodes["modes"]
    splits = nodes["splits"].astype(numpy.float64)
    if numpy.isnan(splits).any() or (numpy.isneginf(splits) & (modes == LT)).any():
        return None
    splits = numpy.where(modes == LT, _before(splits, ensemble.dtype), splits)
    made, order = _levels(ensemble, nodes)
    members = ensemble.members()
    columns = numpy.unique(features)
    cuts, starts = [], [0]
    line = numpy.zeros(len(features), dtype=numpy.int64)
    inside: dict[int, Any] = {}
    for column in columns:
        here = features == column
        numeric = here & (modes != MEMBER)
        ends = [splits[numeric]]
        chosen = numpy.flatnonzero(here & (modes == MEMBER)).tolist()
        for node in chosen:
            values = numpy.asarray(members[node], dtype=numpy.float64)
            ends += [values, _before(values, ensemble.dtype)]
        found = numpy.unique(numpy.concatenate(ends))
        found = numpy.concatenate((found[~numpy.isposinf(found)], [numpy.inf, numpy.inf]))
        line[numeric] = starts[-1] + numpy.searchsorted(found, splits[numeric])
        for node in chosen:
            inside[node] = numpy.isin(found, members[node])
            inside[node][-1] = nodes["missing"][node]
        cuts.append(found)
        starts.append(starts[-1] + len(found))
    asks = [place for place, node in enumerate(order.tolist()) if node in inside]
    lists = [inside[order[place]] for place in asks]
    return made | {
        "columns": columns.astype(numpy.int64),
        "starts": numpy.array(starts, dtype=numpy.int64),
        "cuts": numpy.concatenate(cuts),
        "column": numpy.searchsorted(columns, features[order]).astype(numpy.int32),
        "line": line[order].astype(numpy.int32),
        "gaps": nodes["missing"][order].astype(bool),
        "asks": numpy.array(asks, dtype=numpy.int32),
        "lists": numpy.cumsum([0, *map(len, lists)]).astype(numpy.int32),
        "inside": numpy.concatenate([*lists, numpy.zeros(0, dtype=bool)]),
    }


def _before(values: Any, dtype: str) -> Any:
    """The numbers of ``dtype`` just below."""
    import numpy

    kind = numpy.dtype(dtype).type
    return numpy.nextafter(values.astype(kind), kind(-numpy.inf)).astype(numpy.float64)


def _levels(ensemble: Ensemble, nodes: Arrays) -> tuple[Arrays, Any]:
    """The arrays of the trees' shape, and the nodes' numbers by level."""
    import numpy

    level = ensemble.roots
    tree = numpy.arange(len(level))
    counts = ensemble.leaf_counts
    places = numpy.zeros(int(counts.sum()), dtype=numpy.int32)
    orders, trees, inners, sizes, begin = [], [], [], [], 0
    while len(level):
        orders.append(level)
        trees.append(tree)
        sizes.append(len(level))
        child = numpy.concatenate((nodes["true"][level], nodes["false"][level]))
        leaf = numpy.concatenate((nodes["true_leaf"][level], nodes["false_leaf"][level])).astype(bool)
        # A lone leaf is written as a node that leads to it either way: its last place counts.
        places[child[leaf]] = begin + numpy.flatnonzero(leaf)
        inner = numpy.flatnonzero(~leaf)
        inners.append(begin + inner)
        begin += len(child)
        level, tree = child[inner], numpy.concatenate((tree, tree))[inner]
    order = numpy.concatenate(orders)
    made = {
        "sizes": numpy.array(sizes, dtype=numpy.int32),
        "inner": numpy.concatenate(inners).astype(numpy.int32),
        "tree": numpy.concatenate(trees).astype(numpy.int32),
        "places": places,
        "leaves": counts,
    }
    return made, order
