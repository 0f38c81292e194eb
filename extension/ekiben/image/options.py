"""What may be asked of a build, in one place for the API, the job and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Options:
    """Left out, the builder is the first that works here and the base is the slim image of the model's Python.

    ``fresh`` replays first in a fresh environment, ``push`` sends the proven image to the registry in its name,
    ``native=False`` leaves out what only the native object needs. ``parameters`` and ``box`` are for a notebook:
    what it is run with, and which of its models is meant. ``project`` is the folder of the model's project where
    it has not the usual place.
    """

    engine: str | None = None
    base: str | None = None
    fresh: bool = False
    push: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    box: str = ""
    native: bool = True
    project: str = ""

    def argv(self) -> list[str]:
        """As ``python -m ekiben.image`` takes them."""
        told = [
            ("--engine", self.engine),
            ("--base", self.base),
            ("--box", self.box),
            ("--project", self.project),
        ]
        flags = [("--fresh", self.fresh), ("--push", self.push), ("--compiled-only", not self.native)]
        return [
            *(part for name, value in told if value for part in (name, value)),
            *(name for name, wanted in flags if wanted),
            *(part for name, value in self.parameters.items() for part in ("-p", name, value)),
        ]
