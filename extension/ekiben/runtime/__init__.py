"""What runs inside the service: copied beside ``service.py``, free of ekiben itself.

It needs the standard library, numpy, what the model needs, and for the service msgspec, uvicorn and
BentoML. Names load when they are used, so that the process that watches over the workers stays small.
"""

import os
from importlib import import_module
from typing import Any

# Both libraries would report to their makers otherwise; what the person set stays.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {"Gate": "gate", "InvalidRows": "problems", "Predictor": "predictor", "Row": "contract"}

__all__ = ["Gate", "InvalidRows", "Predictor", "Row"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
