"""Every string for people has its Chinese, with the same placeholders, and none is there in vain.

Python's strings are the literals in ``_("…")``, the front end's those in ``t('…')``, ``plural(n, '…',
'…')`` and ``N('…')`` (marked here, translated where it is shown). ``runtime/`` travels without the
catalogue and has a table of its own.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CATALOGUE = "extension/ekiben/locale/zh_CN/LC_MESSAGES/ekiben.json"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
TEXT = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\.)*`"""
PIECES = rf"(?:{TEXT})(?:\s*\+\s*(?:{TEXT}))*"
TS_CALL = re.compile(rf"(?<![\w.$])(?:t|N)\(\s*({PIECES})")
TS_PLURAL = re.compile(rf"(?<![\w.$])plural\([^'\"`]*?,\s*({PIECES}),\s*({PIECES})", re.DOTALL)
SCHEMA_WORDS = {"title", "description", "label", "caption", "jupyter.lab.setting-icon-label"}


@pytest.fixture(scope="module")
def catalogue(repository: Path) -> dict[str, Any]:
    return json.loads((repository / CATALOGUE).read_text(encoding="utf-8"))


def python_strings(repository: Path) -> Iterator[tuple[str, str]]:
    """(text, place) of each ``_("…")``; raises AssertionError where the text is no literal."""
    package = repository / "extension" / "ekiben"
    for path in sorted(package.rglob("*.py")):
        if (package / "runtime") in path.parents or "labextension" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"):
                continue
            place = f"{path.relative_to(repository)}:{node.lineno}"
            text = node.args[0]
            assert isinstance(text, ast.Constant) and isinstance(text.value, str), (
                f"{place}: no literal in _()"
            )
            filled = {keyword.arg for keyword in node.keywords}
            wanted = set(PLACEHOLDER.findall(text.value))
            assert filled == wanted or None in filled, f"{place}: {wanted} asked for, {filled} given"
            yield text.value, place


def front_end_strings(repository: Path) -> Iterator[tuple[str, str]]:
    """(text, place) of each string that the TypeScript marks for translation."""
    for path in sorted((repository / "extension" / "src").rglob("*.ts")):
        source = path.read_text(encoding="utf-8")
        for pattern in (TS_CALL, TS_PLURAL):
            for found in pattern.finditer(source):
                place = f"{path.relative_to(repository)}:{source[: found.start()].count(chr(10)) + 1}"
                for group in found.groups():
                    yield "".join(unquoted(piece) for piece in re.findall(TEXT, group)), place


def unquoted(piece: str) -> str:
    body = re.sub(r"\\(['`$])", r"\1", piece[1:-1])
    body = body.replace('"', '\\"') if piece[0] != '"' else body
    text: str = json.loads(f'"{body}"'.replace("\n", "\\n"))
    return text


def settings_strings(repository: Path) -> Iterator[tuple[str, str]]:
    """(text, place) of what JupyterLab shows of the settings and of the package."""
    for path in sorted((repository / "extension" / "schema").rglob("*.json")):
        for text in words_of(json.loads(path.read_text(encoding="utf-8"))):
            yield text, str(path.relative_to(repository))
    package = json.loads((repository / "extension" / "package.json").read_text(encoding="utf-8"))
    yield package["description"], "extension/package.json"


def words_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in SCHEMA_WORDS and isinstance(item, str):
                yield item
            else:
                yield from words_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from words_of(item)


def all_strings(repository: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in (python_strings, front_end_strings, settings_strings):
        for text, place in source(repository):
            found.setdefault(text, place)
    return found


def test_every_string_has_its_chinese(repository: Path, catalogue: dict[str, Any]) -> None:
    missing = {text: place for text, place in all_strings(repository).items() if text not in catalogue}
    lines = [
        f'  {json.dumps(text, ensure_ascii=False)}: [""],   // {place}' for text, place in missing.items()
    ]
    assert not missing, f"{len(missing)} strings are missing in {CATALOGUE}:\n" + "\n".join(lines)


def test_nothing_is_there_in_vain(repository: Path, catalogue: dict[str, Any]) -> None:
    unused = sorted(catalogue.keys() - all_strings(repository).keys() - {""})
    assert not unused, f"{len(unused)} strings of {CATALOGUE} are used nowhere:\n  " + "\n  ".join(unused)


def test_both_languages_have_the_same_placeholders(catalogue: dict[str, Any]) -> None:
    entries = {text: chinese for text, chinese in catalogue.items() if text}
    malformed = [text for text, chinese in entries.items() if not (len(chinese) == 1 and chinese[0].strip())]
    assert malformed == []
    differ = [
        f"{text} → {chinese[0]}"
        for text, chinese in entries.items()
        if set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(chinese[0]))
    ]
    assert differ == []


def test_jupyterlab_can_read_it(catalogue: dict[str, Any]) -> None:
    head = catalogue[""]
    assert (head["domain"], head["language"]) == ("ekiben", "zh-CN")
    assert head["plural_forms"].startswith("nplurals=1")


def test_a_string_of_each_kind_is_found(repository: Path) -> None:
    assert any("registry.py" in place for _, place in python_strings(repository))
    assert [unquoted(piece) for piece in ("'it\\'s'", '"a \\" b"', "`one`", "'say \"x\"'")] == [
        "it's", 'a " b', "one", 'say "x"',
    ]  # fmt: skip
    calls = "x(t('a {n}', {n}), plural(rows.length, 'one row', '{n} rows'), t(\n 'b ' +\n 'c'), cut('no'))"
    assert [found.group(1) for found in TS_CALL.finditer(calls)] == ["'a {n}'", "'b ' +\n 'c'"]
    assert TS_PLURAL.search(calls).groups() == ("'one row'", "'{n} rows'")
