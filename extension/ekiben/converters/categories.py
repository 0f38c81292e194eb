"""CatBoost's categories and their combinations, as columns beside those of numbers."""

from __future__ import annotations

import json
from typing import Any

from ekiben.converters.lowering import Lower
from ekiben.converters.program import Source
from ekiben.errors import NotConverted
from ekiben.words import _

_MEANS = ("BinarizedTargetMeanValue", "FloatTargetMeanValue")
_COUNTS = ("Counter", "FeatureFreq")
#: The hash of an empty place in the library's tables.
_NOBODY = 2**64 - 1


class Crossed:
    """The columns that a model's splits ask about categories, in the order of the ``crossed`` step.

    ``told`` is the model as the library writes it in JSON. ``columns`` are the splits' numbers to columns.
    """

    def __init__(self, lower: Lower, told: dict[str, Any], source: Source) -> None:
        info = told["features_info"]
        self.cats = {entry["feature_index"]: entry for entry in info.get("categorical_features", ())}
        self.floats = {entry["feature_index"]: entry for entry in info.get("float_features", ())}
        self.ctrs = info.get("ctrs", [])
        if (self.cats or self.ctrs) and source.fields is None:
            raise NotConverted(_("It has categories of its own."))
        fields = source.fields or ()
        places = [entry["flat_feature_index"] for entry in self.cats.values()]
        self._only = [
            [at, list(fields[at].all_categories or ())]
            for at in places
            if fields[at].all_categories is not None
        ]
        self.exact: dict[tuple[int, int], int] = {}
        for entry in self.cats.values():
            for value in entry.get("values", ()):
                self.exact[entry["flat_feature_index"], value] = len(self.exact)
        # Splits are numbered by their borders: of numbers, of single categories, of combinations.
        begin = sum(len(entry.get("borders") or ()) for entry in self.floats.values()) + len(self.exact)
        self._ctr_of: dict[int, int] = {}
        for place, entry in enumerate(self.ctrs):
            for _border in entry["borders"]:
                self._ctr_of[begin + len(self._ctr_of)] = place
        self._groups: dict[str, dict[str, Any]] = {}
        self._places: list[tuple[str, int]] = []
        for entry in self.ctrs:
            name = json.dumps(entry["elements"])
            group = self._groups.setdefault(name, {**self._projection(entry["elements"]), "tables": []})
            self._places.append((name, len(group["tables"])))
            group["tables"].append(self._table(lower, entry, told["ctr_data"]))

    @property
    def step(self) -> dict[str, Any] | None:
        """What makes the columns; None where there are none."""
        if not self.cats:
            return None
        return {
            "op": "crossed",
            "exact": [list(pair) for pair in self.exact],
            "groups": list(self._groups.values()),
            "only": self._only,
        }

    def column(self, split: dict[str, Any]) -> tuple[int, float]:
        """The column that a split of categories asks, and the border: above is yes."""
        if split["split_type"] == "OneHotFeature":
            cat = self.cats[split["cat_feature_index"]]
            return self.exact[cat["flat_feature_index"], split["value"]], 0.5
        if split["split_type"] != "OnlineCtr":
            raise NotConverted(_("{type} has no faster form yet.", type=f"CatBoost ({split['split_type']})"))
        place = self._ctr_of[split["split_index"]]
        name, at = self._places[place]
        before = 0
        for other, group in self._groups.items():
            if other == name:
                break
            before += len(group["tables"])
        return len(self.exact) + before + at, split["border"]

    def _projection(self, elements: list[dict[str, Any]]) -> dict[str, Any]:
        cats, bits, exact = [], [], []
        for entry in elements:
            kind = entry["combination_element"]
            if kind == "float_feature":
                feature = self.floats[entry["float_feature_index"]]
                gap = feature["nan_value_treatment"] == "AsTrue"
                bits.append([feature["flat_feature_index"], entry["border"], gap])
            else:
                at = self.cats[entry["cat_feature_index"]]["flat_feature_index"]
                if kind == "cat_feature_value":
                    cats.append(at)
                elif kind == "cat_feature_exact_value":
                    exact.append([at, entry["value"]])
                else:
                    raise NotConverted(_("{type} has no faster form yet.", type=f"CatBoost ({kind})"))
        return {"cats": cats, "bits": bits, "exact": exact}

    def _table(self, lower: Lower, entry: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Hashes of combinations and their numbers, in 32 bits as the library computes them."""
        import numpy

        learnt = data[entry["identifier"]]
        stride, flat = learnt["hash_stride"], learnt["hash_map"]
        single = numpy.float32
        prior, prior_of = single(entry["prior_numerator"]), single(entry["prior_denomerator"])
        shift, scale = single(entry["shift"]), single(entry["scale"])
        border, kind = entry["target_border_idx"], entry["ctr_type"]

        def number(good: Any, total: Any) -> float:
            return float(((single(good) + prior) / (single(total) + prior_of) + shift) * scale)

        hashes, values = [], []
        for begin in range(0, len(flat), stride):
            found, counts = int(flat[begin]), [float(value) for value in flat[begin + 1 : begin + stride]]
            if found == _NOBODY:
                continue
            if kind in _MEANS:
                good, total = counts
            elif kind in _COUNTS:
                good, total = counts[0], learnt["counter_denominator"]
            elif kind == "Buckets":
                good, total = counts[border], sum(counts)
            else:
                good, total = sum(counts[border + 1 :]), sum(counts)
            hashes.append(found)
            values.append(number(good, total))
        return {
            "hashes": lower.keep(numpy.array(hashes, dtype=numpy.uint64)),
            "values": lower.keep(numpy.array(values)),
            "unknown": number(0, learnt["counter_denominator"] if kind in _COUNTS else 0),
        }
