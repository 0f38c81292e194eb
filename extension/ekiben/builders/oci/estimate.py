"""What an image will weigh, before it is built: sizes that the base's manifest and the package index tell."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from ekiben.builders.oci import packages, remote
from ekiben.builders.oci.parts import Subject, imported
from ekiben.pip_settings import settings, uv_has_its_own
from ekiben.records import Part, SizeEstimate
from ekiben.shell import watch

#: A byte of a wheel in the layers: wheels are packed harder, but tests and symbols stay behind. Measured with
#: ``BYTECODE`` on what scikit-learn, XGBoost, LightGBM and PyTorch (CPU) are served with; each comes within 3 %.
PACKED = 0.81
#: Bytecode of a package beside each byte of its wheel, where something imports it; libraries have little,
#: Python code much.
BYTECODE = 0.22
#: Bytes of the runtime and the service with their bytecode, packed.
CODE = 500_000
#: Seconds that a server has to tell the size of a wheel.
_PATIENCE = 5.0
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:==|@)")


def estimate(of: Subject, base: remote.Base, python: str, platform: str) -> SizeEstimate:
    """The parts with their expected bytes; a package whose wheel's size nobody tells is named in ``unknown``."""
    requirements = of.project / "requirements.txt"
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    wanted = [found[1] for line in lines if (found := _PIN.match(line)) and not line.startswith(("#", "-"))]
    sizes = wheels(requirements, python, platform)
    known = {_plain(name): name for name in wanted}
    served = imported(of)
    spare = set(served.spare) if served else set()
    parts = [
        Part(name, "package", expected(sizes[name], spare=name in spare)) for name in known if name in sizes
    ]
    parts.append(Part(str(base.reference), "base", sum(layer["size"] for layer in base.manifest["layers"])))
    model = sum(file.stat().st_size for file in of.model.rglob("*") if file.is_file())
    parts.append(Part(f"model {of.tag}", "model", model))
    parts.append(Part("service", "code", CODE))
    return SizeEstimate(
        bytes=sum(part.bytes for part in parts),
        parts=tuple(sorted(parts, key=lambda part: (-part.bytes, part.name))),
        unknown=tuple(name for plain, name in known.items() if plain not in sizes),
    )


def expected(wheel: int, *, spare: bool) -> int:
    """Bytes in the layers of a package whose wheel has so many; without bytecode where it is only there to spare."""
    return round(wheel * (PACKED + (not spare) * BYTECODE))


def wheels(requirements: Path, python: str, platform: str) -> Mapping[str, int]:
    """Bytes of the wheel of each package, from the lock that uv makes of the requirements; empty offline."""
    options = [] if uv_has_its_own() else settings().for_uv()
    command = [packages._uv(), "pip", "compile", str(requirements), "--format", "pylock.toml", "--quiet"]
    command += ["--no-deps", "--no-header", "--only-binary", ":all:", "--python", sys.executable]
    command += ["--python-version", python, "--python-platform", packages.WHEELS[platform], *options]
    heard: list[str] = []
    status, _last = watch(
        command, heard.append, lambda: None, env={"NO_COLOR": "1"}, cwd=str(requirements.parent)
    )
    if status:
        return {}
    found: dict[str, int] = {}
    elsewhere: dict[str, str] = {}
    name = ""
    for line in heard:
        # One wheel a package: of those for the platform, uv names the one that it would take.
        named = re.match(r'name = "([^"]+)"', line)
        name = named[1] if named else name
        url = re.search(r'\burl = "([^"]+)"', line)
        size = re.search(r"\bsize = (\d+)", line)
        if name in found or name in elsewhere:
            continue
        if size:
            found[name] = int(size[1])
        elif url:
            elsewhere[name] = url[1]
    return found | _asked(elsewhere)


def _asked(urls: Mapping[str, str]) -> dict[str, int]:
    """The sizes of wheels whose index does not tell them: of files here, or as their server answers to ``HEAD``."""
    with ThreadPoolExecutor(8) as pool:
        sizes = dict(zip(urls, pool.map(_size, urls.values()), strict=True))
    return {name: size for name, size in sizes.items() if size is not None}


def _size(url: str) -> int | None:
    try:
        if url.startswith("file:"):
            return os.path.getsize(url2pathname(urlsplit(url).path))
        with urlopen(Request(url, method="HEAD"), timeout=_PATIENCE) as answer:
            told = answer.headers.get("Content-Length", "")
            return int(told) if told.isdigit() else None
    except (OSError, ValueError):
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
