"""What no service reads is left out of its packages. This is the whole list, with the reasons.

* **Tests**: a folder ``test`` or ``tests`` inside a package goes, unless a module that stays imports from
  it (a script that nobody imports is no such module); a shared object that is called like a test, unless a
  module that stays speaks of it.
* **Symbols**: a shared object ends where its last segment ends, as the loader reads segments only. What
  follows must be sections that are not loaded (ELF's SHF_ALLOC is not set) and the table of sections, else
  it stays whole.
* **Sources**: what Cython and a C compiler read (``.pyx``, ``.h``, ``.a``, …), in packages that Cython made.
  There is no compiler in the image, and what compiles while it runs (``RUN_TIME``) keeps all of it.
* **Stubs**: ``.pyi`` is for type checkers; it stays where the package speaks of such files, as some read
  from them what to import.
* **Pages**: the scripts of BentoML's index page, in whose place ours is served, as it loads one from elsewhere.
* **Lexers** that nobody names: ``unreached.py``.
* **Copies** of one file are links to it (``copies``): the same bytes once.

Bytecode has its own page (``reachable.py``). Python's sources, licences and metadata stay, so that tracebacks
lose nothing; ``RECORD`` tells of what is there. ``EKIBEN_WHOLE_PACKAGES=1`` leaves everything in.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ekiben.builders.oci import unreached
from ekiben.builders.oci.shared_objects import is_one
from ekiben.builders.oci.symbols import loaded, without_sections

_IMPORT = re.compile(rb"[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*\(?[ \t]*(\w+)?|import[ \t]+([\w.]+))")
_SCRIPT = re.compile(rb"""^if __name__ == ["']__main__["']:""", re.MULTILINE)
_PLACES = {"test", "tests"}
#: Extension modules for a library's own tests; NumPy's tests of its processor's instructions have another name.
_TESTING = re.compile(r"(_|^)(c|cy)?tests?(capi)?(_|$)|^_simd$")
_MODULE = re.compile(r"\.(cpython-|abi3).*so$")
_CYTHON = {".pyx", ".pxd", ".pxi", ".tp"}
_SOURCES = {*_CYTHON, ".c", ".cc", ".cpp", ".h", ".hpp", ".a"}
#: Packages that compile C, C++ or Cython while they run, and bring what that needs.
RUN_TIME = {"cupy", "cupyx", "cython", "jax", "jaxlib", "numba", "nvidia", "pybind11", "pycuda", "pyopencl"}
RUN_TIME |= {"pytensor", "pythran", "tensorflow", "torch", "triton"}
_LOADER, _READS_STUBS = b"attach_stub", re.compile(rb"""\.pyi["']""")
_COMMENT = re.compile(rb"#[^\n]*")
_PAGE = "_internal/server/static_content/swagger-ui*"
#: A smaller file is not worth a link.
_COPY = 64 << 10


def slim(site: Path, direct: Collection[str] | None = None) -> dict[str, int]:
    """Takes them out of the installed packages in ``site``; gives the bytes saved of each kind.

    ``direct`` are the distributions that the service imports itself, where that is known.

    Files are replaced, never written to: the installer may share them with its cache.
    """
    saved: Counter[str] = Counter()
    if os.environ.get("EKIBEN_WHOLE_PACKAGES"):
        return saved
    gone: set[Path] = set()

    def leave(kind: str, listed: Iterable[Path]) -> None:
        for file in listed:
            saved[kind] += file.stat().st_size
            file.unlink()
            gone.add(file)

    for folder in tests(site):
        leave("tests", [file for file in folder.rglob("*") if not file.is_dir()])
        shutil.rmtree(folder)
    for package in (
        folder for folder in site.iterdir() if (folder.is_dir() and folder.suffix != ".dist-info")
    ):
        files = [file for file in sorted(package.rglob("*")) if file.is_file() and not file.is_symlink()]
        modules = [file for file in files if file.suffix == ".py"]
        leave("tests", _testing(files, modules))
        leave("sources", _sources(package.name, files))
        leave("stubs", _stubs(files, modules))
    leave("pages", sorted(site.glob(f"bentoml/{_PAGE}")))
    changed: set[Path] = set()
    for kind, files, teller, said in list(unreached.parts(site, direct)):
        leave(kind, [file for file in files if file != teller])
        saved[kind] += teller.stat().st_size - len(said)
        _replace(teller, said.encode())
        changed.add(teller)
    for file in site.rglob("*.so*"):
        if is_one(file):
            body = file.read_bytes()
            end = loaded(body)
            if end < len(body):
                saved["symbols"] += len(body) - end
                _replace(file, without_sections(body[:end]))
                changed.add(file)
    for record in site.glob("*.dist-info/RECORD"):
        _replace(record, _renewed(record.read_text(encoding="utf-8"), site, gone, changed).encode())
    return saved


def told(saved: dict[str, int]) -> str:
    """One line on it, the same in every language, as it goes into the image; empty where nothing was saved."""
    kinds = ", ".join(f"{size / 1e6:.1f} of {kind}" for kind, size in saved.items() if size >= 50_000)
    return f"left out {sum(saved.values()) / 1e6:.0f} MB: {kinds}" if kinds else ""


def copies(files: Iterable[Path]) -> dict[Path, Path]:
    """Files of some size with the same bytes and mode as an earlier one, and that one."""
    by_size: dict[tuple[int, int], list[Path]] = {}
    for file in sorted(files, key=lambda file: file.as_posix()):
        about = file.stat()
        if about.st_size >= _COPY and not file.is_symlink():
            by_size.setdefault((about.st_size, about.st_mode & 0o111), []).append(file)
    found: dict[Path, Path] = {}
    for alike in by_size.values():
        first: dict[str, Path] = {}
        for file in alike if len(alike) > 1 else ():
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest in first:
                found[file] = first[digest]
            else:
                first[digest] = file
    return found


def _testing(files: list[Path], modules: list[Path]) -> list[Path]:
    """Shared objects for tests of which no module speaks."""
    named = {
        file.name.partition(".")[0]: file
        for file in files
        if _MODULE.search(file.name) and _TESTING.search(file.name.partition(".")[0])
    }
    if not named:
        return []
    word = re.compile(rf"""(?<![\"'`])\b({"|".join(map(re.escape, named))})\b""".encode())
    plain = [name.encode() for name in named]
    spoken: set[str] = set()
    for file in modules:
        text = file.read_bytes()
        if any(name in text for name in plain):
            spoken.update(name.decode() for name in word.findall(_COMMENT.sub(b"", text)))
    return [file for name, file in named.items() if name not in spoken]


def _sources(package: str, files: list[Path]) -> list[Path]:
    """What a compiler reads, where Cython made the package and nothing is compiled while it runs."""
    if package.lower() in RUN_TIME or not any(file.suffix in _CYTHON for file in files):
        return []
    return [file for file in files if file.suffix in _SOURCES]


def _stubs(files: list[Path], modules: list[Path]) -> list[Path]:
    """What type checkers read, where no module reads it."""
    found = [file for file in files if file.suffix == ".pyi"]
    texts = (file.read_bytes() for file in modules if found)
    return [] if any(_LOADER in text or _READS_STUBS.search(text) for text in texts) else found


def tests(site: Path) -> list[Path]:
    """The folders of tests that nothing else imports, the outermost of each."""
    found: set[Path] = set()
    modules: list[tuple[Path, str]] = []
    for package in sorted(folder for folder in site.iterdir() if folder.is_dir()):
        before, here = len(found), []
        for above, folders, files in os.walk(package):
            places = _PLACES.intersection(folders)
            found.update(Path(above, name) for name in places if package.name not in _PLACES)
            folders[:] = [name for name in folders if name not in places]
            here += [(package, os.path.join(above, name)) for name in files if name.endswith(".py")]
        modules += here if len(found) > before else []
    wanted: set[Path] = set()
    for package, module in modules:
        file = Path(module)
        text = file.read_bytes()
        for first, second, third in _imports_of_tests(text):
            meant = _meant((first or third).decode(), second.decode(), file, site) & found
            if meant and not (_SCRIPT.search(text) and _alone(file, package)):
                wanted |= meant
    return sorted(found - wanted)


def _imports_of_tests(text: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """What ``_IMPORT`` finds in the lines that may speak of ``_PLACES``: a plain search passes the others by."""
    for line in text.splitlines() if b"test" in text else ():
        if b"test" in line and (found := _IMPORT.match(line)):
            yield found[1] or b"", found[2] or b"", found[3] or b""


def _alone(script: Path, package: Path) -> bool:
    """Whether no other module speaks of it."""
    name = re.compile(rf"\b{re.escape(script.stem)}\b".encode())
    others = (
        file
        for file in package.rglob("*.py")
        if file != script and not _PLACES & set(file.relative_to(package).parts)
    )
    texts = (file.read_bytes() for file in others)
    return not any(script.stem.encode() in text and name.search(text) for text in texts)


def _meant(name: str, what: str, file: Path, site: Path) -> set[Path]:
    """The folders that an import statement in ``file`` may go through."""
    dots = len(name) - len(name.lstrip("."))
    here = file.parents[dots - 1] if dots else site
    parts = [part for part in (*name[dots:].split("."), what) if part]
    return {here.joinpath(*parts[: end + 1]) for end in range(len(parts))}


def _renewed(record: str, site: Path, gone: set[Path], changed: set[Path]) -> str:
    """The lines of a ``RECORD`` without the files that went, and the digests of those that changed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(record)):
        file = site / row[0]
        if file in gone:
            continue
        if row[1] and file in changed:
            body = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
            row = [row[0], f"sha256={digest}", str(len(body))]
        writer.writerow(row)
    return out.getvalue()


def _replace(file: Path, body: bytes) -> None:
    mode = file.stat().st_mode
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(body)
    part.chmod(mode)
    os.replace(part, file)
