"""CatBoost's categories: hashes of texts, and what training has counted of them and their combinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .steps import Step, step

MOST_REMEMBERED = 50_000
MASK = (1 << 64) - 1
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
JOIN, MIX = 0x4906BA494954CB65, 0x9DDFEA08EB382D69


@step("crossed")
def _crossed(node: dict[str, Any]) -> Step:
    """Rows to indicators of categories, and to the counts of ``groups`` (n × all of them).

    A group is a combination of columns: those of ``cats`` by their hashes, then whether the columns of
    ``bits`` are above a border, then whether those of ``exact`` are a category. ``tables`` has for each
    number that is made of it the hashes, the numbers and the one for whatever is not among them. Columns
    of ``only`` have no other category: pandas makes a gap of it, and CatBoost refuses that.
    """
    only = [(at, frozenset(values)) for at, values in node["only"]]
    exact = [(at, value) for at, value in node["exact"]]
    groups = [_group(group) for group in node["groups"]]
    width = len(exact) + sum(len(group["tables"]) for group in node["groups"])
    known: dict[Any, int] = {}

    def hashed(value: Any) -> int:
        found = known.get(value)
        if found is None:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            found = known[value] = category(value)
        return found

    def run(rows: Any) -> Any:
        made = numpy.zeros((len(rows), width))
        for row, to in zip(rows, made, strict=True):
            place = 0
            for at, values in only:
                if row[at] not in values:
                    raise TypeError(f"{row[at]!r} is not among the categories.")
            for at, value in exact:
                to[place] = hashed(row[at]) == value
                place += 1
            for group in groups:
                found = group(row, hashed)
                to[place : place + len(found)] = found
                place += len(found)
        return made

    return run


def _group(node: dict[str, Any]) -> Callable[[Any, Callable[[Any], int]], Any]:
    cats, bits, exact = node["cats"], node["bits"], node["exact"]
    tables = [
        (dict(zip(table["hashes"].tolist(), table["values"].tolist(), strict=True)).get, table["unknown"])
        for table in node["tables"]
    ]
    known: dict[Any, list[float]] = {}

    def run(row: Any, hashed: Callable[[Any], int]) -> list[float]:
        # 32 bits, as the borders are.
        yes = tuple(_above(row[at], border, gap) for at, border, gap in bits)
        key = (*(hashed(row[at]) for at in cats), *yes, *(hashed(row[at]) == value for at, value in exact))
        found = known.get(key)
        if found is None:
            total = 0
            for number in key:
                total = JOIN * (total + JOIN * int(number) & MASK) & MASK
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            found = known[key] = [get(total, unknown) for get, unknown in tables]
        return found

    return run


def _above(value: Any, border: float, gap: bool) -> bool:
    if value is None or value != value:
        return gap
    return bool(numpy.float32(value) > border)


def category(value: Any) -> int:
    """The hash of a category, a signed number of 32 bits.

    Raises:
        TypeError: it is a gap, or a number that is not whole.
    """
    if isinstance(value, int):  # a truth is 0 or 1
        value = str(int(value))
    if not isinstance(value, str):
        raise TypeError(f"A category is wanted, not {value!r}.")
    found = city(value.encode()) & 0xFFFFFFFF
    return found - (1 << 32) if found & 0x80000000 else found


# -- CityHash64, version 1.0 (Geoff Pike and Jyrki Alakuijala, Google, 2011) -------------------------


def city(data: bytes) -> int:
    """The hash of bytes, 64 bits."""
    size = len(data)
    if size <= 16:
        return _short(data)
    if size <= 32:
        a, b = _word(data, 0) * K1, _word(data, 8)
        c, d = _word(data, size - 8) * K2, _word(data, size - 16) * K0
        return _two(_turned(a - b, 43) + _turned(c, 30) + d, a + _turned(b ^ K3, 20) - c + size)
    return _middle(data) if size <= 64 else _long(data)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _turned(value: int, by: int) -> int:
    value &= MASK
    return (value >> by | value << 64 - by) & MASK if by else value


def _mixed(value: int) -> int:
    value &= MASK
    return value ^ value >> 47


def _two(u: int, v: int) -> int:
    u, v = u & MASK, v & MASK
    a = _mixed((u ^ v) * MIX)
    return _mixed((v ^ a) * MIX) * MIX & MASK


def _short(data: bytes) -> int:
    size = len(data)
    if size > 8:
        b = _word(data, size - 8)
        return _two(_word(data, 0), _turned(b + size, size)) ^ b
    if size >= 4:
        ends = (int.from_bytes(part, "little") for part in (data[:4], data[-4:]))
        first, last = ends
        return _two(size + (first << 3), last)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        return _mixed(y * K2 ^ (size + (data[-1] << 2)) * K3) * K2 & MASK
    return K2


def _middle(data: bytes) -> int:
    size = len(data)
    z = _word(data, 24)
    a = _word(data, 0) + (size + _word(data, size - 16)) * K0
    b, c = _turned(a + z, 52), _turned(a, 37)
    a += _word(data, 8)
    c += _turned(a, 7)
    a += _word(data, 16)
    first, second = a + z, b + _turned(a, 31) + c
    a = _word(data, 16) + _word(data, size - 32)
    z = _word(data, size - 8)
    b, c = _turned(a + z, 52), _turned(a, 37)
    a += _word(data, size - 24)
    c += _turned(a, 7)
    a += _word(data, size - 16)
    third, fourth = a + z, b + _turned(a, 31) + c
    found = _mixed((first + fourth) * K2 + (third + second) * K0)
    return _mixed(found * K0 + second) * K2 & MASK


def _seeded(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, at + 8 * place) for place in range(4))
    a += w
    b = _turned(b + a + z, 21)
    c = a
    a += x + y
    b += _turned(a, 44)
    return a + z & MASK, b + c & MASK


def _long(data: bytes) -> int:
    size = len(data)
    x, y, z = _word(data, 0), _word(data, size - 16) ^ K1, _word(data, size - 56) ^ K0
    v = _seeded(data, size - 64, size, y)
    w = _seeded(data, size - 32, size * K1, K0)
    z += _mixed(v[1]) * K1
    x = _turned(z + x, 39) * K1
    y = _turned(y, 33) * K1
    for at in range(0, (size - 1) & ~63, 64):
        x = _turned(x + y + v[0] + _word(data, at + 16), 37) * K1
        y = _turned(y + v[1] + _word(data, at + 48), 42) * K1
        x = (x ^ w[1]) & MASK
        y = (y ^ v[0]) & MASK
        z = _turned(z ^ w[0], 33)
        v = _seeded(data, at, v[1] * K1, x + w[0])
        w = _seeded(data, at + 32, z + w[1], y)
        z, x = x, z
    return _two(_two(v[0], w[0]) + _mixed(y) * K1 + z, _two(v[1], w[1]) + x)
