"""The box: a captured model with its service and its proof. One verb a station."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ekiben import amounts, clean_process, environment, service, template, training
from ekiben import project as projects
from ekiben.caller import namespace, store_name, variable_name
from ekiben.capture import capture, load_model, load_predictor, mismatch, replay_here
from ekiben.editor import EditableContract, keep
from ekiben.errors import InvalidRows as RowsError
from ekiben.errors import (
    MissingDependency,
    NotConverted,
    NotReproduced,
    ReplayMismatch,
    RequirementsFailed,
    ServiceFailed,
)
from ekiben.fuzz import FuzzReport, fuzz
from ekiben.http import invalid
from ekiben.image import BuiltImage, Options, build_job, images, predict_size, prove_again, written
from ekiben.personal import Personal, findings, look, without
from ekiben.records import (
    CardData,
    Compiled,
    Contract,
    Model,
    Piece,
    Prediction,
    Project,
    Replay,
    SizeEstimate,
    TryAnswer,
    Unseen,
)
from ekiben.reproduce import reproduce
from ekiben.requirements import check_shippable
from ekiben.rows import wire_rows
from ekiben.runtime.predictor import Predictor, plain
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.replay import compare
from ekiben.status import Status
from ekiben.views import box_html, carried_html, carried_text, replays_html, replays_text
from ekiben.words import _, language


class Carriage(tuple[Piece, ...]):
    """What came along of the notebook's code and what was left; a table in a notebook, text elsewhere."""

    def __repr__(self) -> str:
        return carried_text(self)

    def _repr_html_(self) -> str:
        return carried_html(self)


class Proof(tuple[Replay, ...]):
    """Replays by station; in a notebook a table, elsewhere aligned lines."""

    def __repr__(self) -> str:
        return replays_text(self)

    def _repr_html_(self) -> str:
        return replays_html(self)


def wrap(
    model: Any,
    sample: Any,
    *,
    name: str | None = None,
    unseen: Unseen = "reject",
    outside: Unseen = "warn",
    personal: Personal = "keep",
    requirements: Sequence[str] = (),
    indexes: bool = False,
    files: Sequence[str | Path] = (),
    trust_sample: bool = False,
    project_dir: str | Path | None = None,
    compiled: bool | str = True,
) -> Box:
    """Captures a fitted ``model`` with its contract and makes its service.

    ``sample`` is the data that ``fit`` was called with (or part of it), one row an example: a DataFrame,
    an array of numbers, a list of dicts or of texts. ``name`` is the model's in the BentoML store; left
    out, it is that of your variable. ``unseen`` says what happens to a category that the sample did not
    have and ``outside`` to a number beyond its range: ``reject``, ``warn`` or ``accept``. ``personal``
    says what happens to what looks like personal data: ``keep`` (and be warned), ``replace`` or
    ``drop``. ``requirements`` names installed packages that the model imports where nobody sees it;
    ``indexes`` writes the package indexes of your pip settings into the project. ``files`` are data
    files that your code opens when it answers. ``trust_sample`` takes the sample as it is, without a look
    for preprocessing that was forgotten. The project goes to ``project_dir``, or to a place
    beside the store. ``compiled`` tries faster forms of the model, and the fastest that answers the whole
    sample as the model does will serve: False tries none, a converter's name only that one.

    What the model needs of the notebook's own code travels with it; ``box.carried`` tells what it is.

    Raises:
        UnsupportedModel, UnsupportedSample: with the remedy.
        SampleMismatch: the model was fitted on something else; the remedy is code that joins them.
        NotCarried: the code uses what cannot leave the notebook; cell, line and remedy are told.
        ReplayMismatch: the saved copy answers otherwise than the live object.
    """
    names = namespace(sys._getframe(1))
    variable = variable_name(model, names)
    chosen = name or variable or type(model).__name__
    template.begin(type(model).__module__)
    with Status() as status:
        status.say(_("capturing {name}", name=chosen))
        private = look(sample)
        sample = without(sample, private, personal)
        record, replay = capture(
            model,
            sample,
            store_name(chosen) if name is None else name,
            unseen=unseen,
            requirements=requirements,
            indexes=indexes,
            files=files,
            namespace=None if trust_sample else names,
            compiled=compiled,
            say=status.say,
        )
        told = findings(private) if personal == "keep" else ()
        contract = replace(record.contract, outside=outside)
        record = replace(record, contract=contract, findings=(*record.findings, *told))
        made = projects.write(projects.render(record), project_dir)
        keep(record, made.folder)
        status.say(
            _("replaying {rows} golden examples in a clean process", rows=len(record.contract.golden.rows))
        )
        box = Box(record, made, live=model)
        box.variable = variable or ""
        box.replays["kernel"] = replay
        box.replay_process()
        training.note(record.tag, box.variable)
    return box


def open_box(tag: str) -> Box:
    """A box from the BentoML store; ``name`` alone means its latest version.

    Raises:
        NotFound: the store has no such model.
    """
    record = load_model(tag)
    return Box(record, projects.write(projects.render(record)))


class Box:
    """A captured model. ``live`` is the notebook's own object while it is at hand."""

    def __init__(self, model: Model, project: Project, live: Any = None) -> None:
        self.model = model
        self.project = project
        self.live = live
        self.variable = ""
        self.replays: dict[str, Replay] = {}
        self.server: service.RunningServer | None = None
        self._predictor: Predictor | None = None

    @property
    def contract(self) -> EditableContract:
        """Inputs, outputs and golden examples, to read and to edit."""
        return EditableContract(self.model.contract, self._edit)

    def _edit(self, contract: Contract) -> None:
        self.model = replace(self.model, contract=contract)
        keep(self.model, self.project.folder)
        self.project = replace(projects.render(self.model), folder=self.project.folder)
        self._predictor = None

    @property
    def predictor(self) -> Predictor:
        """The service's own code on the saved model, in this process."""
        if self._predictor is None:
            self._predictor = load_predictor(Path(self.model.folder), self.model)
        return self._predictor

    @property
    def carried(self) -> Carriage:
        """What came along of the notebook's own code, what was left, and why."""
        return Carriage(self.model.carried)

    @property
    def compiled(self) -> Compiled:
        """The faster form that was proven equal: what it is, its speed, its proof; or why there is none."""
        return self.model.compiled

    def prefer(self, form: Literal["compiled", "native"]) -> Box:
        """Chooses what answers from now on, here and in services that start; running ones stay as they are.

        Raises:
            NotConverted: there is no compiled form.
        """
        compiled = self.model.compiled
        if form == "compiled" and not compiled.form:
            raise NotConverted(compiled.reason, where=self.model.tag, remedy=_("Wrap it again to try anew."))
        self._chosen(replace(compiled, serves=form == "compiled"))
        return self

    def _chosen(self, compiled: Compiled) -> None:
        self.model = replace(self.model, compiled=compiled)
        keep(self.model, self.project.folder)
        self._predictor = None

    def predict(self, rows: Any) -> Prediction:
        """Answers through the service's own code, in this process.

        ``rows`` is a DataFrame, an array, a list of rows, or one row as a dict.

        Raises:
            InvalidRows: they break the contract; the error names each place.
        """
        begin = time.perf_counter()
        speaks = language()
        try:
            body = self.predictor.answer(wire_rows(rows, self.model.contract), speaks)
        except InvalidRows as error:
            raise invalid(error.body(speaks)) from error
        outputs = {name: values for name, values in body.items() if name != "warnings"}
        took = (time.perf_counter() - begin) * 1000
        return Prediction.from_json({"outputs": outputs, "milliseconds": took, "warnings": body["warnings"]})

    def serve(self, *, timeout: float = 60.0) -> service.RunningServer:
        """Starts a real BentoML service in a process of its own and replays the golden examples there.

        It goes on when the kernel ends; ``server.stop()`` or the panel stops it.

        Raises:
            ServiceFailed: it did not become ready within ``timeout`` seconds.
            ReplayMismatch: it answers otherwise than the notebook did; it is stopped.
        """
        with Status() as status, self._asks("http"):
            started = service.start(self.project, self.model, timeout=timeout, progress=status.say)
            try:
                self.replays["http"] = started.replay()
            except BaseException:
                started.stop()
                raise
        self.server = started
        return started

    def build(
        self,
        reference: str,
        *,
        engine: str | None = None,
        base: str | None = None,
        fresh: bool = True,
        push: bool = False,
        native: bool = True,
    ) -> BuiltImage:
        """Builds the container image ``reference`` (``name:tag``) and proves it.

        ``engine`` is ``oci``, which needs none, or ``podman``, ``docker``, ``buildah``, ``nerdctl``; left out,
        the first that works here. ``push`` sends the proven image to the registry in its name.
        ``base`` is the base image; left out, the slim image of this Python. ``fresh`` replays first in a
        fresh environment made from the project's requirements alone. ``native=False`` leaves out what only
        the native object needs, scikit-learn and pandas for instance: the image is small, the compiled
        form has nothing to fall back on, and BentoML's own routes take a little longer when they are first
        asked. Interrupting cancels.

        Raises:
            NotConverted: ``native=False``, and there is no compiled form.
            RequirementsFailed: what the model needs cannot be had, or does not work, elsewhere.
            EngineMissing: no engine works here.
            BuildFailed: the engine gave up; the message ends with its log.
            ReplayMismatch: the image answers otherwise than the notebook did; it gets no tag.
        """
        with Status() as status:
            image = build_job(
                self.model.tag,
                reference,
                Options(
                    engine=engine,
                    base=base,
                    fresh=fresh,
                    push=push,
                    native=native,
                    project=self.project.folder,
                ),
                show=status.show_job,
            )
        if image.environment:
            self.replays["environment"] = image.environment
        if image.record.replay:
            self.replays["image"] = image.record.replay
        return image

    def predict_size(self, *, base: str | None = None, native: bool = True) -> SizeEstimate:
        """What the image will weigh, before it is built: base, packages, code and model, as a registry holds them.

        An estimate, from the sizes that the base's registry and the package index tell; some seconds. ``native``
        is as for ``build``.

        Raises:
            NotConverted: ``native=False``, and there is no compiled form.
            BuildFailed: the base image cannot be had.
            EngineMissing: its registry is out of reach.
        """
        project = self.project if native else written(self.model, False, self.project.folder)
        return predict_size(project, self.model, base)

    def verify(self, *, fresh: bool = False, image: bool = True) -> Proof:
        """Replays the golden examples at every station that is there: kernel, clean process, HTTP, image.

        ``fresh`` adds a fresh environment, which uv makes from the project's requirements alone: some
        seconds the first time. The latest image of the model is started once; not with ``image=False``.

        Raises:
            ReplayMismatch, ServiceFailed: at the first station that answers otherwise, or does not start.
            RequirementsFailed: what the model needs cannot be had elsewhere.
        """
        with self._asks("kernel"):
            self.replays["kernel"] = self._replay_kernel()
        self.replay_process()
        if fresh:
            self.replay_fresh()
        if served := self._served():
            with self._asks("http"):
                self.replays["http"] = served.replay()
        with Status() as status, self._asks("image"):
            if image and (again := prove_again(self.model, status.say)):
                self.replays["image"] = again
        return Proof(self.replays.values())

    def reproduce(self, notebook: str | Path, *, variable: str = "", timeout: float = 3600.0) -> Replay:
        """Runs ``notebook`` from its top in a fresh kernel and compares the model that it makes there.

        ``variable`` is the model's name in the notebook; left out, the one that was wrapped.

        Raises:
            NotReproduced: it only worked because of hidden state; the cell at fault is named.
            ReplayMismatch: it makes a model that answers otherwise.
        """
        with Status() as status, self._asks("notebook"):
            status.say(_("running {notebook} in a fresh kernel", notebook=str(notebook)))
            chosen = variable or self.variable or self.model.name
            replay = reproduce(notebook, chosen, self.model.contract, timeout=timeout)
        self.replays["notebook"] = replay
        return replay

    def fuzz(self, *, examples: int = 200) -> FuzzReport:
        """Sends ``examples`` edge cases, made from the contract, to the running service, else to one of its own.

        What goes wrong is kept in the project and sent first the next time.
        """
        served = self._served()
        if served is not None:
            return fuzz(served.url, self.model.contract, self.project.folder, examples=examples)
        with service.start(self.project, self.model) as server:
            return fuzz(server.url, self.model.contract, self.project.folder, examples=examples)

    def replay_process(self) -> Replay:
        """Loads the saved model in a clean process and replays there.

        Raises:
            ReplayMismatch: an answer differs.
            ServiceFailed: the process ended otherwise.
        """
        with self._asks("process"):
            replay, told = clean_process.replay(self.model, self.project.folder)
        if told.get("trouble"):  # it loads here and not there: the native object is the safe choice
            self._chosen(replace(self.model.compiled, serves=False, reason=told["trouble"]))
        self.replays["process"] = replay
        template.prime(self.model.tag, type(self.live).__module__, told["modules"])
        return replay

    def replay_fresh(self) -> Replay:
        """Replays in a fresh environment made from the project's requirements alone.

        Raises:
            RequirementsFailed: they cannot be installed, or the model does not load with them.
            ReplayMismatch: an answer differs.
        """
        check_shippable(self.model.findings)
        with Status() as status, self._asks("environment"):
            replay = environment.replay(
                self.project,
                self.model,
                lambda step, steps, message: status.say(f"{step}/{steps} · {message}"),
            )
        self.replays["environment"] = replay
        return replay

    def try_rows(self, rows: list[Any]) -> TryAnswer:
        """One answer for the form: the service's (over HTTP while it runs), and the live object's own."""
        served = self._served()
        try:
            prediction = served.predict(rows) if served else self.predict(rows)
        except RowsError as error:
            return TryAnswer(error=str(error), problems=error.problems)
        if self.live is None:
            return TryAnswer(prediction=prediction, through=served.url if served else "")
        notebook = self._live_answers(rows)
        tolerance = self.model.contract.tolerance.to_json()
        _worst, differing = compare({"rows": rows, "answers": notebook}, prediction.outputs, tolerance)
        return TryAnswer(
            prediction=prediction,
            notebook=notebook,
            agrees=not differing,
            through=served.url if served else "",
        )

    def card(self, variable: str = "box") -> CardData:
        """All that the widget shows."""
        known = tuple(record for record in service.servers() if record.model == self.model.tag)
        return CardData(
            model=self.model,
            files=self.project.files,
            notebook=self.live is not None,
            servers=known,
            replays=tuple(self.replays.values()),
            images=tuple(one for one in images() if one.model == self.model.tag),
            variable=variable,
        )

    def watch(self) -> dict[str, Any] | None:
        """What the running service of this model counted (``RunningServer.watch``); None where none runs."""
        served = self._served()
        return served.watch() if served else None

    def _served(self) -> service.RunningServer | None:
        """A running service of this model, whoever started it; the box's own first."""
        ready = [
            record
            for record in service.servers()
            if record.model == self.model.tag and record.state == "ready"
        ]
        own = self.server.record.id if self.server else ""
        ready.sort(key=lambda record: record.id != own)
        return service.RunningServer(ready[0]) if ready else None

    def _live_answers(self, rows: list[Any]) -> dict[str, Any]:
        """The notebook's object on the same rows, without a saved copy in between."""
        predictor = self.predictor
        from ekiben.runtime.contract import check, to_data

        columns, _warnings = check(predictor.contract, rows)
        answers = predictor.adapter.call(self.live, to_data(predictor.contract, columns))
        return {name: plain(values) for name, values in answers.items()}

    @contextmanager
    def _asks(self, station: str) -> Iterator[None]:
        """A station that fails is told as failed from then on, whatever it said before."""
        try:
            yield
        except ReplayMismatch as error:
            self.replays[station] = error.replay
            raise
        except (NotReproduced, RequirementsFailed, ServiceFailed) as error:
            tolerance, problem = self.model.contract.tolerance, error.message.partition("\n")[0]
            self.replays[station] = Replay(station, 0, 0.0, tolerance, 0.0, problem=problem)
            raise

    def _replay_kernel(self) -> Replay:
        replay = replay_here(Path(self.model.folder), self.model, "kernel")
        if not replay.passed:
            raise mismatch(replay)
        return replay

    def __repr__(self) -> str:
        model = self.model
        form = amounts.form(
            model.compiled.form if model.compiled.active else "native", model.compiled.speedup
        )
        return f"<ekiben box {model.tag}: {model.estimator}, {model.contract.task}, {form}>"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        shown = {"text/plain": repr(self), "text/html": box_html(self.model, tuple(self.replays.values()))}
        try:
            # The widget is a face; the core does not import faces, so its module is asked for by name.
            return {**import_module("ekiben.widget").bundle(self), **shown}
        except MissingDependency:
            return shown  # a Python-only install: the table needs no script
