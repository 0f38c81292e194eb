"""A model written down as steps and arrays, for ``program_runner`` to run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben.converters.ensemble import Ensemble
from ekiben.converters.ways import way_of
from ekiben.errors import NotConverted
from ekiben.records import Contract, Field
from ekiben.words import _

Steps = list[dict[str, Any]]
#: Columns of a sparse matrix that are laid out at most, and numbers of it at a time.
MOST_WIDE, MOST_LAID = 50_000, 4_000_000


@dataclass(frozen=True)
class Source:
    """What a step gets: rows of ``fields``, or numbers (n × ``width``) where ``fields`` is None.

    ``texts`` says that a row is its one text. ``sparse`` numbers come as entries, and ``absent`` ones are
    in a sparse matrix in the library too, where XGBoost takes what has no entry for a gap.
    """

    width: int
    fields: tuple[Field, ...] | None = None
    names: tuple[str, ...] = ()
    texts: bool = False
    sparse: bool = False
    absent: bool = False


@dataclass
class Program:
    """The arrays, lists of words and trees that the steps name."""

    contract: Contract
    arrays: dict[str, Any] = field(default_factory=dict)
    trees: list[Ensemble] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)
    widest: int = 0
    ways: list[str] = field(default_factory=list)

    def keep(self, values: Any) -> dict[str, str]:
        """An array by its name."""
        import numpy

        array = numpy.ascontiguousarray(values)
        if array.dtype.kind == "O":
            raise NotConverted(_("It holds objects where numbers are wanted."))
        name = f"a{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def listed(self, words: list[str]) -> dict[str, str]:
        """A list of words by its file."""
        self.words.append(words)
        return {"file": f"words{len(self.words) - 1}.json"}

    def classes(self, values: Any) -> Any:
        """Classes by name, or as they are where they are Python's objects."""
        if getattr(values, "dtype", None) is not None and values.dtype.kind in "iubUf":
            return self.keep(values)
        return [value.item() if hasattr(value, "item") else value for value in values]

    def source(self) -> Source:
        """The contract's rows.

        Raises:
            NotConverted: they are of another form than a table's, an array's, records or texts.
        """
        contract = self.contract
        if contract.input == "texts":
            return Source(1, contract.inputs, texts=True)
        if contract.input not in ("table", "array", "records"):
            raise NotConverted(_("It takes {form}, which has no faster form yet.", form=contract.input))
        names = tuple(entry.name for entry in contract.inputs)
        return Source(len(names), contract.inputs, names)

    def numbers(self, source: Source, *, gaps: bool = False) -> tuple[Steps, Source]:
        """Rows to numbers; nothing where they are. ``gaps`` says whether NaN may come.

        Raises:
            NotConverted: a column holds no numbers, or they are too many to lay out.
        """
        if source.sparse:
            return self.laid(source)
        if source.fields is None:
            return [], source
        for entry in source.fields:
            texts = entry.categories is not None and any(isinstance(value, str) for value in entry.categories)
            if texts or entry.kind in ("text", "datetime"):
                raise NotConverted(_("The column {name} holds no numbers.", name=entry.name))
        kinds = [entry.dtype.lower() for entry in source.fields]
        narrow = [place for place, kind in enumerate(kinds) if kind.startswith(("float32", "float16"))]
        step: dict[str, Any] = {
            "op": "numbers",
            "take": None,
            "dtype": "float64",
            "narrow": None,
            "gaps": gaps,
        }
        if any(kind.startswith("float16") for kind in kinds):
            raise NotConverted(_("It computes with 16-bit numbers."))
        if narrow:
            step["dtype" if len(narrow) == len(kinds) else "narrow"] = (
                "float32" if len(narrow) == len(kinds) else narrow
            )
        return [step], replace(source, fields=None)

    def loose(self, source: Source, *, gaps: bool = False) -> tuple[Steps, Source]:
        """The same, but sparse numbers stay as they are."""
        return ([], source) if source.sparse else self.numbers(source, gaps=gaps)

    def laid(self, source: Source, *, gaps: bool = False) -> tuple[Steps, Source]:
        """Entries to numbers (n × width); with ``gaps``, what has none is a gap.

        Raises:
            NotConverted: there are too many columns.
        """
        if source.width > MOST_WIDE:
            raise NotConverted(_("It has {n} columns, more than are laid out.", n=source.width))
        self.widest = max(self.widest, source.width)
        return [{"op": "dense", "gaps": gaps}], Source(source.width)

    def save(self, steps: Steps, folder: Path) -> bool:
        """Writes the files; whether they hold trees."""
        import numpy

        for place, ensemble in enumerate(self.trees):
            (folder / f"trees{place}.onnx").write_bytes(ensemble.onnx())
        for place, words in enumerate(self.words):
            text = json.dumps(words, ensure_ascii=False)
            (folder / f"words{place}.json").write_text(text, encoding="utf-8")
        if self.widest:
            steps = [{"op": "portions", "rows": max(1, MOST_LAID // self.widest), "steps": steps}]
        numpy.savez(folder / "program.npz", **self.arrays)
        text = json.dumps({"op": "chain", "steps": steps}, ensure_ascii=False)
        (folder / "program.json").write_text(text, encoding="utf-8")
        return bool(self.trees)

    def asked(self, *ways: str) -> None:
        """How trees are asked (``records.Compiled.ways``), each told once."""
        self.ways += [way for way in ways if way not in self.ways]

    def forest(
        self, ensemble: Ensemble, *, scale: float | None = None, base: Any = None, groups: int = 0
    ) -> Steps:
        """Trees on numbers, to the sum of their leaves' values by ``scale``, and ``base``."""
        ensemble.check()
        step: dict[str, Any] = {
            "op": "trees",
            "dtype": ensemble.dtype,
            "width": ensemble.width,
            "trees": ensemble.count,
            "values": self.keep(ensemble.values),
            "groups": groups,
            "scale": scale,
            "bounded": len(ensemble.bounded) == ensemble.width or sorted(ensemble.bounded),
            "base": None if base is None else self.keep(base),
        }
        walked = find_spec("onnxruntime") is not None
        way = way_of(ensemble, walked=walked)
        step |= {"table": way.table, "planes": way.planes, "few": way.few}
        step |= {name: self.keep(part) for name, part in way.arrays.items()}
        step["lanes"] = None
        if way.lanes is not None:
            kept = {name: self.keep(way.lanes[name]) for name in ("words", "leaf", "columns")}
            step["lanes"] = way.lanes | kept
        many = way.planes or way.lanes is not None
        if not (way.table and many) and (walked or not many):
            self.trees.append(ensemble)
            step["model"] = {"file": f"trees{len(self.trees) - 1}.onnx"}
        self.asked(*way.told(walked))
        return [step]
