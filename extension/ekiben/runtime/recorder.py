"""A record of what was asked and answered, for later training: only where ``EKIBEN_RECORD`` names a folder.

Parquet through pyarrow where it is installed, else JSON Lines. A file is closed at ``EKIBEN_RECORD_MB`` (64)
or after ``EKIBEN_RECORD_MINUTES`` (10), and the oldest goes when there are more than
``EKIBEN_RECORD_FILES`` (100). A file being written is called ``….part``. Rows are kept aside and written by
a thread; at most ``MOST`` of them and ``MOST_BYTES`` wait, what is beyond is counted as dropped, and so is
what could not be written. A graceful stop loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .columns import Columns
from .images import encoded
from .predictor import plain

MOST = 50_000
MOST_BYTES = 64 * 1024 * 1024
#: Rows or bytes that make a piece of a file, and seconds after which fewer do.
PIECE = 5_000
PIECE_BYTES = 4 * 1024 * 1024
SECONDS = 5.0
#: What a number takes as a Python object in a row, about; texts and pixels come on top.
VALUE = 32


class Recorder:
    """Writes into ``folder``; ``contract`` names the columns."""

    def __init__(
        self, folder: Path, contract: dict[str, Any], megabytes: float, minutes: float, files: int
    ) -> None:
        self.folder = folder
        self.contract = contract
        self.bytes = megabytes * 1024 * 1024
        self.seconds = minutes * 60
        self.files = files
        self.dropped = 0
        self.written = 0
        self._large = [
            at for at, field in enumerate(contract["inputs"]) if field["kind"] in ("text", "image")
        ]
        self._waiting: list[tuple[float, list[Any], dict[str, Any]]] = []
        self._rows = 0
        self._bytes = 0
        self._since = time.monotonic()
        self._file: _Jsonl | _Parquet | None = None
        self._begun = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        try:
            import pyarrow.parquet  # noqa: F401 - asked whether it is there

            self._kind: type[_Jsonl] | type[_Parquet] = _Parquet
        except ImportError:
            self._kind = _Jsonl

    def add(self, rows: list[Any], answers: dict[str, Any]) -> None:
        """One request's rows with the model's own answers."""
        size = self._size(rows)
        if self._rows + len(rows) > MOST or self._bytes + size > MOST_BYTES:
            self.dropped += len(rows)
            return
        self._rows += len(rows)
        self._bytes += size
        self._waiting.append((time.time(), rows, answers))

    def _size(self, rows: Any) -> int:
        """About how many bytes the rows hold."""
        form = self.contract["input"]
        if form == "tensor":
            return _bytes(rows) or sum(_bytes(row) for row in rows)
        if form in ("texts", "images"):
            return sum(VALUE + _bytes(row) for row in rows)
        fixed = VALUE * len(self.contract["inputs"]) * len(rows)
        if not self._large:
            return fixed
        if isinstance(rows, Columns):
            return fixed + sum(_bytes(value) for at in self._large for value in rows.columns[at])
        return fixed + sum(_bytes(row[at]) for row in rows for at in self._large)

    def turn(self, last: bool = False) -> None:
        """Writes a piece where enough has come together, and closes a file that is large or old.

        Raises:
            OSError: it cannot be written; its rows count as dropped, and the next piece begins a new file.
        """
        now = time.monotonic()
        enough = self._rows >= PIECE or self._bytes >= PIECE_BYTES or now - self._since > SECONDS
        if self._waiting and (last or enough):
            taken, self._waiting, self._rows, self._bytes = self._waiting, [], 0, 0
            self._since = now
            count = sum(len(rows) for _moment, rows, _answers in taken)
            try:
                self._write([line for entry in taken for line in self._lines(*entry)], now)
            except Exception:
                self.dropped += count
                self._leave()
                raise
            self.written += count
        if self._file and (last or self._file.size() > self.bytes or now - self._begun > self.seconds):
            try:
                self._file.close()
            finally:
                self._file = None
            kept = sorted(path for path in self.folder.glob("requests-*") if path.suffix != ".part")
            for old in kept[: -self.files]:
                old.unlink(missing_ok=True)

    def _write(self, lines: list[dict[str, Any]], now: float) -> None:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
            self._file = self._kind(self.folder / f"requests-{stamp}-{os.getpid()}", self.contract)
            self._begun = now
        self._file.write(lines)

    def _leave(self) -> None:
        """Ends a file that could not be written to: with what it has, where that can still be done."""
        left, self._file = self._file, None
        if left:
            with contextlib.suppress(Exception):
                left.close()

    def _lines(self, moment: float, rows: list[Any], answers: dict[str, Any]) -> list[dict[str, Any]]:
        names = [field["name"] for field in self.contract["inputs"]]
        moment_column = _moment_column(self.contract)
        single = self.contract["input"] in ("texts", "tensor", "images")
        fields = self.contract["inputs"]
        outputs = {name: plain(values) for name, values in answers.items()}
        told = datetime.fromtimestamp(moment, timezone.utc)
        lines = []
        for at, row in enumerate(rows):
            values = [
                _kept(field, value) for field, value in zip(fields, (row,) if single else row, strict=False)
            ]
            line = {moment_column: told, **dict(zip(names, values, strict=False))}
            lines.append(line | {f"answer.{name}": found[at] for name, found in outputs.items()})
        return lines


def _moment_column(contract: dict[str, Any]) -> str:
    """What the column of the request's time is called: ``time``, with ``_`` before it where a field is so called."""
    name, taken = "time", {field["name"] for field in contract["inputs"]}
    while name in taken:
        name = f"_{name}"
    return name


def _bytes(value: Any) -> int:
    """What a text, an array or an image holds."""
    if isinstance(value, (str, list)):
        return len(value) if isinstance(value, str) else 0
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    width, height = getattr(value, "size", None) or (0, 0)
    return int(width * height * len(value.getbands())) if width else 0


def _kept(field: dict[str, Any], value: Any) -> Any:
    """A value as it is kept; an image as the base64 of its PNG."""
    if field["kind"] != "image" or value is None:
        return plain(value)
    return encoded(value, field["shape"])["b64"]


class _Jsonl:
    """JSON Lines: what is written is there at once."""

    def __init__(self, path: Path, contract: dict[str, Any]) -> None:
        self.target = path.with_suffix(".jsonl")
        self.part = self.target.with_name(self.target.name + ".part")
        self.stream = self.part.open("w", encoding="utf-8")

    def write(self, lines: list[dict[str, Any]]) -> None:
        self.stream.writelines(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines)
        self.stream.flush()

    def size(self) -> int:
        return self.stream.tell()

    def close(self) -> None:
        self.stream.close()
        os.replace(self.part, self.target)


class _Parquet:
    """Parquet: one row group a piece; the columns' types are those of the contract."""

    def __init__(self, path: Path, contract: dict[str, Any]) -> None:
        import pyarrow
        from pyarrow import parquet

        kinds = {"number": pyarrow.float64(), "integer": pyarrow.int64(), "boolean": pyarrow.bool_()}
        fields = [pyarrow.field(_moment_column(contract), pyarrow.timestamp("us", tz="UTC"))]
        single = contract["input"] == "tensor"
        for field in contract["inputs"]:
            kind = kinds.get(field["kind"], pyarrow.string())
            if field["kind"] == "integer" and field["dtype"].lower() == "uint64":
                kind = pyarrow.uint64()
            if field["categories"] is not None:
                kind = pyarrow.array(field["categories"]).type
            for _axis in field["shape"] if single else ():
                kind = pyarrow.list_(kind)
            fields.append(pyarrow.field(field["name"], kind))
        for name, values in contract["golden"]["answers"].items():
            fields.append(pyarrow.field(f"answer.{name}", pyarrow.array(values).type))
        self._table = pyarrow.Table
        self.schema = pyarrow.schema(fields)
        self.target = path.with_suffix(".parquet")
        self.part = self.target.with_name(self.target.name + ".part")
        self.writer = parquet.ParquetWriter(self.part, self.schema)

    def write(self, lines: list[dict[str, Any]]) -> None:
        self.writer.write_table(self._table.from_pylist(lines, schema=self.schema))

    def size(self) -> int:
        return self.part.stat().st_size

    def close(self) -> None:
        self.writer.close()
        os.replace(self.part, self.target)


def recorder(environment: Mapping[str, str], contract: dict[str, Any]) -> Recorder | None:
    """The recorder that the environment asks for; None where it asks for none."""
    folder = environment.get("EKIBEN_RECORD", "").strip()
    if not folder:
        return None

    def number(name: str, default: float) -> float:
        return float(environment.get(name, "").strip() or default)

    return Recorder(
        Path(folder).expanduser(),
        contract,
        number("EKIBEN_RECORD_MB", 64),
        number("EKIBEN_RECORD_MINUTES", 10),
        int(number("EKIBEN_RECORD_FILES", 100)),
    )
