"""What goes into a model and what comes out: fields, examples, tolerance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ekiben.codec import FORMAT, Record

Kind = Literal["number", "integer", "boolean", "text", "category", "datetime", "image"]
Unseen = Literal["reject", "warn", "accept"]
Input = Literal["table", "array", "tensor", "records", "texts", "images"]


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
