"""What the kernel holds and what the card shows: answers to the faces, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ekiben.codec import FORMAT, Record
from ekiben.records.image import Image
from ekiben.records.model import Model
from ekiben.records.service import Prediction, Replay, Server


@dataclass(frozen=True)
class SampleVariable(Record):
    """A variable of the kernel that could be the sample."""

    name: str
    type: str
    rows: int
    columns: int


@dataclass(frozen=True)
class ModelVariable(Record):
    """A variable of the kernel that holds a model.

    ``part_of`` names the model that already contains it; ``samples`` are in order of fit, the first
    is the one that a click would use. ``problem`` says why it cannot be wrapped. ``box`` names a box
    that was made of this very object; it may have been fitted anew since.
    """

    name: str
    type: str
    framework: str
    fitted: bool
    samples: tuple[SampleVariable, ...] = ()
    part_of: str = ""
    problem: str = ""
    remedy: str = ""
    box: str = ""


@dataclass(frozen=True)
class BoxVariable(Record):
    """A variable of the kernel that holds a box."""

    name: str
    model: str
    estimator: str


@dataclass(frozen=True)
class Snapshot(Record):
    """What the kernel holds: the answer to the JupyterLab button's look."""

    ekiben: str
    models: tuple[ModelVariable, ...]
    boxes: tuple[BoxVariable, ...]
    format: int = FORMAT


@dataclass(frozen=True)
class CardData(Record):
    """All that the card shows. The widget's trait and the server's REST answer have this shape."""

    model: Model
    files: dict[str, str]
    notebook: bool
    servers: tuple[Server, ...] = ()
    replays: tuple[Replay, ...] = ()
    images: tuple[Image, ...] = ()
    variable: str = "box"


@dataclass(frozen=True)
class TryAnswer(Record):
    """An answer to the form: the service's own, and the notebook object's where it still lives.

    ``error`` and ``problems`` (``path``, ``code``, ``message``, ``remedy``) are set instead where the
    rows break the contract.
    """

    prediction: Prediction | None = None
    notebook: dict[str, Any] | None = None
    agrees: bool | None = None
    through: str = ""
    error: str = ""
    problems: tuple[dict[str, str], ...] = ()
