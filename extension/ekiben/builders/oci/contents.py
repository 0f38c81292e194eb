"""What lies in a layer, written down when it is made: ``<BENTOML_HOME>/ekiben/layers/contents``."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.builders import weights
from ekiben.builders.weights import Package
from ekiben.records import Image, Part

SITE = "app/site-packages/"


def weigh(files: Iterable[tuple[str, Path | bytes, int]]) -> dict[str, Any]:
    """The packages among the files of a layer, and the bytes of each folder of bytecode.

    ``files`` are path in the image, what is there, and its size.
    """
    sizes = {path: size for path, _source, size in files if path.startswith(SITE)}
    found: dict[str, dict[str, Any]] = {}
    lists: dict[str, list[str]] = {}
    for path, source, _size in files:
        head, _slash, file = path.removeprefix(SITE).rpartition("/")
        if file != "RECORD" or not head.endswith(".dist-info") or not path.startswith(SITE):
            continue
        name, _dash, version = head.removesuffix(".dist-info").partition("-")
        name = re.sub(r"[-_.]+", "-", name).lower()
        text = source.decode() if isinstance(source, bytes) else source.read_text(encoding="utf-8")
        lists[name] = [row[0] for row in csv.reader(text.splitlines()) if row]
        total = sum(sizes.get(SITE + listed, 0) for listed in lists[name])
        found[name] = {"version": version, "bytes": total}
    for name, places in weights.alone(lists).items():
        found[name]["places"] = places
    bytecode: dict[str, int] = {}
    for path, size in sizes.items():
        if path.endswith(".pyc"):
            inner = path.removeprefix(SITE).replace("__pycache__/", "")
            key = "/".join([*inner.split("/")[:-1][:3], inner.rpartition("/")[2].partition(".")[0]])
            bytecode[key] = bytecode.get(key, 0) + size
    return {"raw": sum(size for _path, _source, size in files), "packages": found, "bytecode": bytecode}


def keep(folder: Path, digest: str, told: dict[str, Any]) -> None:
    """Writes down what lies in the layer ``digest``."""
    paths.write_atomic(_file(folder, digest), json.dumps(told))


def parts(folder: Path, image: Image, modules: Collection[str]) -> tuple[Part, ...]:
    """What weighs in an image: its base, each package with its bytecode, the code, the model."""
    told = {layer.digest: _read(folder, layer.digest) for layer in image.layers}
    packages = [
        Package(name, one["version"], one["bytes"], tuple(one["places"]))
        for lies in told.values()
        for name, one in lies.get("packages", {}).items()
    ]
    places = weights.homes(packages)
    base = image.base.rpartition("@")[0]
    found: list[Part] = []
    compiled: dict[str, int] = {}
    below = 0
    for layer in image.layers:
        lies = told[layer.digest]
        share = layer.bytes / max(lies.get("raw", 0), 1)
        if layer.made_by == base:
            below += layer.bytes
        elif lies.get("packages"):
            own = [package for package in packages if package.name in lies["packages"]]
            found += weights.parts(own, modules, share)
            _rest(found, layer.bytes - sum(package.bytes for package in own) * share, "other files")
        elif "bytecode" in layer.made_by:
            for path, size in lies.get("bytecode", {}).items():
                name = weights.owner(path + ".py", places)
                compiled[name] = compiled.get(name, 0) + round(size * share)
        else:
            named = layer.made_by.removeprefix("the ").split()[0]
            kind = {"model": "model", "runtime": "code", "service": "code"}.get(named, "other")
            found.append(Part(layer.made_by.removeprefix("the "), kind, layer.bytes))
    whole = [
        Part.from_json({**one.to_json(), "bytes": one.bytes + compiled.pop(one.name, 0)}) for one in found
    ]
    _rest(whole, sum(compiled.values()), "other bytecode")
    if below:
        whole.append(Part(base, "base", below))
    return tuple(sorted(whole, key=lambda part: (-part.bytes, part.name)))


def _rest(found: list[Part], size: float, name: str) -> None:
    """What belongs to no package, where it is worth a word."""
    if size >= 1000:
        found.append(Part(name, "other", round(size)))


def _read(folder: Path, digest: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(_file(folder, digest).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}  # a layer of the base, or one from before
    return told


def touch(folder: Path, digest: str) -> None:
    """Keeps it from being forgotten; also where there is nothing."""
    if _file(folder, digest).is_file():
        os.utime(_file(folder, digest))


def _file(folder: Path, digest: str) -> Path:
    return folder / "contents" / f"{digest.removeprefix('sha256:')}.json"
