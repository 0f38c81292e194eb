"""Which installed distribution a module comes from: ``cv2`` is opencv-python, ``PIL`` is pillow.

The folder beside a module is searched for the distribution whose list of files has it. That takes
hundredths of a second where ``importlib.metadata.packages_distributions`` takes half of one, and it
tells two distributions apart that share a top-level name (``google``, ``azure``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, PathDistribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

#: Where libraries lie; a module elsewhere is the user's own or installed as a link to a folder.
_LIBRARIES = ("site-packages", "dist-packages")


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it: ``Scikit_Learn`` → ``scikit-learn``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(found: Distribution) -> str:
    """The canonical name of a distribution."""
    return canonical(str(found.metadata["Name"]))


def homes(module: str) -> tuple[Distribution, ...]:
    """The distributions that give ``module`` (dotted or not): one, unless it is a namespace of several.

    Empty for the standard library and for modules that nobody installed.
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("__main__", "__mp_main__"):
        return ()
    files = _files(module)
    found = [home for file in files for home in _owners(file)]
    if not found:
        found = [home for file in files for home in _linked(file)]
    if not found and (not files or any(_in_library(file) for file in files)):
        names = packages_distributions().get(top, ())  # no list of files: conda's and Debian's older ways
        found = [home for name in names for home in _named(name)]
    return tuple({name_of(home): home for home in found}.values())


def orphan(module: str) -> Path | None:
    """The file of a module that no distribution gives and that is not the standard library's."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("__main__", "__mp_main__"):
        return None
    files = _files(module)
    return files[0] if files and not homes(module) else None


def origin(found: Distribution) -> dict[str, object]:
    """What ``direct_url.json`` tells of a distribution that did not come from an index by its name."""
    # conda writes the folder that it built in, which tells nothing of where to get it.
    if (found.read_text("INSTALLER") or "").strip() == "conda":
        return {}
    told = found.read_text("direct_url.json")
    data: dict[str, object] = json.loads(told) if told else {}
    return data


def _files(module: str) -> list[Path]:
    """The module's file; for a namespace, the files of its parts that are loaded."""
    try:
        spec = _spec(module)
    except (ImportError, ValueError, AttributeError):
        spec = None  # a module made by hand, or one whose parent cannot be imported
    if spec is None:
        return []
    if spec.origin and spec.origin not in ("built-in", "frozen", "namespace"):
        return [Path(spec.origin)]
    inner = [part for name, part in list(sys.modules.items()) if name.startswith(f"{module}.")]
    paths = {getattr(part, "__file__", None) for part in inner}
    return sorted(Path(path) for path in paths if path) or _inside(spec)


def _inside(spec: ModuleSpec) -> list[Path]:
    """One file of each part of a namespace of which nothing is loaded."""
    children = [child for place in spec.submodule_search_locations or () for child in Path(place).iterdir()]
    found = (
        child if child.suffix == ".py" else next(child.rglob("*.py"), None) for child in sorted(children)
    )
    return [file for file in found if file]


def _spec(module: str) -> ModuleSpec | None:
    loaded = getattr(sys.modules.get(module), "__spec__", None)
    return loaded if loaded is not None else find_spec(module)


def _in_library(file: Path) -> bool:
    return any(part in _LIBRARIES for part in file.parts)


def _owners(file: Path) -> list[Distribution]:
    """The distributions that list ``file``; of several, the one whose bytes lie on the disk."""
    root = next((parent for parent in file.parents if parent.name in _LIBRARIES), None)
    if root is None:
        return []
    path = file.relative_to(root).as_posix()
    found: list[tuple[Distribution, str]] = []
    for record in _records(root, root.stat().st_mtime_ns):
        content = record.read_bytes()
        start = 0 if content.startswith(path.encode() + b",") else content.find(f"\n{path},".encode()) + 1
        if start or content.startswith(path.encode() + b","):
            line = content[start:].split(b"\n", 1)[0].decode()
            found.append((PathDistribution(record.parent), line))
    if len(found) > 1:
        digest = urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
        # Twins that hold the very same file: the one without windows is enough for a service.
        found = [pair for pair in found if f"sha256={digest}" in pair[1]] or found
        found.sort(key=lambda pair: ("headless" not in name_of(pair[0]), name_of(pair[0])))
    return [home for home, _line in found[:1]]


@lru_cache(maxsize=8)
def _records(root: Path, _changed: int) -> tuple[Path, ...]:
    return tuple(sorted(root.glob("*.dist-info/RECORD")))


def _linked(file: Path) -> list[Distribution]:
    """The distributions installed as a link to a folder that holds ``file``."""
    return [home for home, folder in _links(tuple(sys.path)) if folder in file.resolve().parents]


@lru_cache(maxsize=4)
def _links(path: tuple[str, ...]) -> tuple[tuple[Distribution, Path], ...]:
    found: list[tuple[Distribution, Path]] = []
    for folder in path:
        for told in Path(folder or os.curdir).glob("*.dist-info/direct_url.json"):
            home = PathDistribution(told.parent)
            place = folder_of(origin(home))
            if place is not None:
                found.append((home, place))
    return tuple(found)


def folder_of(told: dict[str, object]) -> Path | None:
    """The folder or file on this machine that an origin names."""
    url = urlparse(str(told.get("url", "")))
    if url.scheme != "file":
        return None
    path = unquote(url.path)
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path).resolve()


def _named(name: str) -> Iterable[Distribution]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return (distribution(name),)
    except PackageNotFoundError:
        return ()
