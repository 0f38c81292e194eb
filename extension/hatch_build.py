"""Builds the front end when its bundle is missing, and puts it where JupyterLab looks.

``EKIBEN_SKIP_FRONTEND=1`` makes a Python-only install, for a machine that needs no JupyterLab side.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that hatchling calls before it packs a wheel or an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before the build; the packaging work lands here."""
        if os.environ.get("EKIBEN_SKIP_FRONTEND"):
            return
