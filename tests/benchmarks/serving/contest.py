"""The run: models in turn, and for each the contenders in turn, round after round."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import environments, ours
from .environments import NotInstalled
from .models import MODELS, Model, make
from .peers import PEERS, SERVERS, Failed, Peer, Place
from .processes import Process, can_pin, free_port
from .sitting import Load, Served, sit, wait_answered

EXPORT = ("protobuf<7", "skl2onnx", "onnxmltools", "onnx", "onnxruntime", "pandas")
#: An array, a table, a network.
FEW = ("iris", "pipeline", "mlp")

Say = Callable[[str], None]


@dataclass
class Plan:
    """What is measured. ``only`` names models and contenders; empty means all."""

    loads: Sequence[Load]
    seconds: float
    warm: float
    rounds: int
    only: frozenset[str] = frozenset()
    starts: bool = True
    few: bool = False

    def models(self) -> list[str]:
        """Those that were named; else one of each form where it is to be ``few``; else all."""
        named = [name for name in MODELS if name in self.only]
        return named or (list(FEW) if self.few else list(MODELS))

    def takes(self, name: str) -> bool:
        named = self.only - MODELS.keys()
        return not named or name in named


@dataclass
class Results:
    """Plain data, written as JSON. A sitting is what ``sitting.sit`` gives."""

    about: dict[str, Any]
    #: model → contender → sittings, one a round
    sittings: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    #: model → contender → why it does not take part
    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    #: model → what form of it ours served
    forms: dict[str, str] = field(default_factory=dict)
    #: name → seconds, one a round
    starts: dict[str, list[float]] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)


def about(plan: Plan) -> dict[str, Any]:
    """The machine and the plan, for the head of the table."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux, or a processor that does not say
    return {
        "began": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "pinned": can_pin(),
        "busy_before": round(os.getloadavg()[0], 2),
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "loads": [str(one) for one in plan.loads],
    }


class Contest:
    """Holds the folders of a run, which go away with it; ``logs`` gets those of servers that failed."""

    def __init__(self, plan: Plan, work: Path, say: Say, logs: Path | None = None) -> None:
        self.plan = plan
        self.work = work
        self.say = say
        self.logs = logs
        self.results = Results(about(plan))

    def run(self) -> Results:
        for name in self.plan.models():
            self.say(f"{name}: fitting")
            model = make(name, self.work / "models" / name)
            self.contest(model)
            if name == "iris" and self.plan.starts:
                self.starts(model)
        return self.results

    # -- one model ---------------------------------------------------------------------------------

    def contest(self, model: Model) -> None:
        """All contenders of a model, taking turns; who fails once is out, and it is told."""
        sittings = self.results.sittings.setdefault(model.name, {})
        absent = self.results.absent.setdefault(model.name, {})
        wrapped = None
        if self.plan.takes(ours.NAME) or self.plan.takes("expert"):
            self.say(f"{model.name}: wrapping")
            try:
                wrapped = ours.wrap(model, self.work / "ours")
                self.results.forms[model.name] = wrapped.running
            except Failed as error:
                absent[ours.NAME] = str(error)
        places: dict[str, tuple[Peer, Place]] = {}
        for peer in PEERS:
            if self.plan.takes(peer.name) and peer.serves(model.name):
                try:
                    places[peer.name] = (peer, self.place(peer, model, wrapped))
                except (Failed, NotInstalled) as error:
                    absent[peer.name] = str(error)
        for turn in range(self.plan.rounds):
            if wrapped is not None and self.plan.takes(ours.NAME) and ours.NAME not in absent:
                self.turn(model, wrapped.served(), turn)
                self.loops(model, wrapped, places)
            for peer, place in places.values():
                if peer.name not in absent:
                    place.port = free_port()
                    try:
                        self.turn(model, self.served(peer, place), turn)
                    except Failed as error:
                        absent[peer.name] = str(error)
        for name in absent:
            sittings.pop(name, None)

    def turn(self, model: Model, served: Served, turn: int) -> None:
        self.say(f"{model.name}: {served.name}, round {turn + 1} of {self.plan.rounds}")
        folder = self.work / "servers" / model.name / served.name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            found = sit(served, model, self.plan.loads, self.plan.seconds, self.plan.warm, folder)
        except (Failed, RuntimeError, OSError) as error:
            self.results.absent[model.name][served.name] = str(error)
            self.say(f"{model.name}: {served.name} is out: {str(error)[:500]}")
            if self.logs and (folder / "log.txt").is_file():
                self.logs.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / "log.txt", self.logs / f"{model.name}-{served.name}.txt")
            return
        self.results.sittings[model.name].setdefault(served.name, []).append(found)

    def loops(self, model: Model, wrapped: ours.Wrapped, places: dict[str, tuple[Peer, Place]]) -> None:
        """The model without HTTP: ours as it serves, and the expert's ONNX file."""
        sizes = sorted({one.rows for one in self.plan.loads})
        runs: dict[str, Callable[[int], dict[str, Any]]] = {
            "loop": lambda rows: ours.loop(model, wrapped, rows, self.plan.seconds)
        }
        if "expert" in places:
            place = places["expert"][1]
            script = str(SERVERS / "loop_onnx.py")
            runs["loop-onnx"] = lambda rows: ours.measured_loop(
                [place.python, script, str(rows), str(self.plan.seconds)], place.work, place.variables()
            )
        for name, run in runs.items():
            if not self.plan.takes(name) or name in self.results.absent[model.name]:
                continue
            try:
                by_size = {rows: run(rows) for rows in sizes}
            except Failed as error:
                self.results.absent[model.name][name] = str(error)
                continue
            # Nobody waits for anybody there: the same figures stand beside every concurrency.
            found = {str(one): by_size[one.rows] for one in self.plan.loads}
            self.results.sittings[model.name].setdefault(name, []).append({"loads": found})

    # -- peers -------------------------------------------------------------------------------------

    def place(self, peer: Peer, model: Model, wrapped: ours.Wrapped | None) -> Place:
        """Environment, folder and files of a peer.

        Raises:
            NotInstalled, Failed: with the reason.
        """
        env = environments.prepare(peer.name, peer.wants(model.name), self.say)
        work = self.work / "servers" / model.name / peer.name
        work.mkdir(parents=True, exist_ok=True)
        place = Place(model, env, work, free_port())
        if peer.kind == "expert":
            place.onnx = (wrapped.onnx if wrapped else None) or self.export(model)
        self.say(f"{model.name}: preparing {peer.name}")
        peer.prepare(place)
        return place

    def export(self, model: Model) -> Path:
        """An ONNX file of the model, where ours serves none that could be shared."""
        target = self.work / "onnx" / f"{model.name}.onnx"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            network = model.form == "tensor"
            libraries = ["torch"] if network else ["scikit-learn", "joblib", "lightgbm"]
            wanted = [*EXPORT, *environments.versions(*libraries)]
            env = environments.prepare("export-torch" if network else "export", wanted, self.say)
            place = Place(model, env, target.parent, 0)
            place.run(place.python, str(SERVERS / "onnx_export.py"), str(target))
        return target

    def served(self, peer: Peer, place: Place) -> Served:
        if peer.ported:
            peer.ported(place)
        return Served(
            peer.name,
            peer.command(place),
            place.work,
            {**place.variables(), **peer.env},
            peer.form,
            place.port,
        )

    # -- starts ------------------------------------------------------------------------------------

    def starts(self, model: Model) -> None:
        """Click to first answer, ours and ``bentoml serve`` by hand; not pinned, as nobody pins a click."""
        found = self.results.starts
        for turn in range(self.plan.rounds):
            self.say(f"starts, round {turn + 1} of {self.plan.rounds}")
            if self.plan.takes(ours.NAME):
                try:
                    told = ours.wrap(model, self.work / f"starts-{turn}", starts=True).told
                    for name in ("predict", "cold", "warm"):
                        found.setdefault(name, []).append(told[name])
                except Failed as error:
                    self.results.missed["ekiben"] = str(error)
            if self.plan.takes("bentoml"):
                try:
                    found.setdefault("bentoml", []).append(self.by_hand(model))
                except (Failed, NotInstalled) as error:
                    self.results.missed["bentoml"] = str(error)

    def by_hand(self, model: Model) -> float:
        """Seconds from ``bentoml serve`` to its first answer.

        Raises:
            Failed: it does not start.
        """
        peer = next(one for one in PEERS if one.name == "bentoml")
        place = self.place(peer, model, None)
        place.port = free_port()
        served = self.served(peer, place)
        body = served.form.encode(model, model.rows[:1])
        with Process(served.command, served.cwd, served.env, place.work / "start.txt", pin=False) as process:
            return wait_answered(process, served.form.url(model, served.port), body)


def clean(work: Path) -> None:
    """Takes the folder of a run away; what a dying server still writes does not matter."""
    for _ in range(3):
        shutil.rmtree(work, ignore_errors=True)
        if not work.exists():
            return
        time.sleep(0.5)
