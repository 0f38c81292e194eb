"""Rows of the sample travel as golden examples: what looks like personal data is told first.

Looked for: e-mail addresses, payment cards (Luhn, ISO/IEC 7812-1), IBANs (ISO 13616 checksum),
Chinese resident identity numbers (GB 11643 checksum), US social security numbers, phone numbers,
and columns whose name speaks of a person's name or address.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from ekiben.canonical import canonical, rows_of
from ekiben.errors import UnsupportedSample
from ekiben.records import Finding
from ekiben.words import _

Personal = Literal["keep", "replace", "drop"]

#: So many values of a column are looked at.
LOOKED_AT = 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")
_PHONE = re.compile(r"(\+\d{1,3}[ -]?)?(\(\d{2,4}\)[ -]?)?\d{2,4}([ -]\d{2,4}){2,4}|\+\d{9,14}|1[3-9]\d{9}")
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}")
_NAMES = re.compile(
    r"(first|last|family|given|full|sur|patient|customer|client|user)[ _-]?name|surname|e-?mail|phone|mobile|"
    r"passport|street|ssn|iban|姓名|名字|邮箱|电话|手机|身份证|地址|护照",
    re.IGNORECASE,
)
#: Fewer distinct values than this are groups, not persons.
_PERSONS = 8


def _card(text: str) -> bool:
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not re.fullmatch(r"[\d -]+", text) or not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    doubled = [
        digit * 2 - 9 * (digit > 4) if index % 2 else digit for index, digit in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    compact = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", compact):
        return False
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


def _resident(text: str) -> bool:
    if not re.fullmatch(r"\d{17}[\dXx]", text):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(sign) * weight for sign, weight in zip(text, weights, strict=False))
    return "10X98765432"[total % 11] == text[-1].upper()


#: Kind of datum: its test, and a stand-in of the same form for the n-th value.
KINDS: dict[str, tuple[Callable[[str], bool], Callable[[int], str]]] = {
    "email": (lambda text: bool(_EMAIL.fullmatch(text)), lambda n: f"person{n}@example.com"),
    "identity": (_resident, lambda n: f"{n:018d}"),
    "card": (_card, lambda n: f"0000 0000 0000 {n:04d}"),
    "iban": (_iban, lambda n: f"XX00{n:016d}"),
    "ssn": (lambda text: bool(_SSN.fullmatch(text)), lambda n: f"000-00-{n:04d}"),
    "phone": (lambda text: bool(_PHONE.fullmatch(text)), lambda n: f"+00 000 {n:06d}"),
    "name": (lambda text: False, lambda n: f"person {n}"),
}


def look(sample: Any) -> dict[str, str]:
    """Columns of a table or of records that look personal, each with the kind of datum."""
    form, data = canonical(sample)
    if form not in ("table", "records"):
        return {}
    names = list(data.columns) if form == "table" else list(dict.fromkeys(key for row in data for key in row))
    found = {str(name): _kind(str(name), _values(data, name, form)) for name in names}
    return {name: kind for name, kind in found.items() if kind}


def findings(columns: dict[str, str]) -> tuple[Finding, ...]:
    """What the user should know before examples travel."""
    told = {
        "email": _("e-mail addresses"),
        "identity": _("identity numbers"),
        "card": _("payment card numbers"),
        "iban": _("bank account numbers"),
        "ssn": _("social security numbers"),
        "phone": _("phone numbers"),
        "name": _("names or addresses of persons"),
    }
    return tuple(
        Finding(
            "warning",
            _(
                "{column} looks like {kind}, and rows of the sample travel with the service.",
                column=column,
                kind=told[kind],
            ),
            _('Wrap with personal="replace" for stand-ins, or personal="drop" to leave such rows out.'),
        )
        for column, kind in columns.items()
    )


def without(sample: Any, columns: dict[str, str], how: Personal) -> Any:
    """The sample with stand-ins for personal values (``replace``), or without rows that have them (``drop``).

    Raises:
        UnsupportedSample: ``drop`` would leave no row.
    """
    if how == "keep" or not columns:
        return sample
    form, data = canonical(sample)
    if how == "drop":
        clean = [index for index in range(len(data)) if not _row_is_personal(data, index, columns, form)]
        if not clean:
            raise UnsupportedSample(
                _("Every row has personal data in {columns}.", columns=", ".join(columns)),
                remedy=_('Wrap with personal="replace".'),
            )
        return rows_of(data, clean)
    if form == "records":
        replaced = {name: _stand_ins([row.get(name) for row in data], kind) for name, kind in columns.items()}
        return [
            {**row, **{name: values[index] for name, values in replaced.items() if name in row}}
            for index, row in enumerate(data)
        ]
    copy = data.copy()
    for name, kind in columns.items():
        values = _stand_ins(copy[name].tolist(), kind)
        copy[name] = copy[name].__class__(values, index=copy.index, dtype=copy[name].dtype)
    return copy


def _values(data: Any, name: Any, form: str) -> list[str]:
    part = (
        data[name].head(LOOKED_AT).tolist()
        if form == "table"
        else [row.get(name) for row in data[:LOOKED_AT]]
    )
    return [value.strip() for value in part if isinstance(value, str) and value.strip()]


def _kind(name: str, values: list[str]) -> str:
    if not values:
        return ""
    for kind, (test, _stand_in) in KINDS.items():
        if sum(test(value) for value in values) * 2 > len(values):
            return kind
    return "name" if _NAMES.search(name) and len(set(values)) >= _PERSONS else ""


def _row_is_personal(data: Any, index: int, columns: dict[str, str], form: str) -> bool:
    for name, kind in columns.items():
        value = data[name].iloc[index] if form == "table" else data[index].get(name)
        if isinstance(value, str) and (kind == "name" or KINDS[kind][0](value.strip())):
            return True
    return False


def _stand_ins(values: list[Any], kind: str) -> list[Any]:
    """The same value gets the same stand-in; gaps stay."""
    known: dict[str, str] = {}
    make = KINDS[kind][1]
    return [
        known.setdefault(value, make(len(known) + 1)) if isinstance(value, str) else value for value in values
    ]
