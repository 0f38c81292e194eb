"""Preprocessing that was forgotten where the model recorded nothing: networks, boosters, plain functions.

Such a model takes whatever has the right width. What is left to look at is the notebook: fitted
transformers that the model does not use, arrays that are what they make of the sample, what the cells
trained the model on, and which of the two the model answers better. An error only where that is plain:
the sample is not taken at all, a cell trains on the other array, or the answers are better by far.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from ekiben.candidates import TELLS, Named, guesses, name_of, targets, transformers, variables
from ekiben.canonical import bases, canonical, rows_of
from ekiben.errors import SampleMismatch
from ekiben.evidence import score
from ekiben.records import Finding
from ekiben.words import _

Call = Callable[[Any], dict[str, Any]]

#: Rows of the sample that are looked at.
ROWS = 300
#: Answers are plainly better by this much (balanced accuracy, R²), and good.
_BETTER, _GOOD_ACCURACY, _GOOD_R2 = 0.15, 0.8, 0.2
#: How each framework's model is called with an array, and what that needs.
_CALLED = {
    "torch": (
        ("import torch",),
        "{model}.eval()(torch.as_tensor({rows}, dtype=torch.float32)).detach().numpy()",
    ),
    "keras": ((), "{model}.predict({rows}, verbose=0)"),
    "tensorflow": (
        ("import tensorflow",),
        "{model}(tensorflow.constant({rows}, tensorflow.float32)).numpy()",
    ),
}


@dataclass(frozen=True)
class Way:
    """The model behind one transformer: the code for it, and what it makes of the looked-at rows."""

    through: str
    code: str
    made: Any
    call: Call


def check(
    model: Any, sample: Any, call: Call, framework: str, namespace: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Looks whether something of the notebook stood between ``sample`` and ``model``; ``call`` asks the model.

    Raises:
        SampleMismatch: it plainly did; the remedy is code that was tried.
    """
    form, data = canonical(sample)
    if form not in ("table", "array"):
        return ()
    known = [Named(entry.name, _plain(entry.value)) for entry in variables(namespace)]
    name, given = _name(model, namespace, "model"), _name(sample, namespace, "X")
    rows = sorted({int(k * len(data) / min(ROWS, len(data))) for k in range(min(ROWS, len(data)))})
    part = rows_of(data, rows)
    used = _used(model, namespace)
    found = [entry for entry in transformers(known, model, ()) if id(entry.value) not in used]
    ways = [way for entry in found if (way := _way(entry, model, name, given, framework, part, namespace))]
    if not ways:
        return ()
    trouble = _trouble(call, part)
    if trouble:
        told = _("The model does not take the sample: {reason}.", reason=trouble)
        raise _mismatch(
            told + " " + _("It takes what {name} makes of it.", name=ways[0].through), given, ways[0]
        )
    arrays = dict(_arrays(known, len(data)))
    trained = [arrays[entry] for entry in _trained_on(name, namespace) if entry in arrays]
    if any(_same(array[rows], part) for array in trained):
        return ()
    for way in ways:
        if any(_same(array[rows], way.made) for array in trained):
            told = _("The notebook trains {model} on what {name} makes of {sample}, not on {sample}.",
                     model=name, name=way.through, sample=given)  # fmt: skip
            raise _mismatch(told, given, way)
    judged = _judged(call, part, ways, targets(known, data, rows, None), name, given)
    if judged is None:
        judged = _judged(call, part, ways, guesses(known, data, rows), name, given, guessed=True)
    return judged or _twins(ways, arrays, rows, given)


def _judged(
    call: Call, part: Any, ways: list[Way], truths: list[Any], name: str, given: str, guessed: bool = False
) -> tuple[Finding, ...] | None:
    """What the answers tell: nothing to tell, a warning, or None where they tell nothing.

    Of ``guessed`` truths those that no answers fit are passed over: most are no target at all.
    """
    for truth in truths:
        before = _score(call, part, truth)
        if before is None:
            continue
        good = _GOOD_R2 if _classes(call, part, truth) is None else _GOOD_ACCURACY
        best = max(ways, key=lambda way: _score(way.call, part, truth) or -1.0)
        after = _score(best.call, part, truth)
        if guessed and max(before, after or -1.0) < max(good, TELLS):
            continue
        if after is None or after - before < _BETTER:
            return () if before >= good else None
        told = _(
            "{model} answers better for what {name} makes of {sample}: {after} instead of {before} "
            "(balanced accuracy or R²).",
            model=name, name=best.through, sample=given, before=f"{before:.2f}", after=f"{after:.2f}",
        )  # fmt: skip
        if after >= good:
            raise _mismatch(told, given, best)
        return (Finding("warning", told, _("If it was trained on that: {code}", code=best.code)),)
    return None


def _twins(ways: list[Way], arrays: dict[str, Any], rows: list[int], given: str) -> tuple[Finding, ...]:
    """Nothing tells the two apart, but the notebook holds the other one too."""
    for way in ways:
        if any(_same(array[rows], way.made) for array in arrays.values()):
            told = _(
                "The notebook also holds {sample} as {names} makes it, and nothing tells which of the two the "
                "model was fitted on.",
                sample=given,
                names=way.through,
            )
            return (Finding("warning", told, _("If it was that one: {code}", code=way.code)),)
    return ()


def _mismatch(message: str, given: str, way: Way) -> SampleMismatch:
    return SampleMismatch(
        message,
        where=given,
        remedy=_("Wrap a function that joins them, if this is what you meant (trust_sample=True if not):"),
        code=way.code,
    )


def _way(
    entry: Named,
    model: Any,
    name: str,
    given: str,
    framework: str,
    part: Any,
    namespace: Mapping[str, Any],
) -> Way | None:
    """The function that puts the transformer before the model, run on the rows; None where it fails."""
    transformed = f"{entry.name}.transform(rows)"
    imports, called = _CALLED.get(
        framework, ((), "{model}.predict({rows})" if hasattr(model, "predict") else "{model}({rows})")
    )
    function = f"def predict(rows):\n    return {called.format(model=name, rows=transformed)}"
    code = "\n".join((*imports, "", function, "", f"box = ekiben.wrap(predict, {given})")).strip()
    names = {**namespace, name: model, entry.name: entry.value}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = entry.value.transform(part)
            exec("\n".join((*imports, function)), names)
            answers = names["predict"](part)
            if len(answers) != len(part):
                return None
    except Exception:  # noqa: BLE001 - the user's objects may raise anything on data that does not fit
        return None
    return Way(entry.name, code, made, lambda rows: {"predictions": names["predict"](rows)})


def _trouble(call: Call, part: Any) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(rows_of(part, list(range(min(5, len(part))))))
    except Exception as error:  # noqa: BLE001 - a model may raise anything on data that does not fit it
        return (str(error).splitlines() or [repr(error)])[0].rstrip(".")
    return ""


def _score(call: Call, part: Any, truth: Any) -> float | None:
    classes = _classes(call, part, truth)
    return score(_Judge(call, classes), part, [truth], classes)


class _Judge:
    """A raw output as predictions: the likeliest class, or the number."""

    def __init__(self, call: Call, classes: tuple[Any, ...] | None) -> None:
        self.call = call
        self.classes = classes

    def predict(self, data: Any) -> Any:
        """N classes or numbers."""
        import numpy

        found = _plain(self.call(data)["predictions"])
        raw = numpy.asarray(found)
        if self.classes is None:
            return raw
        if raw.ndim == 2 and raw.shape[1] > 1:
            return raw.argmax(axis=1)
        raw = raw.ravel()
        if raw.dtype.kind != "f":
            return raw
        shares = raw.min() >= 0 and raw.max() <= 1
        return (raw > (0.5 if shares else 0.0)).astype(int)


def _classes(call: Call, part: Any, truth: Any) -> tuple[Any, ...] | None:
    """The classes 0 … k-1 where the truth and the output's width speak of them; else a regression."""
    import numpy

    known = set(numpy.unique(truth).tolist())
    if not known <= set(range(1000)):
        return None
    raw = numpy.asarray(_plain(call(rows_of(part, [0]))["predictions"]))
    width = raw.shape[1] if raw.ndim == 2 else 1
    if width > 1 and known <= set(range(width)):
        return tuple(range(width))
    return (0, 1) if known <= {0, 1} else None


def _arrays(known: list[Named], rows: int) -> Iterator[tuple[str, Any]]:
    """Arrays and tables of numbers with as many rows as the sample, by name."""
    import numpy

    for entry in known:
        if not bases(entry.value) & {"numpy.ndarray", "pandas.DataFrame"} or entry.value.ndim != 2:
            continue
        array = numpy.asarray(entry.value)
        if len(array) == rows and array.dtype.kind in "iuf":
            yield entry.name, array


def _trained_on(name: str, namespace: Mapping[str, Any]) -> list[str]:
    """Variables that the notebook's cells pass to the model's ``fit``, or to the model itself, whole."""
    found: list[str] = []
    for cell in list(namespace.get("In") or ()):
        try:
            tree = ast.parse(cell)
        except (SyntaxError, TypeError, ValueError):
            continue  # a magic; the kernel's own list has other things too
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and _is_training(node.func, name):
                first = node.args[0]
                found.extend(part.id for part in ast.walk(first) if isinstance(part, ast.Name))
    return found


def _is_training(called: ast.expr, name: str) -> bool:
    if isinstance(called, ast.Attribute) and called.attr in ("fit", "train", "train_on_batch"):
        called = called.value
    return isinstance(called, ast.Name) and called.id == name


def _used(model: Any, namespace: Mapping[str, Any]) -> set[int]:
    """Objects that the model reaches by itself: a function's names and closure, an object's attributes."""
    seen: set[int] = set()
    waiting = [model]
    while waiting and len(seen) < 2000:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, ModuleType):
            continue  # what the code takes of it was named with it
        code = _attribute(value, "__code__")
        if isinstance(code, CodeType):
            words = _words(code)
            named = [namespace[word] for word in words if word in namespace]
            waiting.extend(named)
            for module in named:
                if isinstance(module, ModuleType):
                    waiting.extend(vars(module)[word] for word in words if word in vars(module))
            waiting.extend(cell.cell_contents for cell in value.__closure__ or () if _full(cell))
        for inner in (_attribute(value, "func"), _attribute(value, "__self__")):
            waiting.extend([inner] if inner is not None and code is None else [])
        held = _attribute(value, "__dict__")
        if isinstance(held, dict) and not isinstance(value, type):
            waiting.extend(held.values())
        if isinstance(value, (list, tuple)):
            waiting.extend(value[:50])
        elif type(value) is dict:
            waiting.extend(list(value.values())[:50])
        for kind in type(value).__mro__[:-1] if type(value).__module__ == "__main__" else ():
            waiting.extend(entry for entry in vars(kind).values() if hasattr(entry, "__code__"))
    return seen


def _attribute(value: Any, name: str) -> Any:
    """An attribute of whatever lies in the kernel: ``ctypes.cdll`` opens a library of that name when asked."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - anything may be raised by somebody's __getattr__
        return None


def _words(code: Any) -> set[str]:
    inner = [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    return {*code.co_names, *(word for part in inner for word in _words(part))}


def _full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not bound yet
        return False


def _name(value: Any, namespace: Mapping[str, Any], otherwise: str) -> str:
    return name_of(value, variables(namespace), otherwise)


def _plain(value: Any) -> Any:
    """A tensor as an array."""
    kinds = bases(value)
    if "torch.Tensor" in kinds:
        return value.detach().cpu().numpy()
    if kinds & {"tensorflow.Tensor", "tensorflow.Variable"} and hasattr(value, "numpy"):
        return value.numpy()
    return value


def _same(one: Any, other: Any) -> bool:
    """Equal within what float32 keeps."""
    import numpy

    a, b = numpy.asarray(one), numpy.asarray(other.toarray() if hasattr(other, "toarray") else other)
    if a.shape != b.shape or a.dtype.kind not in "iuf" or b.dtype.kind not in "iuf":
        return False
    return bool(numpy.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))
