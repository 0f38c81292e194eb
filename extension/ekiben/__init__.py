"""Ekiben: from a notebook variable to a container image that answers like the notebook.

::

    import ekiben

    box = ekiben.wrap(model, X_train)        # capture + contract + project
    box.predict(X_test[:3])                  # through the service's own code, in this process
    with box.serve() as server:              # a real BentoML service in its own process
        server.predict(X_test[:3])
    image = box.build("iris:1")              # a container image, proven before it is done

Importing ekiben loads no framework, no Jupyter and no BentoML: names come when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ekiben.box import Box
    from ekiben.errors import EkibenError
    from ekiben.service import RunningServer, running
    from ekiben.wrapping import open_box, wrap

_HOMES = {
    "wrap": "ekiben.wrapping",
    "open_box": "ekiben.wrapping",
    "Box": "ekiben.box",
    "running": "ekiben.service",
    "RunningServer": "ekiben.service",
    "EkibenError": "ekiben.errors",
}

__all__ = ["Box", "EkibenError", "RunningServer", "__version__", "open_box", "running", "wrap"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ekiben' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext ekiben`` gives the ``%ekiben`` magic."""
    import_module("ekiben.magics").register(shell)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "ekiben.server"}]
