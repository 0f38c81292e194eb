"""Images as they travel: ``{"b64": …}``, base64 of a PNG, JPEG or WebP file, and what they are made of.

A field of kind ``image`` has the ``modes`` of Pillow that its sample had and the ``shape`` that
``numpy.asarray`` gives of one: height × width, with the channels last (or first, where an array had them
so), -1 where the sample's sizes differ. Its ``dtype`` is ``image`` where the model takes Pillow's images,
``uint8`` where it takes arrays; an array may travel as nested lists of whole numbers too.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

from .problems import Problem, kind_of, problem, shown

FORMATS = ("PNG", "JPEG", "WEBP")
#: Bands of each mode that a field may have.
BANDS = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
#: More pixels than this, and than four times the sample's largest image, are refused before they are read.
MOST_PIXELS = 25_000_000


def read_image(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    """The image or array to hand to the model; None where the value is no such thing, told in ``bad``."""
    if isinstance(value, list) and field["dtype"] == "uint8":
        return _listed(field, value, path, bad)
    text = value.get("b64") if isinstance(value, dict) and value.keys() == {"b64"} else None
    if not isinstance(text, str):
        bad.append(problem(path, "wrong_type", value=shown(value), got=kind_of(value), kind="image"))
        return None
    image = _opened(field, text, path, bad)
    if image is None or field["dtype"] != "uint8":
        return image
    return as_array(image, field["shape"])


def encoded(value: Any, shape: tuple[int, ...] | list[int] = ()) -> dict[str, str]:
    """An image or an array of the field's ``shape`` as it travels: PNG, which keeps every pixel.

    Nothing but the pixels is kept: no place, no time, no camera.
    """
    image = as_image(value, shape) if hasattr(value, "dtype") else value
    file = io.BytesIO()
    bare(image).save(file, "PNG")
    return {"b64": base64.b64encode(file.getvalue()).decode("ascii")}


def bare(image: Any) -> Any:
    """A copy of an image that has its pixels and nothing else."""
    from PIL import Image

    return Image.frombytes(image.mode, image.size, image.tobytes())


def as_array(image: Any, shape: tuple[int, ...] | list[int]) -> Any:
    """uint8, with the channels where ``shape`` has them."""
    import numpy

    array = numpy.array(image)
    if len(shape) == 3:
        if array.ndim == 2:
            array = array[:, :, None]
        if channels_first(shape):
            array = numpy.ascontiguousarray(numpy.moveaxis(array, -1, 0))
    return array


def as_image(array: Any, shape: tuple[int, ...] | list[int] = ()) -> Any:
    """Pillow's image of a uint8 array."""
    import numpy
    from PIL import Image

    if array.ndim == 3 and channels_first(shape or array.shape):
        array = numpy.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[:, :, 0]
    return Image.fromarray(numpy.ascontiguousarray(array))


def channels_first(shape: tuple[int, ...] | list[int]) -> bool:
    """Whether an image of this shape has its channels before height and width."""
    bands = set(BANDS.values())
    return len(shape) == 3 and shape[-1] not in bands and shape[0] in bands


def size(shape: tuple[int, ...] | list[int]) -> tuple[int, int]:
    """Height and width, -1 where they are free."""
    height, width = shape[1:] if channels_first(shape) else shape[:2]
    return height, width


def seen(field: dict[str, Any]) -> str:
    """What the sample had, short: ``RGB 224 × 224``, with ``*`` where the size is free."""
    height, width = size(field["shape"])
    return f"{' / '.join(field['modes'])} {_free(width)} × {_free(height)}"


def schema(field: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an image."""
    height, width = size(field["shape"])
    sizes = "any size" if height < 0 and width < 0 else f"{_free(width)} × {_free(height)} pixels"
    file: dict[str, Any] = {
        "type": "object",
        "properties": {
            "b64": {
                "type": "string",
                "contentEncoding": "base64",
                "contentMediaType": "image/png",
                "description": f"A PNG, JPEG or WebP file: {' or '.join(field['modes'])}, {sizes}",
            }
        },
        "required": ["b64"],
        "additionalProperties": False,
    }
    if field["dtype"] != "uint8":
        return file
    lists: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 255}
    for length in reversed(field["shape"]):
        lists = {"type": "array", "items": lists, "minItems": max(1, length)}
        if length >= 0:
            lists["maxItems"] = length
    return {"anyOf": [file, lists]}


def _free(length: int) -> str:
    return "*" if length < 0 else str(length)


def _opened(field: dict[str, Any], text: str, path: str, bad: list[Problem]) -> Any:
    from PIL import Image

    if text.startswith("data:"):  # as a browser writes it
        text = text.partition(",")[2]
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        bad.append(problem(f"{path}.b64", "not_base64"))
        return None
    try:
        image = Image.open(io.BytesIO(raw), formats=FORMATS)
        if _fits(field, image, path, bad):
            image.load()
            return _moded(field, image, path, bad)
    except Image.DecompressionBombError:
        bad.append(problem(path, "image_large", got="…", most=_most(field)))
    except Exception:  # noqa: BLE001 - a decoder may raise anything on a broken file
        bad.append(problem(f"{path}.b64", "not_image", formats=", ".join(FORMATS)))
    return None


def _fits(field: dict[str, Any], image: Any, path: str, bad: list[Problem]) -> bool:
    """Looks at the header only: what is too large is not read."""
    height, width = size(field["shape"])
    got = f"{image.width} × {image.height}"
    most = _most(field)
    if image.width * image.height > most:
        bad.append(problem(path, "image_large", got=got, most=most))
        return False
    if height not in (-1, image.height) or width not in (-1, image.width):
        bad.append(problem(path, "image_size", got=got, wanted=f"{_free(width)} × {_free(height)}"))
        return False
    return True


def _most(field: dict[str, Any]) -> int:
    return max(MOST_PIXELS, 4 * (field["maximum"] or 0))


def _moded(field: dict[str, Any], image: Any, path: str, bad: list[Problem]) -> Any:
    modes = field["modes"]
    if image.mode == "P" and "transparency" not in image.info and "RGB" in modes:
        image = image.convert("RGB")  # a palette is how the file keeps colours, no other picture
    elif image.mode == "1" and "1" not in modes and "L" in modes:
        image = image.convert("L")
    if image.mode not in modes:
        bad.append(problem(path, "image_mode", got=image.mode, wanted=" / ".join(modes), one=modes[0]))
        return None
    return bare(image)


def _listed(field: dict[str, Any], value: list[Any], path: str, bad: list[Problem]) -> Any:
    import numpy

    shape = field["shape"]
    told = ["*" if length < 0 else length for length in shape]
    try:
        array = numpy.array(value)
    except ValueError:  # lists of unequal length
        array = numpy.empty(0)
    fits = array.ndim == len(shape) and array.size
    if not fits or any(a not in (-1, b) for a, b in zip(shape, array.shape, strict=True)):
        bad.append(problem(path, "row_shape", wanted=told))
    elif array.dtype.kind not in "iu":
        bad.append(problem(path, "wrong_type", value="…", got="list", kind="integer"))
    elif array.min() < 0 or array.max() > 255:
        bad.append(problem(path, "out_of_dtype", value="…", dtype="uint8"))
    else:
        return array.astype("uint8")
    return None
