"""The model with its contract: rows in, answers out. The one path that every station takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .columns import Columns, Rows
from .contract import check, to_data
from .decode import Decode, decoder
from .problems import MOST, InvalidRows, Problem, kind_of, problem
from .replay import compare

#: Golden examples that a compiled form must answer again wherever it is loaded.
AGREES = 16


class Predictor:
    """Loads a captured model from ``folder`` and answers rows.

    Where the model has a compiled form (``compiled`` in the manifest), that one answers, and the native
    object is loaded only if the form cannot be. ``adapter`` is the module that knows the model's library
    and ``runner`` the one that runs the form; left out, they are ``adapter`` and ``form``, copied
    beside this file. ``native`` asks for the native object.

    Raises:
        RuntimeError: the form does not load, and the native object was left out of this project.
    """

    def __init__(
        self, folder: str | Path, adapter: Any = None, runner: Any = None, *, native: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.contract: dict[str, Any] = json.loads(
            (self.folder / "contract.json").read_text(encoding="utf-8")
        )
        self.manifest: dict[str, Any] = json.loads((self.folder / "model.json").read_text(encoding="utf-8"))
        self._adapter = adapter
        #: What answers: ``native``, or the compiled form's own name.
        self.form = "native"
        #: Why the compiled form does not answer though it should.
        self.trouble = ""
        #: Checked rows to the model's answers by name, as the adapter gave them, one entry a row.
        self.run: Callable[[Rows], dict[str, Any]] = self.run_native
        told = self.manifest.get("compiled") or {}
        if told.get("form") and told.get("serves", True) and not native:
            self._compile(str(told["form"]), runner)
        if self.form == "native":
            self.model  # noqa: B018 - loaded now, not at the first request

    def _compile(self, form: str, runner: Any) -> None:
        """Takes the compiled form if it loads, and answers golden examples here as it did at capture."""
        try:
            code = runner or import_module(".form", __package__)
            run = code.load(self.folder / "compiled", self.contract)
            self.run = run if getattr(code, "COLUMNS", False) else lambda rows: run(list(rows))
            self._still_agrees()
            self.form = form
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"
            if not native_is_here():
                raise RuntimeError(
                    f"The compiled form does not load ({self.trouble}), and this service was built without "
                    "the native one."
                ) from error
            print(
                f"The compiled form is left for the native one: {self.trouble}", file=sys.stderr, flush=True
            )
            self.run = self.run_native

    def _still_agrees(self) -> None:
        golden = self.contract["golden"]
        rows = golden["rows"][:AGREES]
        told = {name: values[:AGREES] for name, values in golden["answers"].items()}
        got = self.body(self.run(self.check(rows)[0]), [])
        _worst, differing = compare({"rows": rows, "answers": told}, got, self.contract["tolerance"])
        if differing:
            raise ValueError(f"it answers {differing[0]['got']!r} and not {differing[0]['expected']!r}")

    @cached_property
    def adapter(self) -> Any:
        """The module that knows the model's library."""
        return self._adapter or import_module(".adapter", __package__)

    @cached_property
    def model(self) -> Any:
        """The native object."""
        return self.adapter.load(self.folder, self.manifest)

    @staticmethod
    def at(folder: str | Path) -> Predictor:
        """The one predictor of this process for a model's folder."""
        return _loaded(Path(folder).resolve())

    @cached_property
    def decode(self) -> Decode | None:
        """A body's bytes to its checked rows in one pass, None where they are not clean (``decode.py``)."""
        return decoder(self.contract)

    def check(self, rows: Any) -> tuple[Rows, list[Problem]]:
        """The rows as ``run`` takes them, and the warnings.

        Raises:
            InvalidRows: they break the contract.
        """
        columns, warnings = check(self.contract, rows)
        return tupled(self.contract, columns), warnings

    def run_native(self, rows: Rows) -> dict[str, Any]:
        """The native object's answers to checked rows."""
        answers: dict[str, Any] = self.adapter.call(self.model, assemble(self.contract, rows))
        return answers

    def data(self, rows: Rows) -> Any:
        """Checked rows as the model was shown them at capture."""
        return assemble(self.contract, rows)

    def answer(self, rows: Any, language: str = "en") -> dict[str, Any]:
        """The body of an answer: ``predictions`` (n), ``probabilities`` (n × classes), ``warnings``.

        Raises:
            InvalidRows: the rows break the contract, or the model lost one of them (status 500).
        """
        checked, warnings = self.check(rows)
        answers = self.run(checked)
        one_a_row(answers, len(checked))
        return self.body(answers, warnings, language)

    def body(self, answers: dict[str, Any], warnings: list[Problem], language: str = "en") -> dict[str, Any]:
        """The model's answers as they travel."""
        body = {name: plain(values) for name, values in answers.items()}
        if self.contract["classes"] is not None:
            body["classes"] = self.contract["classes"]
        body["warnings"] = notices(warnings, language)
        return body

    def respond(self, rows: list[Any]) -> Any:
        """The HTTP response to rows: an answer, or 400 with what is wrong and where."""
        from starlette.responses import Response

        from .gate import language

        speaks = language.get()
        try:
            return Response(dumps(self.answer(rows, speaks)), media_type="application/json")
        except InvalidRows as error:
            return Response(dumps(error.body(speaks)), error.status, media_type="application/json")


def tupled(contract: dict[str, Any], columns: list[list[Any]]) -> list[Any]:
    """Checked columns as the rows that ``run`` takes."""
    return (
        columns[0] if contract["input"] in ("tensor", "texts", "images") else list(zip(*columns, strict=True))
    )


def assemble(contract: dict[str, Any], rows: Rows) -> Any:
    """Checked rows as the model was shown them at capture: DataFrame, array or list."""
    form = contract["input"]
    if form == "array":
        import numpy

        return numpy.array(rows, dtype=contract["dtype"])
    if form in ("tensor", "texts", "images"):
        return to_data(contract, [rows])
    columns = rows.lists() if isinstance(rows, Columns) else zip(*rows, strict=True)
    return to_data(contract, [list(values) for values in columns])


def native_is_here() -> bool:
    """Whether the project has what the native object needs (``box.build(native=False)`` leaves it out)."""
    try:
        return bool(import_module(".made_for", __package__).NATIVE)
    except (ImportError, AttributeError):
        return True


@lru_cache(maxsize=4)
def _loaded(folder: Path) -> Predictor:
    return Predictor(folder)


def parse(body: bytes) -> list[Any]:
    """The rows of a request body.

    Raises:
        InvalidRows: it is not JSON, or not of the form ``{"rows": [...]}``.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRows([problem("$", "not_json", detail=str(error)[:120])]) from error
    if not isinstance(data, dict) or "rows" not in data:
        raise InvalidRows([problem("$", "no_rows")])
    rows = data["rows"]
    if not isinstance(rows, list):
        raise InvalidRows([problem("$.rows", "rows_type", got=kind_of(rows))])
    if not rows:
        raise InvalidRows([problem("$.rows", "empty_rows")])
    return rows


def one_a_row(answers: dict[str, Any], count: int) -> None:
    """Looks whether a model gave as many answers as it was given rows.

    Raises:
        InvalidRows: it did not, with status 500; the answers would be taken for those of other rows.
    """
    for name, values in answers.items():
        if len(values) != count:
            raise InvalidRows([problem("$", "answer_count", name=name, got=len(values), wanted=count)], 500)


def notices(warnings: list[Problem], language: str = "en") -> list[dict[str, str]]:
    """Warnings as they travel: path, code and message; at most 100."""
    told = (entry.told(language) for entry in warnings[:MOST])
    return [{key: entry[key] for key in ("path", "code", "message")} for entry in told]


def plain(values: Any) -> Any:
    """Answers as plain JSON data: numpy scalars and arrays become numbers and lists, NaN becomes None."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if hasattr(values, "tolist"):
        values = values.tolist()
        if kind in "iubU" and kind:
            return values
    if isinstance(values, (list, tuple)):
        return [plain(entry) for entry in values]
    if isinstance(values, float) and values != values:
        return None
    if hasattr(values, "isoformat"):
        return values.isoformat()
    return values


def dumps(body: dict[str, Any]) -> bytes:
    """JSON as bytes. Infinity has no JSON; it goes as the token that Python's reader takes back."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
