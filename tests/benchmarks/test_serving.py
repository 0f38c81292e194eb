"""The comparison of servers measures what it says: a short one with what is installed here, for real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rig.waiting import free_port, until

sys.path.insert(0, str(Path(__file__).parent))
from serving import cli, forms, load, ours, processes, sitting
from serving.contest import Contest, Plan, Results, about
from serving.goals import goals
from serving.models import Model, make
from serving.peers import SERVERS, Failed
from serving.sitting import Load, Served, sit
from serving.summary import summarize

pytestmark = pytest.mark.slow  # and needs wrk, which `make machine` installs

PLAN = Plan(loads=[Load(4, 1), Load(2, 100)], seconds=1, warm=0, rounds=1)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    yield make("iris", tmp_path_factory.mktemp("models") / "iris")


def constant(model: Model, *, checked: bool) -> Served:
    port = processes.free_port()
    command = [sys.executable, "-m", "uvicorn", "floor_asgi:app", "--port", str(port), "--no-access-log"]
    form = forms.ROWS if checked else forms.CONSTANT
    return Served("uvicorn", command, SERVERS, {"PYTHONPATH": str(SERVERS)}, form, port)


def test_ours_and_a_bare_server_end_in_a_table_with_ratios(iris: Model, tmp_path: Path) -> None:
    assert load.trouble() is None
    wrapped = ours.wrap(iris, tmp_path / "ours")
    results = Results(about(PLAN), forms={"iris": wrapped.running})
    for served in (wrapped.served(), constant(iris, checked=False)):
        folder = tmp_path / served.name
        folder.mkdir()
        found = sit(served, iris, PLAN.loads, PLAN.seconds, PLAN.warm, folder)
        assert processes.is_free(served.port)
        assert found["ready"] > 0 and found["megabytes"] > 5
        for figures in found["loads"].values():
            assert figures["errors"] == 0 and figures["requests"] > 0
            assert 0 < figures["p50"] <= figures["p99"]
        results.sittings.setdefault("iris", {})[served.name] = [found]

    summary = summarize(results)
    rate = {name: one["loads"]["4x1"]["rate"] for name, one in summary["iris"].items()}
    against_floor = next(goal for goal in goals(summary, {}) if "bare uvicorn" in goal.text)
    assert against_floor.ratio == pytest.approx(rate["ekiben"] / rate["uvicorn"])
    assert against_floor.reached == (against_floor.ratio >= 0.65)
    unmeasured = [goal for goal in goals(summary, {}) if goal.reached is None]
    assert any("LightGBM" in goal.text for goal in unmeasured)

    data, text = cli.told(results)
    assert json.loads(json.dumps(data))["summary"]["iris"].keys() == {"ekiben", "uvicorn"}
    assert wrapped.running == "NumPy"
    assert f"| **ekiben** (NumPy) | {rate['ekiben']:,.0f}" in text and "4x1 uvicorn" in text


def test_a_goal_tells_what_a_constant_answer_would_reach() -> None:
    def loads(alone: float, together: float) -> dict[str, Any]:
        rates = {"1x1": alone, "16x1": together}
        return {"loads": {load: {"rate": rate, "p99": 1.0, "errors": 0} for load, rate in rates.items()}}

    contenders = {"ekiben": loads(6000, 30000), "uvicorn": loads(8000, 40000), "kserve": loads(200, 300)}
    summary = {"pipeline": contenders}
    (goal,) = [one for one in goals(summary, {}) if "text pipeline" in one.text]
    assert (goal.ratio, goal.where, goal.floor, goal.reached) == (30, "pipeline 1x1 kserve", 40, False)


def test_a_server_that_answers_wrongly_is_no_peer(iris: Model, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="1 answers to 100 rows"):
        sit(constant(iris, checked=True), iris, PLAN.loads, 1, 0, tmp_path)


def test_a_server_that_ends_or_is_missing_is_told_in_the_table(iris: Model, tmp_path: Path) -> None:
    contest = Contest(PLAN, tmp_path, lambda line: None)
    contest.results.sittings["iris"] = {}
    contest.results.absent["iris"] = {}
    command = [sys.executable, "-c", "raise SystemExit('no licence')"]
    served = Served("flask", command, tmp_path, {}, forms.ROWS, processes.free_port())
    contest.turn(iris, served, 0)
    assert "no licence" in contest.results.absent["iris"]["flask"]
    contest.results.sittings["iris"]["uvicorn"] = [{"loads": {}}]
    assert "- Flask + gunicorn: ended while it was starting: no licence" in cli.told(contest.results)[1]


def test_a_worker_that_leaves_its_session_and_parent_is_ended_too(tmp_path: Path) -> None:
    port = free_port()
    worker = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {worker!r}], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
    )
    log = tmp_path / "log.txt"
    with processes.Process([sys.executable, "-c", parent], tmp_path, {}, log, pin=False) as process:
        until(lambda: not processes.is_free(port))
        child = int(log.read_text().split()[0])
        assert child in {one.pid for one in process.tree()}
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert processes.is_free(port)


def test_the_command_says_what_it_takes() -> None:
    script = Path(__file__).with_name("run.py")
    done = subprocess.run(
        [sys.executable, str(script), "serving", "--only", "iris,apache"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "nothing is called apache" in done.stderr
    assert sitting.Load.parse("16x100") == Load(16, 100)
