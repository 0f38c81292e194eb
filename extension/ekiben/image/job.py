"""The build as a job that outlives the process which asked for it, and the events that it tells."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ekiben import edits, errors, jobs, training
from ekiben import project as projects
from ekiben.capture import load_model
from ekiben.errors import Cancelled, EkibenError, InvalidName, ReplayMismatch
from ekiben.image.built import BuiltImage
from ekiben.image.choosing import choose, permit, predict_size
from ekiben.image.making import USUAL_STEPS, build
from ekiben.image.names import check_reference
from ekiben.image.options import Options
from ekiben.image.proving import IMPORTED
from ekiben.records import Image, Job, Model, Project, Record, Replay, SizeEstimate
from ekiben.words import _


def build_job(
    tag: str,
    reference: str,
    options: Options | None = None,
    *,
    show: Callable[[Job], None] | None = None,
) -> BuiltImage:
    """``build`` for the model ``tag`` of the store, as a job that outlives this process; waits for its end.

    ``tag`` may be the path of a notebook (``train.ipynb``): it is run first, and the model that it wraps is
    built. ``show`` is called with the job whenever something changed. Interrupting cancels the job.

    Raises:
        Cancelled: it was interrupted here, or cancelled elsewhere.
        EkibenError: what ``build`` raises.
    """
    check_reference(reference)
    options = options or Options()
    options = replace(options, engine=choose(options.engine, None, options.base).name)
    argv = [sys.executable, "-m", "ekiben.image", tag, reference, *options.argv()]
    proof: Replay | None = None
    job = jobs.start("build", reference, argv, cwd=Path.cwd())
    try:
        for event in jobs.follow(job.id):
            if event["event"] == "done":
                return BuiltImage(Image.from_json(event["result"]), proof)
            if event["event"] == "replay":
                proof = Replay.from_json(event["replay"])
            if event["event"] == "error":
                raise _error(event, job)
            if show is not None:
                show(jobs.find(job.id))
    except KeyboardInterrupt:
        jobs.cancel(job.id)
        raise Cancelled(_("The build was cancelled."), where=reference) from None
    raise AssertionError("a followed job ends with done or error")


def _error(event: dict[str, Any], job: Job) -> EkibenError:
    """The error that the job's process told, as the class that it was there."""
    if event.get("type") == "ReplayMismatch":
        return ReplayMismatch(event["error"], Replay.from_json(event["replay"]), remedy=event["remedy"])
    kind = getattr(errors, str(event.get("type")), EkibenError)
    remedy = event["remedy"] or _("The whole log: {command}", command=f"ekiben log {job.id}")
    error: EkibenError = kind(event["error"], where=event["where"], remedy=remedy)
    return error


def main_events(tag: str, reference: str, options: Options | None = None) -> int:
    """Builds the model (or notebook) ``tag``, prints the events of a job and gives the exit status."""
    log = logging.getLogger("ekiben.build")
    log.setLevel(logging.INFO)
    heard = logging.StreamHandler(sys.stderr)
    heard.addFilter(lambda record: not record.getMessage().startswith(IMPORTED))
    log.addHandler(heard)
    return told(lambda: _build_events(tag, reference, options or Options()), reference)


def foresee_events(tag: str, options: Options) -> int:
    """Tells as the event ``done`` what the image would weigh; a notebook is run for it."""
    return told(lambda: foresee(tag, options, _Steps()), tag)


def foresee(tag: str, options: Options, running: training.Tell) -> SizeEstimate:
    """What the image of the model (or notebook) ``tag`` will weigh; ``running`` hears of the notebook's cells.

    Raises:
        EkibenError: what ``training.train`` and ``predict_size`` raise.
    """
    model = load_model(_model_of(tag, options, running))
    return predict_size(written(model, options.native, options.project), model, options.base)


def written(model: Model, native: bool, folder: str | Path = "") -> Project:
    """The project of ``model`` on the disk: in ``folder`` where that holds it, else in its usual place.

    Without what only the native object needs it has a folder of its own; what was edited in the other comes
    along where it may.
    """
    project = projects.render(model, native=native)
    here = bool(folder) and edits.made_for(Path(folder)) == model.tag
    whole = Path(folder) if here else projects.home(model.tag)
    if native:
        return projects.write(project, whole)
    return projects.write(edits.brought(project, whole), projects.home(model.tag + ".compiled"))


def _model_of(tag: str, options: Options, running: training.Tell) -> str:
    """The tag of a model: ``tag`` itself, or that of the model which the notebook of this path wraps."""
    if tag.endswith(".ipynb"):
        notebook = Path(tag).expanduser().resolve()
        return training.pick(training.train(notebook, options.parameters, running), options.box).tag
    if options.parameters or options.box:
        raise InvalidName(
            _("Parameters are for a notebook; {tag} is a model.", tag=tag),
            where="-p",
            remedy=_("Give the notebook that makes it: ekiben build notebook.ipynb …"),
        )
    return tag


def told(make: Callable[[], Record], subject: str) -> int:
    """Prints what ``make`` gives as the last event, or its error; gives the exit status."""
    _listen_to_cancel()
    try:
        made = make()
    except EkibenError as error:
        extra = {"replay": error.replay.to_json()} if isinstance(error, ReplayMismatch) else {}
        jobs.emit("error", **error.to_json(), **extra)
        return error.exit_status
    except KeyboardInterrupt:
        stopped = Cancelled(_("The build was cancelled."), where=subject)
        jobs.emit("error", **stopped.to_json())
        return stopped.exit_status
    jobs.emit("done", result=made.to_json())
    return 0


class _Steps:
    """Tells steps as events, each once."""

    def __init__(self) -> None:
        self._last: tuple[int, int, str] | None = None

    def __call__(self, step: int, steps: int, message: str) -> None:
        if self._last != (step, steps, message):
            self._last = (step, steps, message)
            jobs.emit("step", step=step, steps=steps, message=message)


def _build_events(tag: str, reference: str, options: Options) -> Image:
    """The build, with its steps and layers as events."""
    cells = 0
    emit = _Steps()

    def progress(step: int, steps: int, message: str) -> None:
        emit(cells + step, cells + steps, message)

    done = 0

    def running(cell: int, all_cells: int, message: str) -> None:
        nonlocal done
        done = all_cells
        progress(cell, all_cells + USUAL_STEPS, message)

    check_reference(reference)
    if options.push and tag.endswith(".ipynb"):
        # Before the notebook runs for an hour; the build itself asks too.
        permit(choose(options.engine, None, options.base), reference)
    model = load_model(_model_of(tag, options, running))
    cells = done
    if cells:
        jobs.emit("model", model=model.tag)
    return build(
        written(model, options.native, options.project),
        model,
        reference,
        engine=options.engine,
        base=options.base,
        fresh=options.fresh,
        push=options.push,
        progress=progress,
        heard=lambda proof: jobs.emit("replay", replay=proof.to_json()),
        layer=lambda done: jobs.emit("layer", **done.to_json()),
    )


def _listen_to_cancel() -> None:
    """A request to end becomes an interrupt, so that what is half done is taken back."""

    def interrupt(_number: int, _frame: object) -> None:
        # Once is enough: a second one would break off the tidying up.
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)
