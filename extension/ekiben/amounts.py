"""Sizes, factors and what answers, short, for people."""

from __future__ import annotations

from ekiben.words import _


def form(name: str, speedup: float) -> str:
    """What answers, short: ``compiled 430×``, or ``native``."""
    if name in ("", "native"):
        return _("native") if name else "–"
    return _("compiled {speedup}×", speedup=times(speedup))


def times(factor: float) -> str:
    """A factor with two digits that count: ``430``, ``3.2``."""
    if factor < 10:
        return f"{factor:.1f}"
    places = len(str(int(factor))) - 2
    return str(round(factor, -places))[: places + 2]


def size(count: int) -> str:
    """Bytes for people: ``1.4 MB`` (1 MB is 1,000,000 bytes)."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
