"""An image of the compiled form alone: proven as any, without the model's library; what it imports is compiled."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben import image, project, registry
from ekiben.builders.oci import layout
from ekiben.image import proving
from ekiben.records import Image
from rig import Rig
from rig.projects import nothing
from test_image import in_container

if TYPE_CHECKING:
    from ekiben.box import Box

_SITE = "app/site-packages/"


def modules(made: Image) -> tuple[set[str], set[str]]:
    """The names of the modules in an image's packages, and of those that have bytecode."""
    paths: set[str] = set()
    for layer in made.layers:
        with tarfile.open(layout.blob(layout.place(made.reference), layer.digest)) as archive:
            paths |= {name.removeprefix(_SITE) for name in archive.getnames() if name.startswith(_SITE)}
    sources = {path for path in paths if path.endswith(".py")}
    compiled = {re.sub(r"__pycache__/(\w+)\.cpython-\d+\.pyc$", r"\1.py", path) for path in paths - sources}

    def named(files: set[str]) -> set[str]:
        return {file[:-3].removesuffix("/__init__").replace("/", ".") for file in files}

    return named(sources), named(compiled & sources)


@in_container
def test_the_compiled_form_alone_is_small_and_proven(
    built: Image, container_rig: Rig, iris_box: Box, tmp_path: Path
) -> None:
    lean = project.write(project.render(iris_box.model, native=False), tmp_path / "lean")
    made = image.build(lean, iris_box.model, "ekiben-test/lean:1", engine="oci", base=container_rig.base)
    try:
        assert made.replay is not None and made.replay.passed
        assert made.replay.rows == len(iris_box.contract.golden.rows)
        names = {part.name for part in made.parts}
        assert "numpy" in names and not names & {"scikit-learn", "scipy", "pandas", "joblib", "skops"}
        own, whole = (sum(part.bytes for part in one.parts if part.kind != "base") for one in (made, built))
        assert own < 0.45 * whole
        for one in (made, built):
            proof = proving.prove(registry.builder("oci"), one, iris_box.model, nothing)
            assert proof.replay.passed
            sources, compiled = modules(one)
            imported = sources & proof.modules
            assert len(imported) > 100
            late = imported - compiled
            assert len(late) <= 3, f"imported without bytecode: {sorted(late)}"
            assert len(compiled) < len(sources) / 2, "what nobody imports has none"
    finally:
        image.BuiltImage(made).remove()
