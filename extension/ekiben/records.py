"""The nouns: frozen records of plain data, each with a JSON round trip.

``FORMAT`` numbers every file that is kept. Upgrade manual:

* 1 – the first format. ``Tolerance.scales`` came later: where it is not there, no output has one, and
  every number counts by itself, as it did. ``Compiled.ways`` came later too: without it nothing is told.

``src/wire.ts`` is generated from this module (``extension/generate_wire.py``); a test fails when
it is stale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from ekiben.codec import Record as Record
from ekiben.image_records import (
    Audit as Audit,
)
from ekiben.image_records import (
    Layer as Layer,
)
from ekiben.image_records import (
    LayerStep as LayerStep,
)
from ekiben.image_records import (
    Origin as Origin,
)
from ekiben.image_records import (
    Part as Part,
)
from ekiben.image_records import (
    SizeEstimate as SizeEstimate,
)
from ekiben.image_records import (
    Vulnerability as Vulnerability,
)

FORMAT = 1

Kind = Literal["number", "integer", "boolean", "text", "category", "datetime", "image"]
Level = Literal["info", "warning", "error"]
ServerState = Literal["starting", "ready", "stopped", "failed"]
JobState = Literal["running", "done", "failed", "cancelled"]
Unseen = Literal["reject", "warn", "accept"]
Input = Literal["table", "array", "tensor", "records", "texts", "images"]


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


@dataclass(frozen=True)
class Field(Record):
    """One input or output, as the sample showed it.

    ``dtype`` is the pandas or numpy name and rebuilds the column exactly; ``kind`` is what forms
    and JSON Schema need. ``shape`` is that of one row's value: ``()`` is a scalar, ``(3,)`` three
    numbers. ``minimum`` and ``maximum`` are seen values (ISO 8601 text for datetimes).
    ``categories`` are the values that are allowed; ``all_categories`` those of a pandas categorical
    dtype in its own order, seen or not. ``counts`` is a histogram of the sample (of more than 100,000
    rows, of every k-th): 16 equal bins from minimum to maximum, or one count a category. ``missing``
    is ``nan`` where an object column keeps its gaps as NaN and not as None, and ``absent`` where the
    sample's records had no such key.

    An image has the ``modes`` of Pillow that the sample had, a shape of height, width and channels with
    -1 where the sample's sizes differ, and its smallest and largest number of pixels as the ends
    (``runtime/images.py``).
    """

    name: str
    dtype: str
    kind: Kind
    shape: tuple[int, ...] = ()
    nullable: bool = False
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    categories: tuple[Any, ...] | None = None
    all_categories: tuple[Any, ...] | None = None
    ordered: bool = False
    missing: str = ""
    counts: tuple[int, ...] = ()
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scale(Record):
    """How large an output's numbers are: by position on the last axis, and the least length of a row.

    Both are seen in the golden answers; ``runtime/tolerance.py`` says how they count.
    """

    sizes: tuple[float, ...]
    least: float


@dataclass(frozen=True)
class Tolerance(Record):
    """Numbers agree when ``|a - b| <= absolute + relative * size``; everything else when equal.

    ``size`` is ``|b|``. Outputs of 32-bit numbers are in ``scales`` by name: there a number counts at
    least with what its position and its row are used to, for that is what it was rounded with.
    """

    relative: float = 1e-6
    absolute: float = 1e-9
    scales: dict[str, Scale] = field(default_factory=dict)


@dataclass(frozen=True)
class Golden(Record):
    """Rows of the user's sample with the answers that the live object gave at capture.

    ``rows`` are as they travel in a request; ``answers`` has one list a name, row by row
    (``predictions``, and ``probabilities`` where the model gives them).
    """

    rows: tuple[Any, ...]
    answers: dict[str, Any]


@dataclass(frozen=True)
class Contract(Record):
    """What goes in, what comes out, and the examples that prove it.

    ``input`` is the form of the sample (``ekiben.canonical`` has the table of forms): rows are objects
    for ``table`` and ``records``, lists of numbers for ``array``, nested lists for ``tensor``, strings
    for ``texts``, ``{"b64": …}`` for ``images``. ``unseen`` says what happens to a category that the
    sample did not have, ``outside`` to a number beyond its range.
    """

    input: Input
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    task: str
    classes: tuple[Any, ...] | None
    sample_rows: int
    golden: Golden
    dtype: str = ""
    unseen: Unseen = "reject"
    outside: Unseen = "warn"
    tolerance: Tolerance = field(default_factory=Tolerance)
    format: int = FORMAT


@dataclass(frozen=True)
class Piece(Record):
    """One thing of the notebook that the model's code needs, or that was looked at and left.

    ``kind`` is ``function``, ``class``, ``import``, ``constant``, ``object``, ``module`` or ``file``;
    ``how`` is ``source`` (as it was written), ``value`` (as it was in the kernel), ``kept`` (a saved
    object beside the module), ``copied`` (a file) or ``left``. ``place`` names cell and line; it is
    empty where there is none. ``note`` says why.
    """

    name: str
    kind: str
    how: str
    place: str = ""
    note: str = ""


@dataclass(frozen=True)
class Timing(Record):
    """Microseconds of one call with ``rows`` rows, by the native object and by the compiled form."""

    rows: int
    native: float
    compiled: float


@dataclass(frozen=True)
class Attempt(Record):
    """A converter that was tried: how much faster one row is, or why it does not serve."""

    converter: str
    speedup: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Compiled(Record):
    """The faster form of a model; without a ``form`` the native object serves, and ``reason`` says why.

    ``form`` is for people (``NumPy + ONNX Runtime``), and ``ways`` how trees are asked: ``few:``, ``many:``
    or ``all:`` rows by ``table``, ``walk``, ``bits`` or ``lanes`` (``views.ways``). ``rows`` of the sample
    and ``edges`` (rows at the contract's ends) were answered alike, ``worst`` is the greatest difference.
    ``requirements`` are the pinned lines of a service that has this form alone. Where ``serves`` is False
    the user chose the native object.
    """

    form: str = ""
    converter: str = ""
    reason: str = ""
    rows: int = 0
    edges: int = 0
    worst: float = 0.0
    timings: tuple[Timing, ...] = ()
    bytes: int = 0
    requirements: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    tried: tuple[Attempt, ...] = ()
    serves: bool = True
    ways: tuple[str, ...] = ()

    @property
    def speedup(self) -> float:
        """How many times faster one row is; 0 where nothing was measured."""
        first = self.timings[0] if self.timings else None
        return first.native / first.compiled if first and first.compiled else 0.0

    @property
    def active(self) -> bool:
        """Whether the service answers with it."""
        return bool(self.form) and self.serves


@dataclass(frozen=True)
class Model(Record):
    """A captured model: what the BentoML store holds under ``tag``.

    ``storage`` is how the object is kept (``skops``, ``cloudpickle``, …) and ``trusted`` the types
    that loading it may make besides the library's own; ``options`` is the adapter's own.
    ``requirements`` are pinned lines for pip; ``direct`` names those that the model, its code and the
    service import themselves, the others are what these need.
    ``source`` is the notebook's own code that the model needs, the text of the module ``code_module``
    (both empty where it needs none), and ``carried`` tells it piece by piece.
    """

    name: str
    version: str
    framework: str
    estimator: str
    storage: str
    folder: str
    digest: str
    python: str
    requirements: tuple[str, ...]
    contract: Contract
    trusted: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    source: str = ""
    code_module: str = ""
    carried: tuple[Piece, ...] = ()
    compiled: Compiled = field(default_factory=Compiled)
    origin: Origin = field(default_factory=Origin)
    created: str = ""
    bytes: int = 0
    format: int = FORMAT

    @property
    def tag(self) -> str:
        """``name:version``, the BentoML tag."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Project(Record):
    """The generated service: rendered text by path. ``folder`` is empty until it is written.

    ``copies`` are the files that are no text: path in the project → where it lies on this machine.
    """

    name: str
    files: dict[str, str]
    model: str
    folder: str = ""
    copies: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mismatch(Record):
    """One golden row that a station answered otherwise. ``row`` counts from 0."""

    row: int
    output: str
    sent: Any
    expected: Any
    got: Any
    difference: float | None = None


@dataclass(frozen=True)
class Replay(Record):
    """The golden examples at one station: ``kernel``, ``process``, ``http``, …; ``problem``: why none was asked."""

    station: str
    rows: int
    worst: float
    tolerance: Tolerance
    milliseconds: float
    mismatches: tuple[Mismatch, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every row agreed."""
        return not self.mismatches and not self.problem

    def _repr_html_(self) -> str:
        html: str = import_module("ekiben.views").replays_html((self,))
        return html


@dataclass(frozen=True)
class Server(Record):
    """A running service. One JSON file of this shape lies in the Jupyter runtime directory.

    ``birth`` is the process's start time in seconds since the epoch, so that a pid used again by
    another process is told apart. ``form`` is what answers (``native``, or the compiled form's name),
    ``speedup`` what one row gained by it, and ``memory`` the resident bytes of all its processes when
    they were looked at.
    """

    id: str
    model: str
    url: str
    pid: int
    birth: float
    project: str
    state: ServerState
    log: str
    started: str
    notebook: str = ""
    message: str = ""
    form: str = ""
    speedup: float = 0.0
    memory: int = 0
    format: int = FORMAT


@dataclass(frozen=True)
class Notice(Record):
    """A warning that an answer carries: a value out of range, an unseen category."""

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Prediction(Record):
    """Answers by name, row by row, with what they took and what to be careful about."""

    outputs: dict[str, Any]
    milliseconds: float
    warnings: tuple[Notice, ...] = ()

    def _repr_html_(self) -> str:
        # The ground imports nothing above it; the view is asked for by name.
        html: str = import_module("ekiben.views").prediction_html(self)
        return html


@dataclass(frozen=True)
class Image(Record):
    """A container image. ``replay`` is its proof; without one that passed it is not called done.

    ``base`` is the image under it with its digest, where the builder tells it. ``wanted`` is the name
    that an unproven image was to get; its findings say why it did not. ``parts`` are what weighs, the
    heaviest first; ``audit`` is the report on known vulnerabilities.
    """

    reference: str
    digest: str
    bytes: int
    engine: str
    model: str
    created: str
    layers: tuple[Layer, ...] = ()
    replay: Replay | None = None
    base: str = ""
    findings: tuple[Finding, ...] = ()
    wanted: str = ""
    parts: tuple[Part, ...] = ()
    audit: Audit | None = None
    format: int = FORMAT

    @property
    def proven(self) -> bool:
        """Whether it answered as the notebook did."""
        return self.replay is not None and self.replay.passed


@dataclass(frozen=True)
class Job(Record):
    """A slow verb in a process of its own; step ``step`` of ``steps`` (counted from 1).

    ``layers`` are those of an image that are done.
    """

    id: str
    verb: str
    subject: str
    state: JobState
    step: int
    steps: int
    message: str
    log: str
    pid: int
    birth: float
    started: str
    ended: str = ""
    error: str = ""
    remedy: str = ""
    result: dict[str, Any] | None = None
    layers: tuple[LayerStep, ...] = ()
    format: int = FORMAT


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
