"""Steps from texts to counts of their words, or of pieces of them; from records to what their keys name."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .sparse import gathered
from .steps import Step, step

#: Words whose hash is remembered.
MOST_REMEMBERED = 100_000
SPACES = re.compile(r"\s\s+")


@step("count")
def _count(node: dict[str, Any]) -> Step:
    """Each text to how often it has each word of ``words``, a file with the list of them."""
    pieces, binary, width = _pieces(node), node["binary"], node["width"]
    words = json.loads(node["words"].read_text(encoding="utf-8"))
    place = {word: at for at, word in enumerate(words)}.get

    def counted(row: Any) -> Counter[Any]:
        found = Counter(map(place, pieces(row)))
        found.pop(None, None)
        return found

    return _tallied(counted, binary, width)


@step("hash")
def _hash(node: dict[str, Any]) -> Step:
    """Each text to counts of its words at the places that their hashes name, by a sign where asked."""
    pieces, binary, width, signs = _pieces(node), node["binary"], node["width"], node["signs"]
    known: dict[str, tuple[int, int]] = {}

    def place(word: str) -> tuple[int, int]:
        found = known.get(word)
        if found is None:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            number = murmur(word.encode())
            found = known[word] = (abs(number) % width, -1 if signs and number < 0 else 1)
        return found

    def hashed(row: Any) -> dict[int, int]:
        found: dict[int, int] = {}
        for at, sign in map(place, pieces(row)):
            found[at] = found.get(at, 0) + sign
        return found

    return _tallied(hashed, binary, width)


def _tallied(tally: Callable[[Any], Mapping[int, int]], binary: bool, width: int) -> Step:
    """Rows to their tallies by column, or to a 1 for each column of a tally where it is ``binary``."""

    def add(row: Any, columns: list[int], values: list[float]) -> None:
        found = tally(row)
        columns.extend(found)
        values.extend([1.0] * len(found) if binary else found.values())

    return lambda rows: gathered(rows, add, width)


@step("named")
def _named(node: dict[str, Any]) -> Step:
    """Rows to numbers at their places, and a 1 at that of each text that is known."""
    numbers, width = node["numbers"], node["width"]
    words = [(at, dict(zip(known, places, strict=True)).get) for at, known, places in node["words"]]

    def add(row: Any, columns: list[int], values: list[float]) -> None:
        if None in row:
            raise TypeError("There is a gap.")
        for at, place in numbers:
            columns.append(place)
            values.append(row[at])
        for at, get in words:
            found = get(row[at])
            if found is not None:
                columns.append(found)
                values.append(1.0)

    return lambda rows: gathered(rows, add, width)


def _pieces(node: dict[str, Any]) -> Callable[[Any], Iterable[str]]:
    """A row's words as they are counted: ``at`` is the column of the text, None where the row is the text."""
    at, lower, accents = node["at"], node["lower"], node["accents"]
    plain = {"unicode": _without_accents, "ascii": _in_ascii}.get(accents)
    cut = {"word": _words, "char": _characters, "char_wb": _characters_of_words}[node["analyzer"]](node)

    def run(row: Any) -> Iterable[str]:
        text = row if at is None else row[at]
        if not isinstance(text, str):
            raise TypeError(f"A text is wanted, not {text!r}.")
        if lower:
            text = text.lower()
        return cut(text if plain is None else plain(text))

    return run


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _in_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _words(node: dict[str, Any]) -> Callable[[str], Iterable[str]]:
    """Words by ``pattern`` that are none of ``stop``, and ``low`` to ``high`` of them in a row."""
    split = re.compile(node["pattern"]).findall
    stop = frozenset(node["stop"] or ())
    low, high = node["low"], node["high"]

    def run(text: str) -> Iterable[str]:
        words: list[str] = split(text)
        if stop:
            words = [word for word in words if word not in stop]
        if high == 1:
            return words
        made = list(words) if low == 1 else []
        for length in range(max(2, low), high + 1):
            made.extend(map(" ".join, zip(*(words[at:] for at in range(length)), strict=False)))
        return made

    return run


def _characters(node: dict[str, Any]) -> Callable[[str], Iterable[str]]:
    """``low`` to ``high`` characters in a row; several blanks are one."""
    lengths = range(node["low"], node["high"] + 1)

    def run(text: str) -> Iterable[str]:
        text = SPACES.sub(" ", text)
        return [text[at : at + n] for n in lengths for at in range(len(text) - n + 1)]

    return run


def _characters_of_words(node: dict[str, Any]) -> Callable[[str], Iterable[str]]:
    """The same within each word and the blanks around it; a word shorter than that counts once as a whole."""
    low, high = node["low"], node["high"]

    def run(text: str) -> Iterable[str]:
        made: list[str] = []
        for word in text.split():
            word = f" {word} "
            # The first length that reaches the end is the last: longer ones would be the same again.
            for n in range(low, max(low, min(high, len(word))) + 1):
                made.extend(word[at : at + n] for at in range(max(1, len(word) - n + 1)))
        return made

    return run


def murmur(data: bytes) -> int:
    """MurmurHash3 for 32 bits with seed 0, as a signed number (Austin Appleby, public domain)."""
    most = 0xFFFFFFFF
    found = 0
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(data[at : at + 4], "little") * 0xCC9E2D51 & most
        part = (part << 15 | part >> 17) * 0x1B873593 & most
        found ^= part
        found = ((found << 13 | found >> 19) & most) * 5 + 0xE6546B64 & most
    if len(data) > whole:
        part = int.from_bytes(data[whole:], "little") * 0xCC9E2D51 & most
        found ^= (part << 15 | part >> 17) * 0x1B873593 & most
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & most
    found = (found ^ found >> 13) * 0xC2B2AE35 & most
    found ^= found >> 16
    return found - (1 << 32) if found & 0x80000000 else found
