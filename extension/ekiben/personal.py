"""Rows of the sample travel as golden examples: what looks like personal data is told first.

Looked for: e-mail addresses, payment cards (Luhn, ISO/IEC 7812-1), IBANs (ISO 13616 checksum),
Chinese resident identity numbers (GB 11643 checksum), US social security numbers, phone numbers (as text
or as whole numbers), Chinese personal names, columns whose name speaks of a person's name or address, and
e-mail addresses, mobile and identity numbers inside of texts.
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
_MOBILE = r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
# International; Chinese mobile and landline; North American; other landlines by their leading zero. Dates,
# ranges and article numbers are groups of digits, too.
_PHONE = re.compile(
    rf"\+\d[\d ()./-]{{6,18}}\d|(\+?86[ -]?)?{_MOBILE}|\(?0\d{{2,3}}\)?[ -]?\d{{7,8}}|"
    r"(\+?1[ .-]?)?(\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}|0[1-9]\d{1,4}[ /]\d{2,8}([ -]\d{2,4}){0,3}"
)
_WITHIN = re.compile(
    rf"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-zA-Z]{{2,}}|(?<!\d){_MOBILE}(?!\d)|(?<!\d)\d{{17}}[\dXx](?!\d)"
)
#: The commonest surnames, of some four in five persons.
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟"
    "姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严武莫孔汤"
)
_CHINESE_NAME = re.compile(rf"[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}")
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}")
_NAMES = re.compile(
    r"(first|last|family|given|full|sur|patient|passenger|customer|client|user)[ _-]?name|^name$|surname|e-?mail|"
    r"(phone|mobile|tel)([ _-]?(no|nr|num|number))?\d*$|passport|street|ssn|iban|"
    r"^address$|(home|mail|mailing|billing|shipping|postal)[ _-]?address|"
    r"姓名|名字|联系人|收件人|邮箱|电话|手机|微信|车牌|身份证|地址|住址|护照",
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


def _phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text)) and 8 <= sum(map(str.isdigit, text)) <= 15


def _has_within(text: str) -> bool:
    return any(
        not found[0].isalnum() or _resident(found[0]) or len(found[0]) < 18
        for found in _WITHIN.finditer(text)
    )


def _cleared(text: str) -> str:
    """The text with stand-ins for what it has of addresses and numbers."""
    return _WITHIN.sub(lambda found: "person@example.com" if "@" in found[0] else "0" * len(found[0]), text)


#: Kind of datum: its test, and a stand-in of the same form for the n-th value.
KINDS: dict[str, tuple[Callable[[str], bool], Callable[[int], str]]] = {
    "email": (lambda text: bool(_EMAIL.fullmatch(text)), lambda n: f"person{n}@example.com"),
    "identity": (_resident, lambda n: f"{n:018d}"),
    "card": (_card, lambda n: f"0000 0000 0000 {n:04d}"),
    "iban": (_iban, lambda n: f"XX00{n:016d}"),
    "ssn": (lambda text: bool(_SSN.fullmatch(text)), lambda n: f"000-00-{n:04d}"),
    "phone": (_phone, lambda n: f"+00 000 {n:06d}"),
    "name": (lambda text: False, lambda n: f"person {n}"),
    "within": (_has_within, lambda n: ""),
}
#: Kinds that may be a column of whole numbers. A stand-in is then the number ``n``.
_NUMBERS = ("identity", "card", "phone")


def look(sample: Any) -> dict[str, str]:
    """Columns of a table or of records that look personal, each with the kind of datum."""
    form, data = canonical(sample)
    if form == "texts":
        kind = _kind("text", data[:LOOKED_AT])
        return {"text": kind} if kind else {}
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
        "within": _("text with e-mail addresses, phone or identity numbers in it"),
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
    if form == "texts":
        return _stand_ins(data, columns["text"])
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
    if form == "records":
        part = [row.get(name) for row in data[:LOOKED_AT]]
    else:
        column = data[name].head(LOOKED_AT).dropna()
        numbers = getattr(column.dtype, "kind", "O") in "iufb"
        # Numbers of persons have eleven digits and more.
        part = [] if numbers and (column.empty or float(column.max()) < 1e10) else column.tolist()
    return [text for text in map(_text, part) if text]


def _text(value: Any) -> str:
    """Text, or a whole number as text (numbers with gaps are floats); anything else is empty."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return ""
    return str(int(value)) if abs(value) < 1e19 and value == int(value) else ""


def _kind(name: str, values: list[str]) -> str:
    if not values:
        return ""
    for kind, (test, _stand_in) in KINDS.items():
        if kind != "within" and sum(map(test, values)) * 2 > len(values):
            return kind
    if all(map(str.isdigit, values)):
        return ""
    different = set(values)
    chinese = sum(bool(_CHINESE_NAME.fullmatch(value)) for value in different)
    if len(different) >= _PERSONS and (_NAMES.search(name) or chinese * 5 > len(different) * 4):
        return "name"
    # One is enough: any row may become an example.
    return "within" if any(map(_has_within, values)) else ""


def _row_is_personal(data: Any, index: int, columns: dict[str, str], form: str) -> bool:
    if form == "texts":
        return _is_personal(data[index], columns["text"])
    row = data[index] if form == "records" else {name: data[name].iloc[index] for name in columns}
    return any(_is_personal(row.get(name), kind) for name, kind in columns.items())


def _is_personal(value: Any, kind: str) -> bool:
    text = _text(value.item() if hasattr(value, "item") else value)
    return bool(text) and (kind == "name" or KINDS[kind][0](text))


def _stand_ins(values: list[Any], kind: str) -> list[Any]:
    """The same value gets the same stand-in; gaps stay."""
    known: dict[Any, Any] = {}
    make = KINDS[kind][1]
    made: list[Any] = []
    for value in values:
        if isinstance(value, str):
            stand_in: Any = _cleared(value) if kind == "within" else make(len(known) + 1)
            made.append(known.setdefault(value, stand_in))
        elif kind in _NUMBERS and _text(value):
            made.append(known.setdefault(value, type(value)(len(known) + 1)))
        else:
            made.append(value)
    return made
