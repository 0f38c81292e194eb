"""ekiben's builder ``oci``: built and pushed, without an engine's help."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ekiben.protocols import Progress
from ekiben.records import Image
from rig import Rig


def _quiet(*_anything: Any) -> None:
    """Hears progress and says nothing."""


class Ours:
    """A home of its own; ``seconds`` is what the last ``build`` took, ``sent`` the bytes that it pushed."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig, self.folder = rig, folder
        self.registry = rig.base.partition("/")[0]
        self.image: Image | None = None
        self.seconds, self.sent = 0.0, 0

    def wrap(self, made: tuple[Any, Any]) -> Any:
        """The model as a box; not part of what is measured."""
        import ekiben

        model, sample = made
        return ekiben.wrap(model, sample, name="bench")

    def cold(self, box: Any, name: str) -> float:
        """With nothing kept: no layer, no wheel."""
        from ekiben.builders.oci import layers

        shutil.rmtree(layers.folder(), ignore_errors=True)
        shutil.rmtree(self.folder / "uv", ignore_errors=True)
        return self.build(box, name)

    def build(self, box: Any, name: str, progress: Progress = _quiet) -> float:
        """The project written, the image built and pushed; seconds."""
        from ekiben import project, registry

        os.environ["UV_CACHE_DIR"] = str(self.folder / "uv")
        oci: Any = registry.builder("oci")
        began = time.perf_counter()
        written = project.write(project.render(box.model))
        self.image = oci.assemble(written, f"{self.registry}/{name}", self.rig.base, progress)
        self.sent = oci.push(self.image, _quiet)
        self.seconds = time.perf_counter() - began
        return self.seconds

    def lean(self, box: Any, name: str) -> int:
        """Bytes of the image of the compiled form alone, which answers as the notebook did."""
        from ekiben import project, registry
        from ekiben.image import proving

        written = project.write(project.render(box.model, native=False), self.folder / "lean")
        oci: Any = registry.builder("oci")
        made = oci.assemble(written, f"{self.registry}/{name}", self.rig.base, _quiet)
        oci.push(made, _quiet)
        size = self.size(name)
        replay = proving.prove(oci, made, box.model, _quiet).replay
        if not replay.passed:
            raise RuntimeError(f"the compiled form alone answers otherwise: {replay}")
        return size

    def edited(self, box: Any, name: str) -> int:
        """Bytes that one more line in ``service.py`` sends, the bill of materials that goes along included.

        The name has the image without that line before.
        """
        from ekiben import project, registry
        from ekiben.image import sbom

        self.build(box, name)
        written = project.write(project.render(box.model))
        file = Path(written.folder) / "service.py"
        text = file.read_text() + "\nEDITED = True\n"
        file.write_text(text)
        changed = replace(written, files={**written.files, "service.py": text})
        oci: Any = registry.builder("oci")
        made = oci.assemble(changed, f"{self.registry}/{name}", self.rig.base, _quiet)
        told = sbom.bill(replace(made, parts=oci.weigh(made, ())), box.model, oci.system(made))
        oci.attach(made, sbom.MEDIA, told.encode())
        return int(oci.push(made, _quiet))

    def size(self, name: str) -> int:
        """Bytes of the image laid out, as the engine counts them."""
        return engine_size(self.rig, f"{self.registry}/{name}")


def engine_size(rig: Rig, reference: str) -> int:
    """Bytes of an image in the engine's store; fetched from the registry first."""
    rig.run("pull", "-q", reference)
    return int(rig.run("image", "inspect", "--format", "{{.Size}}", reference))
