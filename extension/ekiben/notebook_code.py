"""The notebook's own code that a model needs: sliced out of the cells into one module.

``carry`` takes live roots (the model, or the functions it is made of), the notebook's namespace and
the cells that ran, and gives ``Carried``: the module's text, the local modules and data files beside
it, and the live objects that travel as saved ones. ``Carried.known`` makes the live classes known
under the module's name while a framework saves the model, so that what is saved refers to the module
and not to ``__main__``. Nothing here imports Jupyter: the running shell is found, if there is one.
"""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ekiben.code import cells, files, surroundings
from ekiben.code.local import with_imports
from ekiben.code.names import imported
from ekiben.code.parts import Part, ordered, without_idle_imports
from ekiben.code.render import module_text
from ekiben.code.slicing import Slicer
from ekiben.errors import EkibenError, NotCarried
from ekiben.protocols import Saved
from ekiben.records import Finding, Piece
from ekiben.registry import framework, framework_of
from ekiben.words import _

PREFIX = "notebook_code_"
#: The folder in a model's folder that holds what travels into the project's root.
FOLDER = "code"
#: Definitions that the model does not need are told up to this number.
_TOLD = 20


@dataclass(frozen=True)
class Notebook:
    """Where code is taken from: the live names, the cells by number, the folder that paths start at."""

    namespace: Mapping[str, Any]
    cells: Sequence[str]
    folder: Path
    script: str = ""


@dataclass(frozen=True)
class Carried:
    """What travels. ``module`` is empty where the model needs no code of the notebook.

    ``files`` maps a path in the project to the file that goes there (local modules, data files);
    ``live`` the module's names to the live functions and classes; ``kept`` names to live objects that
    are saved beside the module. ``missing`` are data files that the code opens and that stay.
    """

    module: str = ""
    source: str = ""
    pieces: tuple[Piece, ...] = ()
    findings: tuple[Finding, ...] = ()
    imports: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @contextmanager
    def known(self) -> Iterator[None]:
        """The live functions and classes under the module's name, so that what is saved refers to it."""
        if not self.module:
            yield
            return
        stand_in = types.ModuleType(self.module)
        undo: list[tuple[Any, str, Any]] = []
        for name, thing in self.live.items():
            setattr(stand_in, name, thing)
            for part, qualname in _named(thing, name):
                renamed = {
                    "__module__": self.module,
                    "__qualname__": qualname,
                    "__name__": qualname.rpartition(".")[2],
                }
                for attribute, value in renamed.items():
                    undo.append((part, attribute, getattr(part, attribute)))
                    setattr(part, attribute, value)
        before = sys.modules.get(self.module)
        sys.modules[self.module] = stand_in
        try:
            yield
        finally:
            for part, attribute, value in reversed(undo):
                setattr(part, attribute, value)
            if before is None:
                sys.modules.pop(self.module, None)
            else:
                sys.modules[self.module] = before

    def without_own(self, imports: Sequence[str]) -> tuple[str, ...]:
        """``imports`` less the modules that travel themselves."""
        own = {target.partition("/")[0].removesuffix(".py") for target in self.files} | {self.module}
        return tuple(name for name in imports if name.partition(".")[0] not in own)

    def write(self, folder: Path) -> Carried:
        """Writes module, files and kept objects into ``folder``/code; adds what keeping the objects told.

        Raises:
            NotCarried: an object cannot be saved.
        """
        home = folder / FOLDER
        for target, file in self.files.items():
            (home / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, home / target)
        if not self.module:
            return self
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{self.module}.py").write_text(self.source, encoding="utf-8")
        told = [
            self._keep(name, value, home / f"{self.module}.objects" / name)
            for name, value in self.kept.items()
        ]
        return replace(
            self,
            findings=(*self.findings, *(finding for saved in told for finding in saved.findings)),
            imports=(*self.imports, *(name for saved in told for name in saved.imports)),
        )

    def _keep(self, name: str, value: Any, folder: Path) -> Saved:
        folder.mkdir(parents=True)
        taken = framework_of(value) or framework("python")
        place = next((piece.place for piece in self.pieces if piece.name == name), "")
        try:
            with self.known():
                saved = taken.save(value, folder, None)
        except EkibenError as error:
            raise NotCarried(
                _("{name} ({type}) cannot leave the notebook: {reason}", name=name, type=type(value).__name__,
                  reason=error.message),
                where=place,
                remedy=error.remedy,
            ) from error  # fmt: skip
        about = {"storage": saved.storage, "trusted": list(saved.trusted), "options": saved.options}
        (folder / "object.json").write_text(json.dumps({**about, "framework": taken.name}), encoding="utf-8")
        shutil.copyfile(taken.adapter(), folder / "adapter.py")
        findings = tuple(
            replace(finding, message=f"{name}: {finding.message}", told={}) for finding in saved.findings
        )
        return replace(saved, findings=findings)


def here() -> Notebook:
    """The running notebook or script: IPython's cells where there is a shell, else the script's text."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is not None:
        return Notebook(shell.user_ns, _ran(shell), Path.cwd())
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if not file or Path(file).suffix != ".py" or not Path(file).is_file():
        return Notebook(vars(main), (), Path.cwd())
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    return Notebook(vars(main), (text,), Path.cwd(), Path(file).name)


def _ran(shell: Any) -> list[str]:
    """The cells as IPython ran them, by number, with the empty lines above that it took away."""
    history = getattr(shell, "history_manager", None)
    parsed = [str(text) for text in getattr(history, "input_hist_parsed", ())]
    raw = [str(text) for text in getattr(history, "input_hist_raw", ())]
    if len(raw) != len(parsed):
        return parsed
    above = ["\n" * shown[: len(shown) - len(shown.lstrip())].count("\n") for shown in raw]
    return [lines + text for lines, text in zip(above, parsed, strict=True)]


def carry(
    model: Any, notebook: Notebook, travelling: Sequence[str | Path] = (), name: str = "model"
) -> Carried:
    """Everything of the notebook that ``model`` needs: transitively, in order of definition, nothing else.

    ``travelling`` are the data files that the user gives along. ``name`` is the model's, for errors.

    Raises:
        NotCarried: a name that the code needs cannot leave the notebook; cell, line and remedy are told.
        NotFound: a file of ``travelling`` is not there.
    """
    targets = files.travelling(travelling, notebook.folder)
    slicer = Slicer(notebook.namespace, cells.History(), notebook.script)
    found = slicer.look(model, name)
    if not found.code and not found.stuck:  # a library's own model: the cells need not be read
        return Carried(files=targets, pieces=tuple(_pieces([], {}, targets, {})))
    slicer.history = history = cells.read(notebook.cells, notebook.script)
    slicer.notice(found, name, slicer.place_of(model))
    parts = ordered(without_idle_imports(slicer.parts, slicer.dotted))
    beside = with_imports(slicer.modules)
    asked_for, rewritten = _data_files(parts, beside, targets, notebook)
    source = module_text(parts, history.future, rewritten) if parts else ""
    live = {
        part.name: part.value
        for part in parts
        if part.kind in ("function", "class") or slicer.own(part.value)
    }
    kept = {part.name: part.value for part in parts if part.how == "kept"}
    trees = [ast.parse(source), *(ast.parse(file.read_text(encoding="utf-8")) for file in beside.values())]
    return Carried(
        module=PREFIX + _digest(source, kept, targets) if parts else "",
        source=source,
        pieces=(*_pieces(parts, beside, targets, asked_for), *(_left(slicer, live) if parts else ())),
        findings=(*_unknown(slicer), *_asking(asked_for, notebook.folder), *_surroundings(parts, notebook)),
        imports=tuple(sorted({name for tree in trees for name in imported(tree) if name in sys.modules})),
        files={**targets, **beside},
        live=live,
        kept=kept,
        missing=tuple(asked_for),
    )


@contextmanager
def at_hand(folder: Path, module: str) -> Iterator[None]:
    """The code of the model in ``folder`` can be imported in this process, from its saved copy.

    The carried module is run anew; local modules that are loaded already are used as they are.
    """
    home = folder / FOLDER
    if not home.is_dir():
        yield
        return
    sys.path.append(str(home))
    invalidate_caches()
    try:
        if module:
            _run(module, home / f"{module}.py")
        yield
    finally:
        sys.path.remove(str(home))


def _run(module: str, file: Path) -> None:
    spec = spec_from_file_location(module, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise NotCarried(_("The module {name} is missing.", name=module), where=str(file.parent))
    made = module_from_spec(spec)
    sys.modules[module] = made
    spec.loader.exec_module(made)


def _named(thing: Any, name: str) -> Iterator[tuple[Any, str]]:
    """Functions and classes whose home is to be told otherwise, with their new qualified names."""
    if isinstance(thing, types.FunctionType):
        yield thing, name
    elif not isinstance(thing, type) and isinstance(getattr(thing, "__wrapped__", None), types.FunctionType):
        yield thing, name  # a decorator's object, such as lru_cache's
    elif isinstance(thing, type):
        yield thing, name
        for inside, member in vars(thing).items():
            if isinstance(member, type) and member.__qualname__ == f"{thing.__qualname__}.{inside}":
                yield from _named(member, f"{name}.{inside}")
            elif isinstance(member, staticmethod) and isinstance(member.__func__, types.FunctionType):
                yield member.__func__, f"{name}.{inside}"


def _data_files(
    parts: list[Part], beside: Mapping[str, Path], targets: dict[str, Path], notebook: Notebook
) -> tuple[dict[str, str], bool]:
    """Files that the code names and that stay, with the place; and whether a path was resolved."""
    folder = notebook.folder
    travelling = {file.resolve() for file in targets.values()}
    asked: dict[str, str] = {}
    rewritten = False
    for part in parts:
        if part.kind == "import" or not part.text:
            continue
        for path, line in files.named(part.text, folder).items():
            if (folder / Path(path).expanduser()).resolve() not in travelling:
                asked.setdefault(path, cells.place(part.order[0], part.order[1] + line - 1, notebook.script))
        part.text, changed = files.resolved(part.text, targets, folder)
        rewritten = rewritten or changed
    for target, file in beside.items():
        for path, line in files.named(file.read_text(encoding="utf-8"), folder).items():
            if (folder / Path(path).expanduser()).resolve() not in travelling:
                asked.setdefault(path, cells.place(0, line, target))
    return asked, rewritten


def _digest(source: str, kept: Mapping[str, Any], targets: Mapping[str, Path]) -> str:
    """Eight letters that name the module by what it is: its text, its objects, its files."""
    digest = hashlib.sha256(source.encode())
    for name, value in kept.items():
        digest.update(name.encode())
        try:
            import cloudpickle

            digest.update(cloudpickle.dumps(value))
        except Exception:  # noqa: BLE001 - the object's own code; its library's form may still keep it
            digest.update(repr(id(value)).encode())
    for target, file in targets.items():
        digest.update(target.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _pieces(
    parts: list[Part], beside: Mapping[str, Path], targets: Mapping[str, Path], asked: Mapping[str, str]
) -> Iterator[Piece]:
    for part in parts:
        name = part.text if part.kind == "import" else part.name
        note = part.note or (
            _("it was {type} in the kernel", type=type(part.value).__name__) if part.how == "kept" else ""
        )
        yield Piece(name, part.kind, part.how, part.place, note)
    for target in beside:
        yield Piece(target, "module", "copied", "", _("it lies beside the notebook"))
    for target in targets:
        yield Piece(target, "file", "copied")
    for path, where in asked.items():
        yield Piece(
            path, "file", "left", where, _("the code opens it; name it in files=[…] to let it travel")
        )


def _left(slicer: Slicer, live: Mapping[str, Any]) -> list[Piece]:
    """The notebook's other functions and classes: seen, and not needed."""
    left: list[str] = []
    for name, value in slicer.namespace.items():
        latest = slicer.history.latest(name)
        mine = isinstance(value, (types.FunctionType, type)) and slicer.own(value)
        if mine and latest is not None and name not in live and not name.startswith("_"):
            left.append(name)
    more = ["…"] if len(left) > _TOLD else []
    named = ", ".join([*left[:_TOLD], *more])
    return [Piece(named, "function", "left", "", _("the model does not need it"))] if left else []


def _surroundings(parts: list[Part], notebook: Notebook) -> Iterator[Finding]:
    for part in parts:
        for name, line in surroundings.asked(ast.parse(part.text)).items():
            where = cells.place(part.order[0], part.order[1] + line - 1, notebook.script)
            yield Finding(
                "warning",
                _(
                    "{place}: the environment variable {name} is read, and does not travel.",
                    place=where,
                    name=name,
                ),
                _("Set it where the service runs, or write the value in a cell."),
            )


def _unknown(slicer: Slicer) -> Iterator[Finding]:
    for name, where in dict(slicer.unknown).items():
        yield Finding(
            "warning",
            _("{place}: {name} is used, and the kernel does not know it.", place=where, name=name),
            _("Run the cell that makes it, or take the line out."),
        )


def _asking(asked: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    there = [path for path in asked if (folder / Path(path).expanduser()).is_file()]
    for path, where in asked.items():
        if path in there:
            yield Finding("warning", _("{place}: the code opens {file}, which stays here.", place=where, file=path),
                          files.asked(there))  # fmt: skip
        else:
            yield Finding(
                "info", _("{place}: the code opens {file}, which is not here.", place=where, file=path)
            )
