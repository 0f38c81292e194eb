"""A live model and its sample into the BentoML store: object, contract, requirements."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from ekiben import bridge, convert, form_code, notebook_code, origin, travel, unrecorded
from ekiben import contract as contracts
from ekiben.canonical import canonical
from ekiben.errors import InvalidName, NotFound, ReplayMismatch, UnsupportedModel, UnsupportedSample
from ekiben.protocols import Description, Framework, Saved
from ekiben.records import Contract, Finding, Mismatch, Model, Replay, Tolerance, Unseen
from ekiben.registry import framework, framework_for
from ekiben.requirements import Needs, data_imports, needed, reading_imports
from ekiben.runtime.contract import check, to_data
from ekiben.runtime.predictor import Predictor
from ekiben.runtime.replay import compare
from ekiben.words import _

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


def capture(
    model: Any,
    sample: Any,
    name: str,
    *,
    unseen: Unseen = "reject",
    files: Sequence[str | Path] = (),
    notebook: notebook_code.Notebook | None = None,
    requirements: Sequence[str] = (),
    indexes: bool = False,
    namespace: Mapping[str, Any] | None = None,
    compiled: bool | str = True,
    say: Callable[[str], None] | None = None,
) -> tuple[Model, Replay]:
    """Saves ``model`` with the contract that ``sample`` shows: the record, and its first replay.

    The saved copy is loaded again and answers the golden examples before the store takes it. The code
    that it needs comes from ``notebook``, the running one where it is left out; ``files`` are data
    files that this code opens.
    ``requirements`` names installed distributions that the model needs though nobody sees it import
    them; ``indexes`` writes the package indexes of the user's pip settings into the project. With the
    variables in ``namespace`` the sample is looked at for preprocessing that was forgotten. ``compiled``
    is False where no faster form is to be tried, or the name of the converter to try; ``say`` is told
    what is going on.

    Raises:
        UnsupportedModel: no framework takes it, it is not fitted, or it has no ``predict``.
        UnsupportedSample: the sample does not fit; SampleMismatch where the remedy is known.
        NotCarried: its code uses what cannot leave the notebook.
        ReplayMismatch: the saved copy answers otherwise than the live object.
    """
    check_name(name)
    taken = framework_for(model)
    about = taken.describe(model)
    if not about.fitted:
        raise UnsupportedModel(
            _("The {type} is not fitted yet.", type=type(model).__name__),
            remedy=_("Call fit first, then wrap it."),
        )
    adapter = load_adapter(taken)
    fit = () if namespace is None else _fit(taken, adapter, model, sample, about, namespace)
    carried = notebook_code.carry(model, notebook or notebook_code.here(), files, name)
    contract = contracts.infer(
        sample, lambda data: _asked(adapter, model, data, about.estimator), about, unseen=unseen
    )
    ask = partial(adapter.call, model)
    bentoml = _bentoml()
    labels = {"made-by": "ekiben", "framework": taken.name}
    with bentoml.models.create(name, labels=labels) as entry:
        folder = Path(entry.path)
        carried = carried.write(folder)
        with carried.known():
            example = _example(contract)
            fit = (*fit, *travel.beside(ask, contract, example))
            saved = taken.save(model, folder, example)
            form, extra = convert.convert(
                model, sample, contract, adapter.call, folder, example=example, wanted=compiled, say=say
            )
        imports = carried.without_own((*saved.imports, *carried.imports))
        reading = reading_imports(contract)
        needs = needed(
            (*imports, *extra, *data_imports(contract), *reading), also=requirements, indexes=indexes
        )
        record = _record(
            entry.tag, taken, about.estimator, saved, contract, folder, carried, needs, fit, namespace
        )
        if form.form:
            alone = needed((*extra, *reading), also=requirements, indexes=indexes)
            form = replace(form, requirements=alone.lines, direct=alone.direct)
        record = replace(record, compiled=form)
        _write(folder, record)
        try:
            replay = replay_here(folder, record, "kernel", adapter)
        except Exception as error:  # the user's own code may raise anything
            raise UnsupportedSample(
                _("The saved copy of {name} does not answer: {error}", name=about.estimator,
                  error=f"{type(error).__name__}: {error}"),
                remedy=travel.remedy(ask, sample, contract, example)
                or _("Try it in a fresh kernel: what it needs may have stayed in this one."),
            ) from error  # fmt: skip
        if not replay.passed:
            raise mismatch(replay, travel.remedy(ask, sample, contract, example))
    return load_model(record.tag), replay


def _fit(
    taken: Framework,
    adapter: Any,
    model: Any,
    sample: Any,
    about: Description,
    namespace: Mapping[str, Any],
) -> tuple[Finding, ...]:
    """Whether the sample is what the model was fitted on; SampleMismatch where it plainly is not."""
    if all(hasattr(model, name) for name in ("fit", "predict", "get_params")):
        return bridge.check(model, sample, about, namespace)
    return unrecorded.check(model, sample, partial(adapter.call, model), taken.name, namespace)


def load_model(tag: str) -> Model:
    """The record of a captured model in the BentoML store; ``name`` alone means its latest version.

    Raises:
        NotFound: the store has no such model, or ekiben did not make it.
    """
    bentoml = _bentoml()
    try:
        entry = bentoml.models.get(tag)
    except bentoml.exceptions.BentoMLException as error:
        raise NotFound(
            _("The BentoML store has no model {tag}.", tag=repr(tag)),
            remedy=_("`ekiben models` lists what is there."),
        ) from error
    folder = Path(entry.path)
    file = folder / "model.json"
    if not file.is_file():
        raise NotFound(
            _("The model {tag} was not made by ekiben.", tag=repr(tag)),
            remedy=_("Wrap it: ekiben.wrap(model, sample)."),
        )
    data = json.loads(file.read_text(encoding="utf-8"))
    contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    return Model.from_json({**data, "contract": contract, "folder": str(folder)})


def models() -> tuple[Model, ...]:
    """Every model in the BentoML store that ekiben made, newest first."""
    found = (entry for entry in _bentoml().models.list() if entry.info.labels.get("made-by") == "ekiben")
    records = (load_model(str(entry.tag)) for entry in found)
    return tuple(sorted(records, key=lambda record: record.created, reverse=True))


def replay_here(folder: Path, model: Model, station: str, adapter: Any = None) -> Replay:
    """The golden examples through the saved model in this process; through both its forms where it has two."""
    predictor = load_predictor(folder, model, adapter)
    golden, tolerance = model.contract.golden.to_json(), model.contract.tolerance.to_json()
    start = time.perf_counter()
    got = predictor.answer(golden["rows"])
    milliseconds = (time.perf_counter() - start) * 1000
    worst, differing = compare(golden, got, tolerance)
    if predictor.form != "native":
        native = load_predictor(folder, model, adapter, native=True).answer(golden["rows"])
        more, others = compare(golden, native, tolerance)
        worst, differing = max(worst, more), differing or others
    return replay_of(station, len(golden["rows"]), worst, milliseconds, differing, model.contract.tolerance)


def load_predictor(folder: Path, model: Model, adapter: Any = None, *, native: bool = False) -> Predictor:
    """The saved model with its contract and its own code, in this process."""
    with notebook_code.at_hand(folder, model.code_module):
        runner = form_code.load(folder / form_code.FOLDER) if model.compiled.active else None
        return Predictor(folder, adapter or load_adapter(framework(model.framework)), runner, native=native)


def replay_of(
    station: str,
    rows: int,
    worst: float,
    milliseconds: float,
    differing: list[dict[str, Any]],
    tolerance: Tolerance,
) -> Replay:
    """The record of a comparison that the runtime made."""
    return Replay(
        station=station,
        rows=rows,
        worst=worst,
        tolerance=tolerance,
        milliseconds=milliseconds,
        mismatches=tuple(Mismatch.from_json(entry) for entry in differing),
    )


def replay_told(
    station: str, status: int, lines: Sequence[str], tolerance: Tolerance
) -> tuple[Replay, dict[str, Any]]:
    """What a process of ``runtime.replay`` told in its ``lines``, and the replay of it; both where it ended well.

    Raises:
        ReplayMismatch: an answer differs.
        ValueError: the process ended otherwise, or told nothing.
    """
    report = next((line for line in reversed(lines) if line.startswith('{"rows"')), None)
    if status not in (0, 1) or report is None:
        raise ValueError(status)
    told: dict[str, Any] = json.loads(report)
    found = replay_of(
        station, told["rows"], told["worst"], told["milliseconds"], told["mismatches"], tolerance
    )
    if not found.passed:
        raise mismatch(found)
    return found, told


def mismatch(replay: Replay, remedy: str = "") -> ReplayMismatch:
    """The error that tells the rows that differ, both answers and the tolerance; ``remedy`` where one is known."""
    shown = [
        _(
            "row {row}, {output}: the notebook said {expected}, here {got}",
            row=entry.row,
            output=entry.output,
            expected=entry.expected,
            got=entry.got,
        )
        for entry in replay.mismatches[:5]
    ]
    rows = len({entry.row for entry in replay.mismatches})
    return ReplayMismatch(
        _(
            "{bad} of {rows} golden rows are answered otherwise than in the notebook "
            "(tolerance: relative {relative}, absolute {absolute}).",
            bad=rows,
            rows=replay.rows,
            relative=replay.tolerance.relative,
            absolute=replay.tolerance.absolute,
        )
        + "".join(f"\n  {line}" for line in shown)
        + ("\n  …" if len(replay.mismatches) > len(shown) else ""),
        replay,
        remedy=remedy
        or _("Check that predict gives the same answer twice, and that the versions are the notebook's."),
    )


def check_name(name: str) -> None:
    """Model names are what BentoML and image references take.

    Raises:
        InvalidName: it is not.
    """
    if not NAME.fullmatch(name):
        raise InvalidName(
            _("{name} cannot be a model's name.", name=repr(name)),
            where="name",
            remedy=_("Use lower-case letters, digits, '-', '_' and '.', up to 63 of them."),
        )


def load_adapter(taken: Framework) -> Any:
    """The framework's adapter as a module, the same file that travels with the service."""
    spec = spec_from_file_location(f"ekiben_adapter_{taken.name}", taken.adapter())
    if spec is None or spec.loader is None:
        raise NotFound(_("The adapter of {name} is missing.", name=taken.name))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _asked(adapter: Any, model: Any, data: Any, name: str) -> dict[str, Any]:
    """The live object's answers, one a row.

    Raises:
        UnsupportedSample: it gives another number of answers, or is a function that raises.
    """
    if iscoroutinefunction(model):
        raise UnsupportedModel(
            _("{name} is async: it gives a coroutine, and no answer.", name=name),
            remedy=_("Wrap a plain function: def instead of async def."),
        )
    try:
        answers = dict(adapter.call(model, data))
    except Exception as error:  # the user's own function may raise anything
        pictured = canonical(data)[0] == "images"
        advice = _remedy(error, model, data)
        if pictured:
            advice = _("Wrap a function that makes of a list of images what the model takes, and calls it.")
        raise UnsupportedSample(
            _(
                "{name} does not answer the sample: {error}",
                name=name,
                error=f"{type(error).__name__}: {error}",
            ),
            remedy=advice,
        ) from error
    got = len(answers["predictions"])
    if got != len(data):
        raise UnsupportedSample(
            _("{name} gave {got} answers for {rows} rows.", name=name, got=got, rows=len(data)),
            remedy=_(
                "It gets all rows at once. Map a function of one row over them: [f(row) for row in rows]."
            ),
        )
    return answers


def _remedy(error: Exception, model: Any, data: Any) -> str:
    """What to do about what a model raised when it was asked the sample."""
    calls = _("Wrap a function of the rows that calls it with what it takes.")
    if isinstance(error, NameError):
        return _("Run the cell that makes {name} again: the kernel has none.", name=error.name or "it")
    if len(getattr(model, "inputs", None) or ()) > 1 or (
        isinstance(error, TypeError) and "argument" in str(error)
    ):
        return calls
    once = _("It gets all rows at once. Map a function of one row over them: [f(row) for row in rows].")
    if isinstance(error, AttributeError):
        module, kind = type(data).__module__.partition(".")[0], type(data).__name__
        shown = kind if module == "builtins" else f"{module}.{kind}"
        return _("Rows reach it as a {type}, whatever the sample was.", type=shown) + " " + once
    return _("Pass the data that fit was called with, as it was.") if hasattr(model, "predict") else once


def _example(contract: Contract) -> Any:
    """The golden rows as they reach the model."""
    data = contract.to_json()
    columns, _warnings = check(data, data["golden"]["rows"])
    return to_data(data, columns)


def _bentoml() -> Any:
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    import bentoml
    import bentoml.exceptions

    return bentoml


def _record(
    tag: Any,
    taken: Framework,
    estimator: str,
    saved: Saved,
    contract: Contract,
    folder: Path,
    carried: notebook_code.Carried,
    needs: Needs,
    fit: tuple[Finding, ...],
    namespace: Mapping[str, Any] | None,
) -> Model:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for file in files:  # piece by piece: a model may be larger than what is left of the memory
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    findings: tuple[Finding, ...] = (*fit, *saved.findings, *carried.findings, *needs.findings)
    return Model(
        name=tag.name,
        version=tag.version,
        framework=taken.name,
        estimator=estimator,
        storage=saved.storage,
        folder=str(folder),
        digest=f"sha256:{digest.hexdigest()}",
        python=platform.python_version(),
        requirements=needs.lines,
        contract=contract,
        trusted=saved.trusted,
        direct=needs.direct,
        options=saved.options,
        findings=findings,
        source=carried.source,
        code_module=carried.module,
        carried=carried.pieces,
        origin=origin.here(namespace),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        bytes=sum(file.stat().st_size for file in files),
    )


def _write(folder: Path, record: Model) -> None:
    data = record.to_json()
    contract = data.pop("contract")
    del data["folder"]
    for name, content in (("model.json", data), ("contract.json", contract)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / name).write_text(text, encoding="utf-8")
