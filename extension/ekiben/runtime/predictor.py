"""The model with its contract: rows in, answers out. The one path that every station takes."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from .contract import check, to_data
from .problems import InvalidRows, Problem, kind_of, problem


class Predictor:
    """Loads a captured model from ``folder`` and answers rows.

    ``adapter`` is the module that knows the model's library; left out, it is the ``adapter.py`` that
    was copied beside this file.
    """

    def __init__(self, folder: str | Path, adapter: Any = None) -> None:
        folder = Path(folder)
        self.contract: dict[str, Any] = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
        self.manifest: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.adapter = adapter or import_module(".adapter", __package__)
        self.model = self.adapter.load(folder, self.manifest)

    def answer(self, rows: list[Any], language: str = "en") -> dict[str, Any]:
        """The body of an answer: ``predictions`` (n), ``probabilities`` (n × classes), ``warnings``.

        Raises:
            InvalidRows: the rows break the contract.
        """
        columns, warnings = check(self.contract, rows)
        answers = self.adapter.call(self.model, to_data(self.contract, columns))
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


def notices(warnings: list[Problem], language: str = "en") -> list[dict[str, str]]:
    """Warnings as they travel: path, code and message; at most 100."""
    told = (entry.told(language) for entry in warnings[:100])
    return [{key: entry[key] for key in ("path", "code", "message")} for entry in told]


def plain(values: Any) -> Any:
    """Answers as plain JSON data: numpy scalars and arrays become numbers and lists, NaN becomes None."""
    if hasattr(values, "tolist"):
        values = values.tolist()
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
