"""Words for people, in English and Simplified Chinese.

The English sentence is the key: ``_("{n} rows", n=3)``. The catalogue is one Jed-style JSON file,
``locale/zh_CN/LC_MESSAGES/ekiben.json``, which JupyterLab and the widget read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

_LOCALES = Path(__file__).parent / "locale"
_chosen: str | None = None
_speaking: ContextVar[str | None] = ContextVar("ekiben_language", default=None)


def use(language: str | None) -> None:
    """Speak ``language`` (``zh_CN``, ``zh-CN``, ``en``) in this process; None: the environment's."""
    global _chosen
    _chosen = language


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak ``language`` inside the block only.

    It holds for this task and the threads that it starts with ``asyncio.to_thread``: a server
    answers each request in its reader's own language.
    """
    token = _speaking.set(language)
    try:
        yield
    finally:
        _speaking.reset(token)


def language() -> str:
    """``zh_CN`` or ``en``: the block's, the process's, ``EKIBEN_LANG``'s, else the locale's."""
    names = (os.environ.get(key) for key in ("EKIBEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))
    wanted = _speaking.get() or _chosen or next((name for name in names if name), "en")
    return "zh_CN" if wanted.lower().startswith("zh") else "en"


@lru_cache(maxsize=4)
def _catalogue(name: str) -> dict[str, Any]:
    path = _LOCALES / name / "LC_MESSAGES" / "ekiben.json"
    if not path.is_file():
        return {}
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


class Said(str):
    """A sentence in one language that still knows its key and values, so that it can be said in another."""

    key: str
    values: dict[str, object]

    def kept(self) -> dict[str, Any]:
        """``{"key", "values"}`` as plain JSON; a value may be a sentence itself."""
        values = {n: each.kept() if isinstance(each, Said) else str(each) for n, each in self.values.items()}
        return {"key": self.key, "values": values}


def kept(texts: Mapping[str, object]) -> dict[str, Any]:
    """``Said.kept`` of those of ``texts`` that are sentences, by name."""
    return {name: text.kept() for name, text in texts.items() if isinstance(text, Said)}


def again(told: dict[str, Any] | None, text: str) -> str:
    """What ``Said.kept`` gave, in the current language; ``text`` where nothing was kept."""
    if not told:
        return text
    values = {n: again(each, "") if isinstance(each, dict) else each for n, each in told["values"].items()}
    return _said(told["key"], values)


def _(text: str, **values: object) -> str:
    """``text`` in the current language, with ``{name}`` filled from ``values``."""
    return _said(text, values)


def _said(text: str, values: dict[str, object]) -> Said:
    found = _catalogue(language()).get(text)
    chosen: str = found[0] if found and found[0] else text
    said = Said(chosen.format(**values) if values else chosen)
    said.key, said.values = text, values
    return said
