"""What the caller of ``wrap`` has at hand: variables, and the names that they are known by."""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any


def variable_name(value: object, namespace: dict[str, Any]) -> str | None:
    """The name under which the caller knows the object."""
    return next(
        (name for name, found in namespace.items() if found is value and not name.startswith("_")), None
    )


def namespace(caller: FrameType) -> dict[str, Any]:
    """The caller's variables; those of the notebook too where a function or the magic calls."""
    running = getattr(sys.modules.get("__main__"), "__dict__", {})
    notebook = (
        running if caller.f_globals is running or caller.f_globals["__name__"].startswith("ekiben.") else {}
    )
    return {
        **caller.f_locals,
        **{name: value for name, value in notebook.items() if name not in caller.f_locals},
    }


def store_name(name: str) -> str:
    """A name that the BentoML store takes: ``My_Model`` → ``my_model``."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:63] or "model"
