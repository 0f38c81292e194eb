"""The box: a captured model with its service and its proof. One verb a station."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ekiben import amounts, edits, origin, service
from ekiben import project as projects
from ekiben.editor import EditableContract, keep
from ekiben.errors import InvalidRows as RowsError
from ekiben.errors import MissingDependency, NotConverted
from ekiben.http import invalid
from ekiben.image import BuiltImage, Options, build_job, images, predict_size, written
from ekiben.records import CardData, Compiled, Contract, Model, Piece, Prediction, SizeEstimate, TryAnswer
from ekiben.rows import wire_rows
from ekiben.runtime.predictor import plain
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.replay import compare
from ekiben.stations import Stations
from ekiben.status import Status
from ekiben.views import box_html, carried_html, carried_text
from ekiben.words import _, language


class Carriage(tuple[Piece, ...]):
    """What came along of the notebook's code and what was left; a table in a notebook, text elsewhere."""

    def __repr__(self) -> str:
        return carried_text(self)

    def _repr_html_(self) -> str:
        return carried_html(self)


class Box(Stations):
    """A captured model. ``live`` is the notebook's own object while it is at hand."""

    @property
    def contract(self) -> EditableContract:
        """Inputs, outputs and golden examples, to read and to edit."""
        return EditableContract(self.model.contract, self._edit)

    def _edit(self, contract: Contract) -> None:
        self._own_project()
        model = replace(self.model, contract=contract)
        keep(model, self.project.folder, self.model.contract)
        self.model = model
        folder = self.project.folder
        self.project = replace(edits.with_edits(projects.render(self.model), Path(folder)), folder=folder)
        self._predictor = None

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
            self._own_project()
            started = service.start(
                self.project,
                self.model,
                timeout=timeout,
                notebook=origin.notebook(),
                progress=status.say,
            )
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
        return predict_size(written(self.model, native, self.project.folder), self.model, base)

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
            model=self._told(),
            files=self.project.files,
            notebook=self.live is not None,
            servers=known,
            replays=tuple(self.replays.values()),
            images=tuple(one for one in images() if one.model == self.model.tag),
            variable=variable,
        )

    def _told(self) -> Model:
        """The model's record with what the project has to tell."""
        return replace(self.model, findings=(*self.model.findings, *self.project.findings))

    def watch(self) -> dict[str, Any] | None:
        """What the running service of this model counted (``RunningServer.watch``); None where none runs."""
        served = self._served()
        return served.watch() if served else None

    def _live_answers(self, rows: list[Any]) -> dict[str, Any]:
        """The notebook's object on the same rows, without a saved copy in between."""
        predictor = self.predictor
        from ekiben.runtime.contract import check, to_data

        columns, _warnings = check(predictor.contract, rows)
        answers = predictor.adapter.call(self.live, to_data(predictor.contract, columns))
        return {name: plain(values) for name, values in answers.items()}

    def __repr__(self) -> str:
        model = self.model
        form = amounts.form(
            model.compiled.form if model.compiled.active else "native", model.compiled.speedup
        )
        return f"<ekiben box {model.tag}: {model.estimator}, {model.contract.task}, {form}>"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        shown = {"text/plain": repr(self), "text/html": box_html(self._told(), tuple(self.replays.values()))}
        try:
            # The widget is a face; the core does not import faces, so its module is asked for by name.
            return {**import_module("ekiben.widget").bundle(self), **shown}
        except MissingDependency:
            return shown  # a Python-only install: the table needs no script
