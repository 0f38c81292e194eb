"""Notebooks for the tests: cells that ran, and what was taken of them."""

from __future__ import annotations

from pathlib import Path

from ekiben.notebook_code import Carried, Notebook, carry


def ran(*texts: str, folder: Path | str = ".", **live: object) -> Notebook:
    """A notebook whose cells ran in this order, numbered from 1 as a notebook numbers them."""
    namespace: dict[str, object] = {"__name__": "__main__", "__builtins__": __builtins__, **live}
    for number, text in enumerate(texts, 1):
        exec(compile(text, f"<cell {number}>", "exec", dont_inherit=True), namespace)
    return Notebook(namespace, ["", *texts], Path(folder))


def taken(notebook: Notebook, name: str = "predict") -> Carried:
    return carry(notebook.namespace[name], notebook, name=name)


def names(carried: Carried) -> list[str]:
    return [piece.name for piece in carried.pieces if piece.how != "left"]


def answers(carried: Carried, rows: list[object], name: str = "predict") -> list[object]:
    """The module's answers, run as the text that it is, without the notebook."""
    made: dict[str, object] = {"__name__": carried.module}
    exec(compile(carried.source, carried.module, "exec", dont_inherit=True), made)
    return made[name](rows)
