"""The plugin: one class, registered in the group ``ekiben.frameworks``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ekiben.protocols import Description, Saved


class Stranger:
    name = "stranger"

    def matches(self, model: object) -> bool:
        return any(kind.__module__ == "stranger" for kind in type(model).__mro__)

    def describe(self, model: Any) -> Description:
        return Description(estimator=type(model).__name__, task="classification", fitted=True)

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        (folder / "limit.json").write_text(json.dumps(model.limit))
        return Saved(storage="json", imports=("stranger",))

    def adapter(self) -> Path:
        return Path(__file__).parent / "stranger_adapter.py"
