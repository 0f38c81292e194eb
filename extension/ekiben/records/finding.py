"""Something worth telling: what every noun above may carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ekiben.codec import Record

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding(Record):
    """Something worth telling, with the remedy; ``told`` has both as ``words.Said.kept`` gives it."""

    level: Level
    message: str
    remedy: str = ""
    told: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        parts = {"message": getattr(self.message, "kept", None), "remedy": getattr(self.remedy, "kept", None)}
        self.told.update({name: kept() for name, kept in parts.items() if kept})
