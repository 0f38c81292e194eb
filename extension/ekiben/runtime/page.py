"""The service's own front page: the contract as a table and how to call it. No script, no other host."""

from __future__ import annotations

from html import escape
from typing import Any

from .images import seen as seen_image
from .protocols.examples import calls as examples

WORDS = {
    "en": ("Fields", "name", "type", "missing", "in the sample", "Try it", "allowed", "–"),
    "zh": ("字段", "名称", "类型", "缺失值", "样本中", "试一试", "允许", "–"),
}

STYLE = """
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:48rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;
border-bottom:1px solid #8884}pre{overflow:auto;padding:1rem;border:1px solid #8884;border-radius:4px}
"""


def index(name: str, contract: dict[str, Any], language: str = "en") -> str:
    """The page as HTML."""
    language = "zh" if language == "zh" else "en"  # a client may ask for anything
    fields, heading, kind, missing, seen, attempt, allowed, none = WORDS[language]
    rows = "".join(
        f"<tr><td>{escape(str(field['name']))}</td><td>{escape(field['dtype'])}</td>"
        f"<td>{allowed if field['nullable'] else none}</td><td>{escape(_seen(field))}</td></tr>"
        for field in contract["inputs"]
    )
    model = name.partition(":")[0]
    calls = "".join(
        f"<h3>{escape(title)}</h3><pre>{escape(text)}</pre>"
        for title, text in examples(model, contract, "http://HOST:PORT")
    )
    return (
        f"<!doctype html><html lang='{language}'><meta charset='utf-8'><title>{escape(name)}</title>"
        f"<style>{STYLE}</style><h1>{escape(name)}</h1><p>{escape(contract['task'])}</p><h2>{fields}</h2>"
        f"<table><tr><th>{heading}<th>{kind}<th>{missing}<th>{seen}</tr>{rows}</table>"
        f"<h2>{attempt}</h2>{calls}"
        # Relative: behind a proxy, the page may lie below any address.
        "<p><a href='contract'>/contract</a> · <a href='docs.json'>/docs.json</a> · "
        "<a href='readyz'>/readyz</a></p></html>"
    )


def _seen(field: dict[str, Any]) -> str:
    if field["categories"] is not None:
        return ", ".join(str(entry) for entry in field["categories"][:12])
    if field["kind"] == "image":
        return seen_image(field)
    if field["minimum"] is not None:
        return f"{field['minimum']} … {field['maximum']}"
    return "–"
