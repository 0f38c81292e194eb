"""Trees as what they ask: the bins that all thresholds together cut each column into, and the nodes by level.

``program_runner`` answers many rows with it (``planes.py``), and of small trees one row (``tables.py``);
``ways.py`` says when.
"""

from __future__ import annotations

from typing import Any

from ekiben.converters.ensemble import LT, MEMBER, Ensemble, before

Arrays = dict[str, Any]


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
    splits = numpy.where(modes == LT, before(splits, ensemble.dtype), splits)
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
            ends += [values, before(values, ensemble.dtype)]
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
