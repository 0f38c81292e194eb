"""Live values as text, and the kinds of values that have no life outside their process."""

from __future__ import annotations

import ast
import functools
import io
import logging
import math
import re
import socket
import sys
import threading
import types
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from ekiben.words import _

#: Longer texts are kept in a file beside the module, so that the module stays readable.
LONGEST = 4000
#: Larger arrays are kept in a file.
MOST_NUMBERS = 64
_LOCKS = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.local,
)
_RUNS = (
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
    types.TracebackType,
)
#: Modules of the notebook itself and of this tool: nothing of theirs is in a service.
NOTEBOOK_MODULES = ("IPython", "ipykernel", "ipywidgets", "jupyter_client", "anywidget", "ekiben")
_CONNECTIONS = re.compile(r"\b(Connection|Cursor|Engine|Session|Client|Channel|Socket)\b|Connection$|Cursor$")
_CONNECTION_MODULES = (
    "sqlite3",
    "psycopg",
    "psycopg2",
    "pymysql",
    "MySQLdb",
    "mysql",
    "pyodbc",
    "duckdb",
    "redis",
    "pymongo",
    "sqlalchemy",
    "http",
    "urllib3",
    "ssl",
    "paramiko",
    "kafka",
    "pika",
)
#: Calls that give the same value again wherever they run.
_STEADY = frozenset({
    "re.compile", "logging.getLogger", "functools.partial", "operator.itemgetter", "operator.attrgetter",
    "operator.methodcaller", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "datetime.timedelta",
    "datetime.datetime", "datetime.date", "datetime.time", "decimal.Decimal", "fractions.Fraction",
    "typing.TypeVar", "typing.NewType", "collections.namedtuple", "numpy.dtype", "enum.Enum", "builtins.type",
    "builtins.frozenset", "builtins.range", "builtins.slice",
})  # fmt: skip


def stuck(value: object) -> tuple[str, str] | None:
    """Why a value cannot leave its process and the remedy, or None where it may."""
    kind = type(value)
    top = kind.__module__.partition(".")[0]
    if isinstance(value, io.IOBase) or top == "tempfile":
        return _("an open file"), _(
            "Read what you need into a variable, or open the file inside the function."
        )
    if isinstance(value, socket.socket):
        return _("a network connection"), _("Connect inside the function.")
    if top in _CONNECTION_MODULES and _CONNECTIONS.search(kind.__name__):
        return _("a connection"), _("Fetch what you need into a variable, or connect inside the function.")
    if isinstance(value, _LOCKS):
        return _("a thread's lock"), _("Make it inside the function or in the class's __init__.")
    if isinstance(value, (threading.Thread, *_RUNS)):
        return _("something that runs"), _("Make a list of it: list(…).")
    if kind.__name__ == "Popen":
        return _("a running process"), _("Start it inside the function.")
    owner = value if isinstance(value, (type, types.FunctionType, types.ModuleType)) else kind
    home = getattr(owner, "__module__", None) or getattr(owner, "__name__", "")
    if isinstance(value, types.ModuleType):
        home = value.__name__
    elif isinstance(value, types.MethodType):
        home = type(value.__self__).__module__
    if str(home).partition(".")[0] in NOTEBOOK_MODULES:
        return _("a part of the notebook itself"), _("Take it out of the code that answers.")
    return None


def literal(value: Any) -> str | None:
    """Python text that gives an equal value again, or None. May need ``import numpy`` or ``pathlib``."""
    try:
        text = _literal(value, [LONGEST])
    except (RecursionError, ValueError):
        return None  # a list inside itself, or too long to be read
    return text


def modules_of(text: str) -> tuple[str, ...]:
    """The modules that a text of ``literal`` uses."""
    return tuple(name for name in ("numpy", "pathlib") if f"{name}." in text)


def _literal(value: Any, left: list[int]) -> str | None:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("too many parts")
    kind = type(value)
    if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if kind is complex:
        return repr(value) if math.isfinite(value.real) and math.isfinite(value.imag) else None
    if kind in (list, tuple, set, frozenset):
        return _collection(kind, value, left)
    if kind is dict:
        pairs = [(_literal(key, left), _literal(item, left)) for key, item in value.items()]
        if any(key is None or item is None for key, item in pairs):
            return None
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    if isinstance(value, PurePath):
        return f"pathlib.Path({str(value)!r})"
    return _array(value, left)


def _collection(kind: type, value: Any, left: list[int]) -> str | None:
    items = sorted(value, key=repr) if kind in (set, frozenset) else value
    texts = [_literal(item, left) for item in items]
    if any(text is None for text in texts):
        return None
    inside = ", ".join(text for text in texts if text is not None)
    if kind is list:
        return f"[{inside}]"
    if kind is tuple:
        return f"({inside},)" if len(texts) == 1 else f"({inside})"
    if kind is set:
        return f"{{{inside}}}" if texts else "set()"
    return f"frozenset([{inside}])"


def _array(value: Any, left: list[int]) -> str | None:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.generic) and value.dtype.kind in "biuf":
        inside = _literal(value.item(), left)
        return f"numpy.{value.dtype.name}({inside})" if inside else None
    if type(value) is numpy.ndarray and value.dtype.kind in "biufU" and 0 < value.size <= MOST_NUMBERS:
        inside = _literal(value.tolist(), left)
        return f"numpy.array({inside}, dtype={value.dtype.str!r})" if inside else None
    return None


def as_written(node: ast.AST, value: object) -> bool:
    """Whether ``name = …`` in the cell gives the live value itself, so that its text may stay."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    if isinstance(node, ast.Assign) and not (
        len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    ):
        return False
    try:
        written = ast.literal_eval(node.value)
        return literal(written) == literal(value) is not None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def steady(node: ast.AST, namespace: Any) -> bool:
    """Whether an assignment's right side gives the same value again wherever it runs."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    if isinstance(node, ast.Assign) and not (
        len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    ):
        return False
    allowed = (
        ast.Constant,
        ast.Name,
        ast.Attribute,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.Set,
        ast.BinOp,
        ast.UnaryOp,
        ast.operator,
        ast.unaryop,
        ast.expr_context,
        ast.keyword,
        ast.Call,
        ast.Lambda,
        ast.Subscript,
    )
    body = node.value
    if isinstance(body, ast.Lambda):
        return True
    parts = list(ast.walk(body))
    return all(isinstance(part, allowed) for part in parts) and all(
        _called(part.func, namespace) in _STEADY for part in parts if isinstance(part, ast.Call)
    )


def _called(node: ast.expr, namespace: Any) -> str:
    """The full name of what a call calls, looked up in the live namespace."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    builtins = vars(sys.modules["builtins"])
    found = namespace.get(node.id, builtins.get(node.id))
    for word in reversed(words):
        found = getattr(found, word, None) if isinstance(found, (types.ModuleType, type)) else None
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"


def lasting(value: Any) -> bool:
    """Kinds whose values do not change, so that their assignment can be run again."""
    known: Callable[[Any], bool] = functools.partial(_is_one_of, kinds=(
        "datetime.", "decimal.", "fractions.", "operator.", "typing.", "pathlib.", "numpy.dtype", "numpy.ufunc",
    ))  # fmt: skip
    if isinstance(value, (re.Pattern, logging.Logger, functools.partial, types.MethodType, range, slice)):
        return True
    return (
        callable(value) and type(value).__name__ in ("ufunc", "builtin_function_or_method", "function")
    ) or known(value)


def _is_one_of(value: Any, kinds: tuple[str, ...]) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}".startswith(kinds)
