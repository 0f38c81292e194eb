"""Decision trees of any library, gathered; and as one node of an ONNX graph that tells each row's leaves.

The node is ``ai.onnx.ml.TreeEnsemble`` (version 5). Each tree has an output of its own, and each leaf the
number of the place where its values are; these are summed outside, in doubles and in the library's order,
so that nothing is lost to the 32-bit numbers that ONNX's own sums are made of.
"""

from __future__ import annotations

from typing import Any

from ekiben.converters.onnx_file import DOUBLE, FLOAT, one_node
from ekiben.errors import NotConverted
from ekiben.words import _

LEQ, LT, MEMBER = 0, 1, 6
#: Whole numbers up to here are exact in 32 bits.
MOST_LEAVES = 2**24
MOST_NODES = 8_000_000


class Ensemble:
    """Trees on rows of ``width`` numbers; ``dtype`` is that in which they are compared.

    In the columns that are ``bounded``, a number that is infinite in 32 bits is refused.
    """

    def __init__(self, width: int, dtype: str) -> None:
        self.width = width
        self.dtype = dtype
        self.bounded: set[int] = set()
        self.count = 0
        self._inner = 0
        self._leaves = 0
        self._values: list[Any] = []
        self._members: dict[int, list[float]] = {}
        self._columns: dict[str, list[Any]] = {
            name: []
            for name in ("features", "splits", "modes", "missing", "true", "true_leaf", "false", "false_leaf")
        }
        self._roots: list[int] = []
        self._targets: list[Any] = []

    def add(
        self,
        feature: Any,
        threshold: Any,
        left: Any,
        right: Any,
        leaf: Any,
        values: Any,
        *,
        missing: Any = None,
        modes: Any = LEQ,
        members: dict[int, list[float]] | None = None,
    ) -> None:
        """One tree by arrays over its nodes, the root first.

        A row goes ``left`` where its number is ``<= threshold`` (``modes``: LEQ, LT, or MEMBER of
        ``members`` of the node), or where it is NaN and ``missing`` says so. ``values`` are those of the
        nodes (n, or n × outputs); only the leaves' count.
        """
        import numpy

        leaf = numpy.asarray(leaf, dtype=bool)
        inner = ~leaf
        lone = bool(leaf[0])
        numbers_inner = numpy.cumsum(inner) - 1 + self._inner
        numbers_leaf = numpy.cumsum(leaf) - 1 + self._leaves
        columns = self._columns
        self._roots.append(self._inner)
        if lone:  # a tree without a question: one that leads to the same leaf either way
            made = {
                "features": [0], "splits": [0.0], "modes": [LEQ], "missing": [0],
                "true": [self._leaves], "true_leaf": [1], "false": [self._leaves], "false_leaf": [1],
            }  # fmt: skip
            for name, entry in made.items():
                columns[name].append(numpy.array(entry))
            self._inner += 1
        else:
            for name, children in (("true", left), ("false", right)):
                child = numpy.asarray(children)[inner]
                columns[name].append(numpy.where(leaf[child], numbers_leaf[child], numbers_inner[child]))
                columns[f"{name}_leaf"].append(leaf[child].astype(numpy.int64))
            columns["features"].append(numpy.asarray(feature)[inner])
            columns["splits"].append(numpy.asarray(threshold, dtype=numpy.float64)[inner])
            kinds = numpy.broadcast_to(numpy.asarray(modes), leaf.shape)[inner]
            columns["modes"].append(kinds)
            gaps = (
                numpy.zeros(leaf.shape, dtype=bool) if missing is None else numpy.asarray(missing, dtype=bool)
            )
            columns["missing"].append(gaps[inner].astype(numpy.int64))
            for node, wanted in (members or {}).items():
                self._members[int(numbers_inner[node])] = wanted
            self._inner += int(inner.sum())
        self._leaves += int(leaf.sum())
        self._targets.append(numpy.full(int(leaf.sum()), self.count))
        self._values.append(numpy.asarray(values, dtype=numpy.float64)[leaf])
        self.count += 1

    @property
    def values(self) -> Any:
        """What the leaves stand for, all trees' one after the other."""
        import numpy

        return numpy.concatenate(self._values)

    def check(self) -> None:
        """Raises NotConverted where there are no trees, or too many nodes."""
        if not self.count:
            raise NotConverted(_("It has no trees."))
        if self._leaves > MOST_LEAVES or self._inner > MOST_NODES:
            raise NotConverted(
                _("Its trees have {n} nodes, more than are tried.", n=self._inner + self._leaves)
            )

    @property
    def roots(self) -> Any:
        """The number of each tree's first node."""
        import numpy

        return numpy.array(self._roots, dtype=numpy.int64)

    @property
    def leaf_counts(self) -> Any:
        """How many leaves each tree has."""
        import numpy

        return numpy.array([len(entry) for entry in self._values], dtype=numpy.int64)

    def nodes(self) -> dict[str, Any]:
        """The inner nodes of all trees, an array each: ``features``, ``splits``, ``modes``, ``missing`` and
        their children, numbers of nodes or, where ``true_leaf`` or ``false_leaf`` says so, of leaves.

        ``splits`` are numbers of ``dtype``.
        """
        import numpy

        joined = {name: numpy.concatenate(parts) for name, parts in self._columns.items()}
        if self.dtype == "float32":
            joined["splits"] = _narrowed(joined["splits"], joined["modes"])
        return joined

    def members(self) -> dict[int, list[float]]:
        """What the nodes that ask for categories ask for, by their numbers."""
        return self._members

    def onnx(self) -> bytes:
        """The file: ``x`` (n × width) to ``y`` (n × trees), the number of the leaf in each tree."""
        import numpy

        joined = self.nodes()
        attributes: dict[str, Any] = {
            "aggregate_function": 1,
            "n_targets": self.count,
            "post_transform": 0,
            "nodes_featureids": joined["features"].astype(numpy.int64),
            "nodes_splits": joined["splits"],
            "nodes_modes": joined["modes"].astype(numpy.uint8),
            "nodes_truenodeids": joined["true"].astype(numpy.int64),
            "nodes_trueleafs": joined["true_leaf"].astype(numpy.int64),
            "nodes_falsenodeids": joined["false"].astype(numpy.int64),
            "nodes_falseleafs": joined["false_leaf"].astype(numpy.int64),
            "tree_roots": self.roots,
            "leaf_targetids": numpy.concatenate(self._targets).astype(numpy.int64),
            "leaf_weights": numpy.arange(self._leaves).astype(self.dtype),
        }
        if joined["missing"].any():
            attributes["nodes_missing_value_tracks_true"] = joined["missing"].astype(numpy.int64)
        if self._members:
            lists = [[*self._members[node], numpy.nan] for node in sorted(self._members)]
            attributes["membership_values"] = numpy.concatenate(lists).astype(self.dtype)
        kind = FLOAT if self.dtype == "float32" else DOUBLE
        return one_node("TreeEnsemble", "ai.onnx.ml", 5, kind, (self.width, self.count), attributes)


def before(values: Any, dtype: str) -> Any:
    """The numbers of ``dtype`` just below."""
    import numpy

    kind = numpy.dtype(dtype).type
    return numpy.nextafter(values.astype(kind), kind(-numpy.inf)).astype(numpy.float64)


def _narrowed(splits: Any, modes: Any) -> Any:
    """32-bit numbers at which a 32-bit x is told apart as at the splits.

    The greatest that is not above for ``x <= split``, the least that is not below for ``x < split``.
    """
    import numpy

    narrow = splits.astype(numpy.float32)
    wide = narrow.astype(numpy.float64)
    infinite = numpy.float32(numpy.inf)
    narrow = numpy.where((wide > splits) & (modes != LT), numpy.nextafter(narrow, -infinite), narrow)
    return numpy.where((wide < splits) & (modes == LT), numpy.nextafter(narrow, infinite), narrow)
