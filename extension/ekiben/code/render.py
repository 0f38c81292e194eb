"""Pieces to the text of one module."""

from __future__ import annotations

from collections.abc import Sequence

from ekiben.code.parts import Part

HEAD = '"""What the model needs of the notebook\'s own code, and nothing else. Taken by ekiben."""\n'
KEPT = '''
def _kept(name):
    """An object that lived in the notebook, kept beside this module in its library's own form."""
    folder = _Path(__file__).with_suffix(".objects") / name
    about = _json.loads((folder / "object.json").read_text(encoding="utf-8"))
    spec = _spec(f"{__name__}_{name}", folder / "adapter.py")
    adapter = _module(spec)
    spec.loader.exec_module(adapter)
    return adapter.load(folder, about)
'''
FILE = '''
def _file(name):
    """A data file that travels beside this module."""
    return str(_Path(__file__).parent / name)
'''


def module_text(parts: Sequence[Part], future: Sequence[str], files: bool) -> str:
    """The module: imports, what it needs to find its objects and files, then the pieces in order."""
    kept = any(part.how == "kept" for part in parts)
    lines = [HEAD]
    if future:
        lines.append(f"\nfrom __future__ import {', '.join(future)}\n")
    imports = list(dict.fromkeys(part.text for part in parts if part.kind == "import"))
    if imports:
        lines.append("\n" + "\n".join(imports) + "\n")
    if kept:
        lines.append("\nimport json as _json\nfrom importlib.util import module_from_spec as _module\n")
        lines.append("from importlib.util import spec_from_file_location as _spec\n")
    if kept or files:
        lines.append(("" if kept else "\n") + "from pathlib import Path as _Path\n")
    if files:
        lines.append("\n" + FILE)
    if kept:
        lines.append("\n" + KEPT)
    loose = False
    for part in parts:
        if part.kind == "import":
            continue
        block = part.kind in ("function", "class") and not part.text.startswith("lambda_")
        text = part.text if part.how != "kept" else f"{part.name} = _kept({part.name!r})"
        where = f"# {part.place}\n" if part.place else ""
        lines.append(("\n" if loose and not block else "\n\n") + where + text.rstrip() + "\n")
        loose = not block
    return "".join(lines)
