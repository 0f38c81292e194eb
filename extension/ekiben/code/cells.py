"""The cells that ran, as definitions: who bound which name, where, and with which text."""

from __future__ import annotations
import __future__

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

from ekiben.words import _

#: Cell magics whose body is a cell like any other.
TRANSPARENT = ("time", "capture", "prun", "timeit")
_FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


@dataclass(frozen=True)
class Definition:
    """One binding of a name. ``order`` sorts by execution; ``text`` is the statement as written.

    ``statement`` is the cell's own statement that it stands in, and ``cell`` all of them.
    """

    name: str
    node: ast.AST
    order: tuple[int, int, int]
    text: str
    place: str
    statement: ast.stmt
    cell: list[ast.stmt]

    @property
    def value(self) -> ast.AST:
        """The definition itself; of ``name = lambda: …`` the lambda."""
        value = self.node.value if isinstance(self.node, (ast.Assign, ast.AnnAssign)) else None
        return value if isinstance(value, ast.Lambda) else self.node


@dataclass(frozen=True)
class History:
    """All bindings of the cells that ran: by name, the first executed first."""

    bindings: dict[str, list[Definition]] = field(default_factory=dict)
    lambdas: list[Definition] = field(default_factory=list)
    imports: list[Definition] = field(default_factory=list)
    future: tuple[str, ...] = ()

    def latest(self, name: str) -> Definition | None:
        """The last executed binding of ``name``."""
        known = self.bindings.get(name)
        return known[-1] if known else None


def read(cells: Sequence[str], script: str = "") -> History:
    """The history of executed cells.

    ``cells[n]`` is the text of the cell that the notebook shows as ``[n]``, in order of execution
    (IPython's ``In``); ``script`` is the file's name where there is one text and no notebook. Cells
    that do not parse defined nothing and are left out.
    """
    made = History()
    futures: set[str] = set()
    for number, text in enumerate(cells):
        for tree, body, shift in _trees(text):
            reader = _Reader(made, number, body, shift, script)
            for statement in tree.body:
                reader.statement, reader.cell = statement, tree.body
                reader.statements([statement], top=True)
            futures.update(reader.futures)
    return History(made.bindings, made.lambdas, made.imports, tuple(sorted(futures)))


def place(number: int, line: int, script: str = "") -> str:
    """``cell 3, line 2``, or ``train.py, line 12``."""
    if script:
        return _("{file}, line {line}", file=script, line=line)
    return _("cell {cell}, line {line}", cell=number, line=line)


def compiled(definition: Definition, flags: int = 0) -> Iterator[CodeType]:
    """The code objects that a function's, class's or lambda's definition may have become.

    A notebook compiles statement by statement, a script as a whole, and the compiler makes other code
    of ``module.f()`` where it sees the import beside it.
    """
    node = definition.value
    decorators = getattr(node, "decorator_list", ())
    line = decorators[0].lineno if decorators else getattr(node, "lineno", 0)
    name = "<lambda>" if isinstance(node, ast.Lambda) else getattr(node, "name", "")
    for body in ([definition.statement], definition.cell):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the cell warned when it ran
            try:
                whole = compile(
                    ast.Module(list(body), []),
                    "<cell>",
                    "exec",
                    flags=flags & _FUTURES | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                    dont_inherit=True,
                )
            except (SyntaxError, ValueError):
                continue
        found = [code for code in inner(whole) if code.co_name == name and code.co_firstlineno == line]
        yield from (_of_lambda(node, found, body) if isinstance(node, ast.Lambda) else found)


def _of_lambda(node: ast.Lambda, found: list[CodeType], body: Sequence[ast.stmt]) -> list[CodeType]:
    """Of several lambdas on one line, the one that stands at the same place in the line."""
    parts = (part for statement in body for part in ast.walk(statement))
    beside = sorted(
        {
            (part.lineno, part.col_offset)
            for part in parts
            if isinstance(part, ast.Lambda) and part.lineno == node.lineno
        }
    )
    place = beside.index((node.lineno, node.col_offset))
    return found[place : place + 1] if len(found) == len(beside) else found


def inner(code: CodeType) -> Iterator[CodeType]:
    """The code objects inside, the outermost first."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from inner(constant)


def same(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same, wherever they were written."""
    facts = (
        "co_code",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_argcount",
        "co_kwonlyargcount",
        "co_posonlyargcount",
    )
    if any(getattr(one, fact) != getattr(other, fact) for fact in facts):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(_same_constant(a, b) for a, b in zip(one.co_consts, other.co_consts, strict=True))


def _same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return same(one, other)
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def _trees(text: str) -> Iterator[tuple[ast.Module, str, int]]:
    """The cell, and the bodies of its transparent magics with the lines that stand above them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return
    yield tree, text, 0
    for statement in tree.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        words = [word.value for word in call.args if isinstance(word, ast.Constant)]
        if call.func.attr == "run_cell_magic" and len(words) == 3 and words[0] in TRANSPARENT:
            for inner_tree, body, shift in _trees(str(words[2])):
                yield inner_tree, body, shift + 1


class _Reader:
    """Files the bindings of one cell."""

    def __init__(self, made: History, number: int, text: str, shift: int, script: str) -> None:
        self.made = made
        self.number = number
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.shift = shift
        self.script = script
        self.futures: set[str] = set()
        self.statement: ast.stmt = ast.Pass()
        self.cell: list[ast.stmt] = []

    def statements(self, body: Sequence[ast.stmt], top: bool = False) -> None:
        for statement in body:
            self._statement(statement, top)
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            for part in ("body", "orelse", "finalbody"):
                self.statements(getattr(statement, part, ()))
            for handler in getattr(statement, "handlers", ()):
                self.statements(handler.body)

    def _statement(self, node: ast.stmt, top: bool) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind(node.name, node, self._text(node, top))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node)
        else:
            text = self._text(node, top)
            for name in sorted(set(_bound(node))):
                self._bind(name, node, text)
        for part in ast.walk(node):
            if isinstance(part, ast.Lambda):
                self.made.lambdas.append(self._definition("<lambda>", part, self._text(part, True)))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self.futures.update(alias.name for alias in node.names)
            return
        for alias in node.names:
            one: ast.Import | ast.ImportFrom
            if isinstance(node, ast.Import):
                one = ast.Import([alias])
                name = alias.asname or alias.name.partition(".")[0]
            else:
                one = ast.ImportFrom(node.module, [alias], node.level)
                name = alias.asname or alias.name
            made = self._definition(name, one, ast.unparse(one), node)
            self.made.imports.append(made)
            self.made.bindings.setdefault(name, []).append(made)

    def _bind(self, name: str, node: ast.stmt, text: str) -> None:
        self.made.bindings.setdefault(name, []).append(self._definition(name, node, text))

    def _definition(self, name: str, node: ast.AST, text: str, at: ast.AST | None = None) -> Definition:
        decorators = getattr(node, "decorator_list", ())
        line = (decorators[0].lineno if decorators else getattr(at or node, "lineno", 1)) + self.shift
        column = getattr(at or node, "col_offset", 0)
        where = place(self.number, line, self.script)
        return Definition(name, node, (self.number, line, column), text, where, self.statement, self.cell)

    def _text(self, node: ast.stmt | ast.expr, top: bool) -> str:
        """As written where it stands at the left margin, else written anew."""
        if not top:
            return ast.unparse(node)
        text = ast.get_source_segment(self.text, node) or ast.unparse(node)
        decorators = getattr(node, "decorator_list", ())
        if decorators:
            above = self.lines[decorators[0].lineno - 1 : node.lineno - 1]
            text = "".join(above) + text
        return text


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement itself binds, not counting those of its inner blocks."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        targets = [node.target]
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        targets = [item.optional_vars for item in node.items if item.optional_vars]
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
    if isinstance(node, (ast.Expr, ast.Assign, ast.If, ast.While)):
        value = node.test if isinstance(node, (ast.If, ast.While)) else node.value
        for part in ast.walk(value):
            if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
                yield part.target.id
