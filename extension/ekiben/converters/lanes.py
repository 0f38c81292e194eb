"""Trees of any depth as words of 64 bits, which ``program_runner/lanes.py`` walks for all rows and trees at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ekiben.converters.ensemble import LT, MEMBER, Ensemble, before

Arrays = dict[str, Any]
#: Rows that are walked at once, and trees: more of both would not stay in the processor's caches.
ROWS, TREES = 128, 128
#: Bits of a word, and those of a 32-bit number among them.
WORD, NUMBER = 63, 32


def laned(ensemble: Ensemble) -> Arrays | None:
    """The arrays that the step "trees" takes for its lanes; None where the trees have no such form.

    A node's word holds, from the top, the place of its left child (the right one is next to it), its
    threshold, and where its column's numbers begin. The threshold is turned round (``_turned``), so that
    adding a number that is above it carries into the child's place: the sum's top is where the row goes.
    A leaf's word leads to itself, and its column, one after the last, holds zeros.

    ``words`` (n) and ``leaf`` (n), the number of the leaf; ``bits`` of the columns' part; ``columns`` (k)
    that are asked, twice where a gap may lead left (``gaps``). ``groups`` (g × 4): the first word of a
    group, which its words count from, its trees, its levels, and after how many of them a good part of the
    rows has arrived. A group's first words are its trees' roots.
    """
    import numpy

    nodes = ensemble.nodes()
    splits, modes = nodes["splits"].astype(numpy.float32), nodes["modes"]
    if ensemble.dtype != "float32" or (modes == MEMBER).any() or numpy.isnan(splits).any():
        return None
    if (numpy.isneginf(splits) & (modes == LT)).any():
        return None
    splits = numpy.where(modes == LT, before(splits, "float32"), splits).astype(numpy.float32)
    columns, column = numpy.unique(nodes["features"], return_inverse=True)
    gaps = bool(nodes["missing"].any())
    column = column + numpy.where(nodes["missing"].astype(bool), len(columns), 0)
    width = len(columns) * (2 if gaps else 1)
    bits = int((width + 1) * ROWS - 1).bit_length()
    most = 1 << max(0, WORD - NUMBER - bits)
    bounds = _bounds(2 * ensemble.leaf_counts, most)
    if bounds is None:
        return None
    heads = (_turned(splits) << bits) | (column * ROWS)
    words: list[Any] = []
    leaf: list[Any] = []
    groups: list[list[int]] = []
    begin = 0
    for first, last in pairwise(bounds):
        made, places, arrived = _numbered(ensemble.roots[first:last], nodes, heads, bits, width * ROWS)
        soon = int(numpy.searchsorted(numpy.cumsum(arrived), 0.4 * sum(arrived)))
        groups.append([begin, last - first, len(arrived), soon])
        begin += len(made)
        words.append(made)
        leaf.append(places)
    return {
        "words": numpy.concatenate(words),
        "leaf": numpy.concatenate(leaf).astype(numpy.int32),
        "bits": bits,
        "columns": columns.astype(numpy.int64),
        "gaps": gaps,
        "groups": groups,
    }


def _bounds(sizes: Any, most: int) -> list[int] | None:
    """The first trees of groups of at most ``most`` words and ``TREES`` trees; None where one tree is too large."""
    bounds, words = [0], 0
    for tree, size in enumerate(sizes.tolist()):
        if size > most:
            return None
        if words + size > most or tree - bounds[-1] >= TREES:
            bounds.append(tree)
            words = 0
        words += size
    return [*bounds, len(sizes)]


def _turned(splits: Any) -> Any:
    """2³² - 1 less the number's place in the order of all 32-bit numbers."""
    from ekiben.converters.program_runner.lanes import ordered

    return (1 << NUMBER) - 1 - ordered(splits)


def _numbered(roots: Any, nodes: Arrays, heads: Any, bits: int, end: int) -> tuple[Any, Any, list[int]]:
    """Words of a group's trees, their leaves' numbers, and how many leaves are reached after each level."""
    import numpy

    level, at = roots, numpy.arange(len(roots))
    count = len(roots)
    placed, found, arrived = [], [], []
    while len(level):
        left = count + 2 * numpy.arange(len(level))
        placed.append(
            (at, (left << NUMBER + bits) | heads[level], numpy.zeros(len(level), dtype=numpy.int64))
        )
        child, is_leaf = (
            numpy.stack([nodes[f"{side}{kind}"][level] for side in ("true", "false")], axis=1).reshape(-1)
            for kind in ("", "_leaf")
        )
        is_leaf = is_leaf.astype(bool)
        places = count + numpy.arange(len(child))
        found.append((places[is_leaf], (places[is_leaf] << NUMBER + bits) | end, child[is_leaf]))
        arrived.append(int(is_leaf.sum()))
        level, at = child[~is_leaf], places[~is_leaf]
        count += len(child)
    words, leaf = numpy.empty(count, dtype=numpy.int64), numpy.empty(count, dtype=numpy.int64)
    for places, made, numbers in (*placed, *found):
        words[places], leaf[places] = made, numbers
    return words, leaf, arrived
