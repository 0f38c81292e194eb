"""Words for people, in English and Simplified Chinese.

The English sentence is the key: ``_("{n} rows", n=3)``. The catalogue is one Jed-style JSON file,
``locale/zh_CN/LC_MESSAGES/ekiben.json``, which JupyterLab and the widget read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
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


def _(text: str, **values: object) -> str:
    """``text`` in the current language, with ``{name}`` filled from ``values``."""
    found = _catalogue(language()).get(text)
    chosen: str = found[0] if found and found[0] else text
    return chosen.format(**values) if values else chosen
