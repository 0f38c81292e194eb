"""Ours in a Python of its own, as a kernel is: ``python -m serving.wrapping MODEL_FOLDER [--starts]``.

Wraps the model and prints one line of JSON: where the project lies and what serves. With ``--starts``
also, in seconds: the first ``box.predict``; ``box.serve()`` to the first answer over HTTP, at once after
``wrap`` in this fresh process (``cold``) and again when everything is warm (``warm``).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

#: Seconds between ``wrap`` and a warm click: a user reads the card and edits meanwhile.
MEANWHILE = 10.0


def loaded(folder: Path) -> tuple[Any, Any]:
    """The model as a notebook has it, and its sample."""
    import joblib

    from . import nets

    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    model = getattr(nets, spec["name"])() if spec["form"] == "tensor" else joblib.load(folder / spec["file"])
    return model, joblib.load(folder / "sample.joblib")


def clicked(box: Any, rows: list[Any]) -> float:
    begin = time.perf_counter()
    with box.serve() as server:
        server.predict(rows)
        return time.perf_counter() - begin


def main() -> None:
    folder = Path(sys.argv[1])
    model, sample = loaded(folder)
    import ekiben
    from ekiben.project import class_name

    begin = time.perf_counter()
    box = ekiben.wrap(model, sample, name=folder.name)
    told: dict[str, Any] = {
        "wrap": time.perf_counter() - begin,
        "tag": box.model.tag,
        "folder": box.model.folder,
        "project": box.project.folder,
        "service": f"service:{class_name(box.model.name)}",
    }
    if "--starts" in sys.argv:
        rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))[:1]
        begin = time.perf_counter()
        box.predict(rows)
        told["predict"] = time.perf_counter() - begin
        told["cold"] = clicked(box, rows)
        time.sleep(MEANWHILE)
        told["warm"] = clicked(box, rows)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
