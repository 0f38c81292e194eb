"""The stations of a box: at each the golden examples are replayed, and what failed is told from then on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ekiben import clean_process, edits, environment, service, template
from ekiben.capture import load_predictor, mismatch, replay_here
from ekiben.editor import keep
from ekiben.errors import NotReproduced, ReplayMismatch, RequirementsFailed, ServiceFailed
from ekiben.fuzz import FuzzReport, fuzz
from ekiben.image import prove_again, written
from ekiben.records import Compiled, Model, Project, Replay
from ekiben.reproduce import reproduce
from ekiben.requirements import check_shippable
from ekiben.runtime.predictor import Predictor
from ekiben.status import Status
from ekiben.views import replays_html, replays_text
from ekiben.words import _


class Proof(tuple[Replay, ...]):
    """Replays by station; in a notebook a table, elsewhere aligned lines."""

    def __repr__(self) -> str:
        return replays_text(self)

    def _repr_html_(self) -> str:
        return replays_html(self)


class Stations:
    """A model and its project with the proofs so far; ``live`` is the notebook's object while it is at hand."""

    def __init__(self, model: Model, project: Project, live: Any = None) -> None:
        self.model = model
        self.project = project
        self.live = live
        self.variable = ""
        self.replays: dict[str, Replay] = {}
        self.server: service.RunningServer | None = None
        self._predictor: Predictor | None = None

    @property
    def predictor(self) -> Predictor:
        """The service's own code on the saved model, in this process."""
        if self._predictor is None:
            self._predictor = load_predictor(Path(self.model.folder), self.model)
        return self._predictor

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
        self._own_project()
        with service.start(self.project, self.model) as server:
            return fuzz(server.url, self.model.contract, self.project.folder, examples=examples)

    def replay_process(self) -> Replay:
        """Loads the saved model in a clean process and replays there.

        Raises:
            ReplayMismatch: an answer differs.
            ServiceFailed: the process ended otherwise.
        """
        with self._asks("process"):
            self._own_project()
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
            self._own_project()
            replay = environment.replay(
                self.project,
                self.model,
                lambda step, steps, message: status.say(f"{step}/{steps} · {message}"),
            )
        self.replays["environment"] = replay
        return replay

    def _chosen(self, compiled: Compiled) -> None:
        self._own_project()
        model = replace(self.model, compiled=compiled)
        keep(model, self.project.folder, self.model.contract)
        self.model = model
        self._predictor = None

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

    def _own_project(self) -> None:
        """A later version may have been wrapped into the folder since: then this one's lies in its usual place."""
        if edits.made_for(Path(self.project.folder)) != self.model.tag:
            self.project = written(self.model, True)

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
