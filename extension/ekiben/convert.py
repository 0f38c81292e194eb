"""The faster form of a model, kept only when it is proven to answer as the model does.

Every converter that may know the model is tried. What it makes must answer the whole sample (of a huge
one, rows spread over it), the golden examples and rows at the contract's edges as the live object does,
many at a time and each on its own: labels equal, numbers within the contract's tolerance, refusals refused.
Of those that agree the fastest stays; where none does, the record says why. An interrupt ends the search,
not the wrap: what is proven by then serves, or the model itself.
"""

from __future__ import annotations

import math
import re
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ekiben import form_code
from ekiben.canonical import canonical, rows_of
from ekiben.contract import LABELS
from ekiben.edges import edge_rows
from ekiben.errors import EkibenError, NotConverted, NotFound
from ekiben.fields import to_wire
from ekiben.patience import OutOfTime, patiently
from ekiben.protocols import Converted, Converter
from ekiben.records import Attempt, Compiled, Contract, Timing
from ekiben.registry import converters
from ekiben.runtime.contract import check
from ekiben.runtime.predictor import assemble, tupled
from ekiben.runtime.tolerance import allowed, floors
from ekiben.words import _

#: Rows of the sample that are compared at most, and numbers in them.
MOST_ROWS, MOST_NUMBERS = 20_000, 2_000_000
#: Seconds for all tries together; what is not proven by then does not serve.
SECONDS = 8.0
LAST_SECONDS = 3.0
#: Seconds that one form may take to be made; more where the user asks for that form by name.
MAKING_SECONDS, ASKED_SECONDS = 20.0, 300.0
#: Seconds in which rows are also asked one at a time: a form may have a way of its own for a row alone.
ALONE_SECONDS = 1.0
#: Rows that must have been compared before time runs out.
FEWEST_ROWS = 64
#: A form that is less than this much faster is not worth a second way to answer.
WORTH = 1.15

Answers = dict[str, Any]
Run = Callable[[list[Any]], Answers]
Say = Callable[[str], None]


def convert(
    model: Any,
    sample: Any,
    contract: Contract,
    call: Callable[[Any, Any], Answers],
    folder: Path,
    *,
    example: Any = None,
    wanted: bool | str = True,
    say: Say | None = None,
    seconds: float = SECONDS,
) -> tuple[Compiled, tuple[str, ...]]:
    """Tries the faster forms of the live ``model``; the best proven one is left in ``folder``/compiled.

    ``call(model, data)`` are the native answers. ``wanted`` is False for none, or a converter's name for
    that one alone. The record, and the modules that the form imports.

    Raises:
        NotFound: no converter is called ``wanted``.
        NotConverted: ``wanted`` names one, and it does not make a form that agrees.
        KeyboardInterrupt: the user interrupted the search for the one that ``wanted`` names.
    """
    if wanted is False:
        return Compiled(reason=_("Switched off: compiled=False.")), ()
    known = {entry.name: entry for entry in converters()}
    if isinstance(wanted, str) and wanted not in known:
        raise NotFound(
            _("There is no converter called {name}.", name=repr(wanted)),
            remedy=_("Installed: {names}", names=", ".join(known) or "–"),
        )
    chosen = [entry for entry in known.values() if entry.matches(model) and wanted in (True, entry.name)]
    if not chosen:
        reason = _("No converter takes a {type}.", type=type(model).__name__)
        return _none(reason, (), wanted)
    proof = Proof(contract, lambda data: call(model, data), sample, time.monotonic() + seconds)
    tried: list[Attempt] = []
    best: tuple[float, Compiled, Converted, Path] | None = None
    for place, entry in enumerate(chosen):
        home = folder / f"{form_code.FOLDER}.{place}"
        try:
            found, made = _try(entry, model, contract, example, home, proof, say, wanted is not True)
        except KeyboardInterrupt:
            shutil.rmtree(home, ignore_errors=True)
            if isinstance(wanted, str):
                raise
            tried.append(Attempt(entry.name, reason=_("You interrupted the search for a faster form.")))
            break
        except EkibenError as error:
            remedy = f" {error.remedy}" if error.remedy else ""
            tried.append(Attempt(entry.name, reason=error.message + remedy))
            shutil.rmtree(home, ignore_errors=True)
            continue
        tried.append(Attempt(entry.name, speedup=found.speedup))
        gain = math.prod(timing.native / timing.compiled for timing in found.timings) ** 0.5
        if best is None or gain > best[0]:
            if best is not None:
                shutil.rmtree(best[3])
            best = (gain, found, made, home)
        else:
            shutil.rmtree(home)
    if best is None:
        return _none(" ".join(dict.fromkeys(entry.reason for entry in tried)), tuple(tried), wanted)
    gain, found, made, home = best
    if gain < WORTH:
        shutil.rmtree(home)
        return _none(_("It would be no faster ({speedup}×).", speedup=f"{gain:.2g}"), tuple(tried), wanted)
    home.rename(folder / form_code.FOLDER)
    return replace(found, tried=tuple(tried)), made.imports


def _none(reason: str, tried: tuple[Attempt, ...], wanted: bool | str) -> tuple[Compiled, tuple[str, ...]]:
    if isinstance(wanted, str):
        raise NotConverted(reason, where=wanted)
    return Compiled(reason=reason, tried=tried), ()


def _try(
    entry: Converter,
    model: Any,
    contract: Contract,
    example: Any,
    home: Path,
    proof: Proof,
    say: Say | None,
    asked: bool,
) -> tuple[Compiled, Converted]:
    """One converter's form, proven and measured.

    Raises:
        NotConverted: it makes none, or one that answers otherwise, or time is up.
    """
    tell = say or (lambda text: None)
    if time.monotonic() > proof.deadline:
        raise NotConverted(_("Time was up before it was tried."))
    tell(_("looking for a faster form: {name}", name=entry.name))
    home.mkdir()

    def taken(seconds: float) -> None:
        words = _(
            "looking for a faster form: {name}, {seconds} s (interrupt to do without)",
            name=entry.name,
            seconds=round(seconds),
        )
        tell(words)

    with _mapped():
        most = ASKED_SECONDS if asked else MAKING_SECONDS
        try:
            made = patiently(lambda: entry.convert(model, contract, example, home), most, taken)
        except OutOfTime as error:
            raise NotConverted(
                _("It took more than {seconds} s to be made.", seconds=f"{most:g}"),
                remedy="" if asked else _("wrap(…, compiled={name}) waits longer.", name=repr(entry.name)),
            ) from error
        form_code.keep(entry.runner(), home)
        run: Run = form_code.load(home).load(home, contract.to_json())
    # An export may have taken all the time; what it made is worth a look.
    proof.deadline = max(proof.deadline, time.monotonic() + LAST_SECONDS)
    tell(_("comparing it with the model: {name}", name=entry.name))

    def compared(rows: int) -> None:
        tell(
            _(
                "comparing it with the model: {name}, {done} of {rows} rows",
                name=entry.name,
                done=rows,
                rows=proof.total,
            )
        )

    with _quiet():
        rows, edges, worst = proof.compare(run, compared)
        timings = tuple(proof.time(run, count) for count in (1, 100))
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    found = Compiled(
        form=made.form,
        converter=entry.name,
        rows=rows,
        edges=edges,
        worst=worst,
        timings=timings,
        bytes=size,
        ways=made.ways,
    )
    return found, made


@contextmanager
def _quiet() -> Iterator[None]:
    """What a library warns of on each of a thousand calls is said by the first, when the sample is captured."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _mapped() -> Iterator[None]:
    """Whatever a library raises while it converts becomes NotConverted; its warnings are not for the user."""
    try:
        with _quiet():
            yield
    except EkibenError:
        raise
    except Exception as error:  # a converter runs the library's own code, which may raise anything
        plain = re.sub("\x1b\\[[0-9;]*m", "", str(error)).strip()
        first = (plain.splitlines() or [""])[0][:160]
        raise NotConverted(
            _("It cannot be written down: {reason}", reason=f"{type(error).__name__}: {first}")
        ) from error


@dataclass
class Proof:
    """The native answers to the rows that every form must answer alike; asked for once."""

    contract: Contract
    native: Callable[[Any], Answers]
    sample: Any
    deadline: float

    def __post_init__(self) -> None:
        self.json = self.contract.to_json()
        form, data = canonical(self.sample)
        width = math.prod(self.contract.inputs[0].shape) if form == "tensor" else len(self.contract.inputs)
        most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_NUMBERS // max(1, width)))
        if len(data) > most:
            data = rows_of(data, [place * len(data) // most for place in range(most)])
        self.total = len(data)
        self._data = data
        self._form = form
        self._chunks: list[tuple[list[Any], Answers]] = []
        self._edges: list[tuple[list[Any], Answers | None]] = []
        self._edges_asked = False

    def checked(self, rows: list[Any]) -> list[Any]:
        """Rows that travel, as ``run`` takes them."""
        return tupled(self.json, check(self.json, rows)[0])

    def ask(self, rows: list[Any]) -> Answers:
        """The native answers to checked rows."""
        return self.native(assemble(self.json, rows))

    def compare(self, run: Run, tell: Callable[[int], None] | None = None) -> tuple[int, int, float]:
        """Rows of the sample and of the edges that agree (all of them), and the worst difference.

        ``tell`` is given the number of rows that are compared, as it grows.

        Raises:
            NotConverted: a row differs, or time was up before enough were compared.
        """
        worst = 0.0
        count = 0
        alone = 0.0
        for rows, wanted in self._asked():
            worst = max(worst, self._agree(run, rows, wanted))
            if alone < ALONE_SECONDS:
                begin = time.monotonic()
                worst = max(worst, self._agree_alone(run, rows, wanted, begin + ALONE_SECONDS - alone))
                alone += time.monotonic() - begin
            count += len(rows)
            if tell is not None:
                tell(count)
            if time.monotonic() > self.deadline and count < self.total:
                if count < FEWEST_ROWS:
                    raise NotConverted(_("The model is too slow to be compared with it in time."))
                break
        for rows, expected in self._at_edges():
            worst = max(worst, self._agree(run, rows, expected))
            if expected is not None and len(rows) > 1:
                worst = max(worst, self._agree_alone(run, rows, expected, time.monotonic() + ALONE_SECONDS))
        return count, sum(len(rows) for rows, _expected in self._edges), worst

    def _asked(self) -> Iterator[tuple[list[Any], Answers]]:
        """Rows spread over the sample, a few first and then more at a time."""
        yield from self._chunks
        done = sum(len(rows) for rows, _wanted in self._chunks)
        order = _spread(self.total)
        size = 32
        while done < self.total:
            part = rows_of(self._data, order[done : done + size])
            rows = self.checked(list(to_wire(part, self._form, self.contract.inputs)))
            entry = (rows, self.ask(rows))
            self._chunks.append(entry)
            yield entry
            done += size
            size = min(2 * size, 4096)

    def _at_edges(self) -> list[tuple[list[Any], Answers | None]]:
        """Edge rows all at once; one by one where one is refused, as it must not hide the others."""
        if not self._edges_asked:
            self._edges_asked = True
            rows = self.checked(edge_rows(self.contract))
            together = _or_none(self.ask, rows)
            if together is not None:
                self._edges.append((rows, together))
            for row in rows if together is None else ():
                if time.monotonic() > self.deadline + 2:
                    break
                self._edges.append(([row], _or_none(self.ask, [row])))
        return self._edges

    def _agree(self, run: Run, rows: list[Any], wanted: Answers | None) -> float:
        got = _or_none(run, rows)
        if wanted is None or got is None:
            if wanted is got:
                return 0.0
            who = _("the model refuses it") if wanted is None else _("it refuses it")
            raise NotConverted(_("It answers otherwise: {what}, in row {row}", what=who, row=_short(rows[0])))
        return self._difference(rows, wanted, got)

    def _agree_alone(self, run: Run, rows: list[Any], wanted: Answers, end: float) -> float:
        """The same of rows that are asked one at a time, until ``end``."""
        import numpy

        found: list[tuple[int, Answers]] = []
        for place, row in enumerate(rows):
            got = _or_none(run, [row])
            if got is None:
                self._agree(run, [row], _or_none(self.ask, [row]))
            else:
                found.append((place, got))
            if time.monotonic() > end:
                break
        if not found:
            return 0.0
        places = [place for place, _got in found]
        expected = {name: numpy.asarray(values)[places] for name, values in wanted.items()}
        together = {
            name: numpy.concatenate([numpy.asarray(got[name]) for _at, got in found]) for name in wanted
        }
        try:
            return self._difference([rows[place] for place in places], expected, together)
        except NotConverted:  # the model too may answer a row otherwise when it is alone
            return max(self._difference([rows[at]], self.ask([rows[at]]), got) for at, got in found)

    def _difference(self, rows: list[Any], wanted: Answers, got: Answers) -> float:
        """The worst difference of numbers.

        Raises:
            NotConverted: more than the tolerance, or something else than a number differs.
        """
        import numpy

        if set(wanted) != set(got):
            raise NotConverted(
                _("It answers otherwise: {what}", what=", ".join(sorted(set(wanted) ^ set(got))))
            )
        worst = 0.0
        labels = self.contract.task in LABELS
        for name, native in wanted.items():
            a, b = numpy.asarray(native), numpy.asarray(got[name])
            same = a.shape == b.shape
            if same and a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
                x, y = a.astype(float), b.astype(float)
                with numpy.errstate(invalid="ignore", over="ignore"):
                    equal = (x == y) | (numpy.isnan(x) & numpy.isnan(y))
                    apart = numpy.where(equal, 0.0, numpy.abs(x - y))
                    near = apart <= allowed(self.json["tolerance"], self._sizes(name, x))
                if a.dtype.kind in "iu" and b.dtype.kind in "iu":
                    equal = near = a == b  # beyond 2**53, doubles of different ones are the same
                agree = equal if name == "predictions" and labels else equal | near
                worst = max(worst, float(numpy.nan_to_num(apart, nan=math.inf).max(initial=0.0)))
            else:
                agree = numpy.array(a == b) if same else numpy.zeros(len(rows), dtype=bool)
            if not numpy.all(agree):
                bad = int(numpy.flatnonzero(~agree.reshape(len(rows), -1).all(axis=1))[0])
                raise NotConverted(
                    _(
                        "It answers otherwise: {name} is {got}, not {wanted}, in row {row}",
                        name=name,
                        got=_short(b[bad].tolist() if bad < len(b) else None),
                        wanted=_short(a[bad].tolist()),
                        row=_short(rows[bad]),
                    )
                )
        return worst

    def _sizes(self, name: str, native: Any) -> Any:
        """What the native answers (n × …) of one output count with, each."""
        import numpy

        own = numpy.abs(native)
        if name not in self.contract.tolerance.scales:
            return own
        least = numpy.array([floors(self.json["tolerance"], name, row) for row in native.tolist()])
        if native.ndim == 1:
            return numpy.maximum(own, least[:, 0])
        return numpy.maximum(own, least.reshape(len(least), *[1] * (native.ndim - 2), -1))

    def time(self, run: Run, count: int) -> Timing:
        """Microseconds of one call with ``count`` rows, both ways: medians of calls in turn.

        Raises:
            NotConverted: the model itself refuses so many rows, each of which it answered among others.
        """
        rows = [row for rows, _wanted in self._chunks for row in rows][:count]
        rows = (rows * (count // len(rows) + 1))[:count]
        if _or_none(self.ask, rows) is None:
            raise NotConverted(_("The model itself does not answer a request of {n} rows.", n=count))
        took: tuple[list[float], list[float]] = ([], [])
        end = time.perf_counter() + 0.25
        while len(took[0]) < 200 and (len(took[0]) < 3 or time.perf_counter() < end):
            for place, (call, turns) in enumerate(((self.ask, 1), (run, 8))):
                begin = time.perf_counter()
                for _turn in range(turns):
                    call(rows)
                took[place].append((time.perf_counter() - begin) * 1e6 / turns)
        native, compiled = (round(statistics.median(entry), 1) for entry in took)
        return Timing(count, native, compiled)


def _spread(count: int) -> list[int]:
    """0 … count-1 in an order of which every beginning is spread over the whole."""
    step = max(1, round(count * 0.6180339887))
    while math.gcd(step, count) != 1:
        step += 1
    return [place * step % count for place in range(count)]


def _or_none(run: Callable[[list[Any]], Answers], rows: list[Any]) -> Answers | None:
    """The answers; None where the model, or its form, refuses the rows by whatever it raises."""
    try:
        with _quiet():
            return run(rows)
    except Exception:  # noqa: BLE001 - a refusal is an answer too, and both must refuse
        return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
