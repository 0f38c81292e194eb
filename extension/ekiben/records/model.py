"""A captured model, its faster form, its code and the service made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ekiben.codec import FORMAT, Record
from ekiben.records.contract import Contract
from ekiben.records.finding import Finding


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
class Origin(Record):
    """Where a model came from, as it was at capture.

    ``notebook`` is the path in the git work tree, or the file's name alone where there is none;
    ``revision`` the commit, ``dirty`` whether a tracked file differed from it, ``repository`` its address
    without a login. ``parameters`` are those that the notebook was run with.
    """

    notebook: str = ""
    revision: str = ""
    dirty: bool = False
    repository: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


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
    ``findings`` tell of files that a person edited: which stay, which were set aside.
    """

    name: str
    files: dict[str, str]
    model: str
    folder: str = ""
    copies: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
