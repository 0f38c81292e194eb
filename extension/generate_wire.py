"""Writes ``src/wire.ts`` from the Python records, so that both sides speak of the same nouns.

``python extension/generate_wire.py`` writes it; with ``--check`` it only looks and exits 1 when the
file is stale. Needs nothing but the standard library: the records are the ground.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
TARGET = HERE / "src" / "wire.ts"
sys.path.insert(0, str(HERE))

from ekiben import records  # noqa: E402

HEADER = """\
// Generated from extension/ekiben/records by extension/generate_wire.py: `make fix` renews it.

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
"""
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", Any: "Json"}


def render() -> str:
    """The whole text of ``wire.ts``."""
    number = f"/** The number that every kept format carries. */\nexport const FORMAT = {records.FORMAT};\n"
    parts = [HEADER, number]
    parts += [f"export type {name} = {_union(alias)};\n" for name, alias in _aliases().items()]
    parts += [_interface(record) for record in _records()]
    return "\n".join(parts)


def _aliases() -> dict[str, Any]:
    return {name: value for name, value in vars(records).items() if typing.get_origin(value) is Literal}


def _records() -> list[type]:
    return [
        value
        for value in vars(records).values()
        if dataclasses.is_dataclass(value) and isinstance(value, type)
    ]


def _interface(record: type) -> str:
    hints = typing.get_type_hints(record)
    lines = [_comment(record), f"export interface {record.__name__} {{"]
    lines += [f"  readonly {f.name}: {_type(hints[f.name])};" for f in dataclasses.fields(record)]
    return "\n".join([*lines, "}\n"])


def _comment(record: type) -> str:
    text = inspect.cleandoc(record.__doc__ or "").replace("``", "`").replace("*/", "*\\/")
    lines = text.splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */"])


def _type(kind: Any) -> str:
    """The TypeScript of one annotation; raises TypeError for what has no counterpart yet."""
    for name, alias in _aliases().items():
        if kind == alias:
            return name
    if kind in PLAIN:
        return PLAIN[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return _union(kind)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type(argument) for argument in arguments))
    if origin is tuple and arguments[1:] == (...,):
        inner = _type(arguments[0])
        return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
    if origin is dict and arguments[0] is str:
        return f"Readonly<Record<string, {_type(arguments[1])}>>"
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return kind.__name__
    raise TypeError(f"{kind!r} has no TypeScript counterpart in {Path(__file__).name}")


def _union(alias: Any) -> str:
    return " | ".join(f"'{value}'" for value in typing.get_args(alias))


def main(arguments: list[str]) -> int:
    """Writes or, with ``--check``, compares; gives the exit status."""
    text = render()
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print(f"{TARGET.relative_to(HERE.parent)} is stale: run `make fix`.", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"Wrote {TARGET.relative_to(HERE.parent)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
