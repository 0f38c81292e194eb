"""Images in a sample: which values are images, the field they make, and what is asked of them.

Pillow's images, and arrays of uint8 that have an image's shape: n × height × width, with one, three or
four channels last or first. Floats and other integers stay numbers: no file keeps them.
"""

from __future__ import annotations

import json
from typing import Any

from ekiben.errors import UnsupportedSample
from ekiben.records import Field, Input
from ekiben.runtime.images import BANDS, bare, channels_first, encoded, size
from ekiben.words import _

#: Fewer pixels on a side, and an array of small whole numbers is no image.
LEAST_SIDE = 8
#: So many bytes of PNG are kept as golden examples; one request carries them all.
MOST_BYTES = 3_000_000
_CHANNELS = (1, 3, 4)


def is_image(value: Any) -> bool:
    """Whether it is one of Pillow's images; Pillow is not imported to ask."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def is_picture(value: Any) -> bool:
    """Whether it is an array of one image: uint8, height × width, with channels last or first."""
    if f"{type(value).__module__}.{type(value).__name__}" != "numpy.ndarray" or value.dtype != "uint8":
        return False
    return is_shape(value.shape)


def is_shape(shape: tuple[int, ...]) -> bool:
    """Whether one image has this shape."""
    if len(shape) not in (2, 3):
        return False
    if len(shape) == 3 and shape[-1] not in _CHANNELS and shape[0] not in _CHANNELS:
        return False
    return min(size(shape)) >= LEAST_SIDE


def image_field(name: str, values: list[Any], gaps: bool = False) -> Field:
    """The field of ``values``, Pillow's images or arrays of one layout.

    Raises:
        UnsupportedSample: an image is of a mode that no file keeps, or the layouts differ.
    """
    drawn = is_image(values[0])
    shapes = [_shape(value, name, index) if drawn else value.shape for index, value in enumerate(values)]
    modes = {value.mode for value in values} if drawn else {_mode(shape) for shape in shapes}
    sizes = [size(shape) for shape in shapes]
    height, width = (side[0] if len(set(side)) == 1 else -1 for side in zip(*sizes, strict=True))
    first = shapes[0]
    if drawn:
        shape = (height, width, *first[2:]) if len(modes) == 1 else (height, width)
    elif len({(len(shape), channels_first(shape), _mode(shape)) for shape in shapes}) > 1:
        raise UnsupportedSample(
            _("The arrays of images have their channels in different ways."),
            where=name,
            remedy=_("Give all of them the same number of channels, in the same place."),
        )
    else:
        shape = (first[0], height, width) if channels_first(first) else (height, width, *first[2:])
    pixels = [tall * wide for tall, wide in sizes]
    return Field(
        name, "image" if drawn else "uint8", "image", shape=shape, nullable=gaps,
        minimum=min(pixels), maximum=max(pixels), modes=tuple(sorted(modes)),
    )  # fmt: skip


def numbers(field: Field) -> int:
    """How many numbers the largest image of a field is made of; 1 for other fields."""
    return int(field.maximum or 1) * max(BANDS[mode] for mode in field.modes) if field.modes else 1


def bared(data: Any, form: Input, fields: tuple[Field, ...]) -> Any:
    """Rows whose images have their pixels and nothing else, as they will come to the service."""
    images = [field.name for field in fields if field.kind == "image" and field.dtype == "image"]
    if not images:
        return data
    if form == "images":
        return [bare(image) for image in data]
    if form == "records":
        return [
            {**row, **{name: bare(row[name]) for name in images if is_image(row.get(name))}} for row in data
        ]
    return data.assign(
        **{name: [bare(value) if is_image(value) else value for value in data[name]] for name in images}
    )


def kept(rows: tuple[Any, ...], fields: tuple[Field, ...]) -> int:
    """How many of the encoded ``rows`` may be kept as examples.

    Raises:
        UnsupportedSample: not even the first one.
    """
    if not any(field.kind == "image" for field in fields):
        return len(rows)
    total = 0
    for count, row in enumerate(rows):
        total += len(json.dumps(row))
        if total <= MOST_BYTES:
            continue
        if count:
            return count
        raise UnsupportedSample(
            _(
                "An image of the sample takes {got} MB as PNG; examples travel with the service.",
                got=round(total / 1e6, 1),
            ),
            remedy=_(
                "Pass smaller images, as callers would send them; at most {most} MB.",
                most=round(MOST_BYTES / 1e6),
            ),
        )
    return len(rows)


def to_wire(value: Any, field: Field) -> Any:
    """An image as it travels; what is none (a gap, what came encoded) stays as it is."""
    return encoded(value, field.shape) if is_image(value) or hasattr(value, "dtype") else value


def _shape(image: Any, name: str, index: int) -> tuple[int, ...]:
    if image.mode not in BANDS:
        raise UnsupportedSample(
            _("The image's mode is {mode}; {modes} travel.", mode=image.mode, modes=", ".join(BANDS)),
            where=f"{name}[{index}]",
            remedy=_('Convert it first: image.convert("RGB"), or pass arrays of numbers.'),
        )
    bands = BANDS[image.mode]
    return (image.height, image.width, *((bands,) if bands > 1 else ()))


def _mode(shape: tuple[int, ...]) -> str:
    bands = 1 if len(shape) == 2 else shape[0] if channels_first(shape) else shape[-1]
    return {1: "L", 3: "RGB", 4: "RGBA"}[bands]
