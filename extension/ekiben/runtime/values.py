"""One value of a request against its field.

JSON's null and NaN both mean a missing value; numbers are never made from text, nor text from
numbers: what a client did not mean is refused, not guessed.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from .images import read_image
from .problems import MOST, Problem, kind_of, problem, shown

INTEGER_LIMITS = {
    f"{sign}int{bits}": (0 if sign else -(2 ** (bits - 1)), 2**bits - 1 if sign else 2 ** (bits - 1) - 1)
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
FLOAT_LIMITS = {"float16": 65504.0, "float32": 3.4028234663852886e38}
#: ``struct``'s letters for such a number and for its bits.
FLOAT_BITS = {"float16": ("<e", "<H"), "float32": ("<f", "<I")}


def missing(value: Any) -> bool:
    """Whether a JSON value stands for a missing one."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def clean(field: dict[str, Any], values: list[Any]) -> bool:
    """Whether ``read_value`` would hand on every one of ``values`` as it is and say nothing.

    A whole column is asked at once, which costs a tenth of reading it value by value. False only means
    that each value must be read.
    """
    kinds = set(map(type, values))
    if field["categories"] is not None:
        try:
            known = set(field["categories"])
            # 1, 1.0 and true are one key of a set.
            return kinds <= set(map(type, known)) and len(kinds) < 2 and known.issuperset(values)
        except TypeError:  # a list or an object, which no set takes
            return False
    if field["kind"] == "text":
        return kinds == {str}
    if field["kind"] == "boolean":
        return kinds == {bool}
    if field["kind"] not in ("number", "integer") or field["minimum"] is None:
        return False
    if not kinds <= ({int, float} if field["kind"] == "number" else {int}):
        return False
    low, high = ends(field)
    # A NaN is neither within nor beyond.
    return low <= min(values) and max(values) <= high and not any(map(_is_nan, values))


def ends(field: dict[str, Any]) -> tuple[float, float]:
    """The least and the greatest number that is neither outside the sample nor too large for the dtype."""
    if field["kind"] == "integer":
        low, high = INTEGER_LIMITS.get(field["dtype"].lower(), INTEGER_LIMITS["int64"])
    else:
        high = FLOAT_LIMITS.get(field["dtype"].lower(), 1e308)
        low = -high
    if field["minimum"] is None:
        return low, high
    least, most = span(field)
    return max(low, least), min(high, most)


def span(field: dict[str, Any]) -> tuple[float, float]:
    """The least and the greatest number of the sample.

    A dtype of fewer bits than JSON's numbers have them rounded: 3.066 is kept as the float32 3.06599998….
    What rounds to an end is not outside.
    """
    low, high = field["minimum"], field["maximum"]
    dtype = field["dtype"].lower()
    return (-_reach(-low, dtype), _reach(high, dtype)) if dtype in FLOAT_BITS else (low, high)


@lru_cache(maxsize=4096)
def _reach(value: float, dtype: str) -> float:
    """The greatest double that ``dtype`` rounds to ``value``; itself where ``dtype`` has it not."""
    number, bits = FLOAT_BITS[dtype]
    try:
        here = struct.unpack(number, struct.pack(number, value))[0]
    except OverflowError:
        return value
    if here < value or here == FLOAT_LIMITS[dtype]:
        return value
    # The next of its kind: neighbours differ by one in their bits, which a negative number counts down.
    at = struct.unpack(bits, struct.pack(number, abs(here)))[0]
    sign = 1 if here >= 0 else -1
    after = struct.unpack(number, struct.pack(bits, at + sign))[0]
    middle: float = (here + sign * after) / 2
    return math.nextafter(middle, -math.inf)


def _is_nan(value: float) -> bool:
    return value != value


def read_value(
    field: dict[str, Any],
    value: Any,
    path: str,
    rules: tuple[str, str],
    bad: list[Problem],
    warnings: list[Problem],
) -> Any:
    """The value to hand to the model; what is wrong goes to ``bad``, what is odd to ``warnings``.

    ``rules`` are the contract's ``unseen`` and ``outside``: reject, warn or accept. Of warnings ``MOST``
    are kept.
    """
    unseen, outside = rules
    if missing(value):
        if not field["nullable"]:
            bad.append(problem(path, "missing_value", kind=field["kind"]))
        return None
    found = READERS[field["kind"]](field, value, path, bad)
    if found is None:
        return None
    if field["categories"] is not None:
        if found not in field["categories"] and unseen != "accept":
            places = bad if unseen == "reject" else warnings
            if len(places) < MOST or places is bad:
                listed = ", ".join(repr(entry) for entry in field["categories"][:20])
                told = problem(path, "unknown_category", value=shown(found), categories=listed)
                # Only what the sample had was counted.
                places.append(told if field.get("counts") else replace(told, text="unlisted_category"))
    elif field["minimum"] is not None and field["kind"] in ("number", "integer"):
        low, high = span(field)
        if not low <= found <= high and outside != "accept":
            places = bad if outside == "reject" else warnings
            if len(places) < MOST or places is bad:
                ends_told = {"minimum": field["minimum"], "maximum": field["maximum"]}
                places.append(problem(path, "out_of_range", value=found, **ends_told))
    return found


def _wrong(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> None:
    bad.append(problem(path, "wrong_type", value=shown(value), got=kind_of(value), kind=field["kind"]))


def _number(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _wrong(field, value, path, bad)
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > 10**308:
        bad.append(problem(path, "not_finite", value=str(value)[:40]))
        return None
    limit = FLOAT_LIMITS.get(field["dtype"].lower())
    if limit and abs(value) > limit:
        bad.append(problem(path, "out_of_dtype", value=value, dtype=field["dtype"]))
        return None
    return value


def _integer(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return _wrong(field, value, path, bad)
    low, high = INTEGER_LIMITS.get(field["dtype"].lower(), INTEGER_LIMITS["int64"])
    if not low <= value <= high:
        bad.append(problem(path, "out_of_dtype", value=str(value)[:40], dtype=field["dtype"]))
        return None
    return value


def _boolean(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    return value if isinstance(value, bool) else _wrong(field, value, path, bad)


def _text(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    return value if isinstance(value, str) else _wrong(field, value, path, bad)


def _category(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    """A category is as the sample had it: text, a number or a boolean; 1 and true are not the same."""
    known = field["categories"] or ()
    kinds = {type(entry) for entry in known}
    if type(value) in (int, float) and kinds & {int, float} and value not in known:
        low, high = INTEGER_LIMITS["int64"]
        if isinstance(value, float) and not math.isfinite(value):
            bad.append(problem(path, "not_finite", value=str(value)))
            return None
        if not low <= value <= high:  # no library takes such a one
            bad.append(problem(path, "out_of_dtype", value=str(value)[:40], dtype="int64"))
            return None
    if type(value) in kinds:
        return value
    if float in kinds and type(value) is int:
        return float(value)
    if int in kinds and type(value) is float and value.is_integer():
        return int(value)
    return _wrong(field, value, path, bad)


#: What both Python and pandas read alike; weeks, days of the year and decimal commas are not among it.
_MOMENT = re.compile(r"\d{4}-?\d\d-?\d\d([T ]\d\d(:?\d\d(:?\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")


def moment_trouble(dtype: str, value: str) -> str:
    """The problem's code of a text that is to be a time of ``dtype``; empty where it is one."""
    try:
        # Python 3.10 reads neither the Z of Zulu time nor nanoseconds.
        plain = re.sub(r"\.\d+", "", value.replace("Z", "+00:00"))
        moment = datetime.fromisoformat(plain) if _MOMENT.fullmatch(value) else None
    except ValueError:
        return "wrong_type"
    if moment is None:
        return "wrong_type"
    aware = "," in dtype
    if (moment.tzinfo is not None) != aware:
        return "needs_offset" if aware else "has_offset"
    # 64 bits of nanoseconds; and elsewhere a day to spare, for another zone's clock.
    first, last = (1678, 2261) if "[ns" in dtype else (2, 9998)
    return "" if first <= moment.year <= last else "out_of_dtype"


def _datetime(field: dict[str, Any], value: Any, path: str, bad: list[Problem]) -> Any:
    if not isinstance(value, str):
        return _wrong(field, value, path, bad)
    code = moment_trouble(field["dtype"], value)
    if code in ("", "wrong_type"):
        return value if not code else _wrong(field, value, path, bad)
    bad.append(problem(path, code, value=value[:40], dtype=field["dtype"]))
    return None


READERS = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "text": _text,
    "category": _category,
    "datetime": _datetime,
    "image": read_image,
}
