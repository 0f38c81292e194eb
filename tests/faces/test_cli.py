"""The command line, as people call it: in a process of its own, at least once for each verb."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ekiben import __version__, cli, jobs, service
from ekiben.image import BuiltImage
from ekiben.records import Image, Model, Server
from rig.waiting import until

if TYPE_CHECKING:
    from ekiben.box import Box
    from ekiben.service import RunningServer
    from rig import Rig

COMMAND = [sys.executable, "-m", "ekiben"]
ROW = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}


def ekiben(
    *arguments: str, given: str | None = None, limit: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=limit,
    )


def here(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """The same in this process, for a process each would take a minute; ``main`` is all that the command runs.

    What it takes an interrupt for, as the process of a command may, is put back.
    """
    out, told = io.StringIO(), io.StringIO()
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with redirect_stdout(out), redirect_stderr(told), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(given))
        try:
            status = cli.main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            for number, handler in heard.items():
                signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), told.getvalue())


def listed(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    done = ekiben(*arguments, "--json", **environment) if environment else here(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    data: list[dict[str, Any]] = json.loads(done.stdout)
    return data


def test_version_and_help() -> None:
    assert ekiben("--version").stdout.strip() == f"ekiben {__version__}"
    assert "serve" in here("--help").stdout
    assert ekiben().returncode == 2
    assert here("stop").returncode == 2
    assert here("log", "x", "-n", "0").returncode == 2


def test_an_empty_home(fresh_home: Path) -> None:
    """In one process for all, and not in this: BentoML keeps the home that it was imported with."""
    told = {
        "ps": "No service is running.",
        "jobs": "No job is running.",
        "images": "No image was built yet.",
        "models": "No model was wrapped yet.",
    }
    code = f"from ekiben.cli import main\nfor verb in {[*told]}: assert main([verb]) == main([verb, '--json']) == 0"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [line for words in told.values() for line in (words, "[]")]


def test_a_listing_starts_quickly() -> None:
    """No BentoML behind ``ekiben ps``; of its own work, a busy machine is no failure of ours."""
    code = (
        "import sys; from ekiben.cli import main; main(['ps']); main(['jobs']);"
        "heavy = {'bentoml', 'numpy', 'pandas', 'sklearn', 'IPython', 'tornado'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    took = "import sys, time; from ekiben.cli import main; main(['ps']); sys.exit(time.process_time() > 2)"
    subprocess.run([sys.executable, "-c", took], check=True)


def test_models(iris_box: Box) -> None:
    found = [Model.from_json(one) for one in listed("models")]
    assert iris_box.model.tag in [one.tag for one in found]
    assert iris_box.model.tag in ekiben("models").stdout


def test_ps_and_log(iris_server: RunningServer) -> None:
    found = {one["id"]: Server.from_json(one) for one in listed("ps")}
    assert found[iris_server.record.id].state == "ready"
    row = next(line for line in ekiben("ps").stdout.splitlines() if iris_server.record.id in line)
    assert iris_server.url in row and "ready" in row
    whole = ekiben("log", iris_server.record.id).stdout
    assert iris_server.url in whole
    (last,) = here("log", iris_server.record.id, "-n", "1").stdout.splitlines()
    # Answers given meanwhile are noted down a moment later: the last line was one of those.
    again = here("log", iris_server.record.id).stdout.splitlines()
    assert last in again[len(whole.splitlines()) - 1 :]


def test_predict(iris_box: Box, iris_server: RunningServer, tmp_path: Path) -> None:
    expected = iris_box.predict([ROW]).outputs
    file = tmp_path / "rows.json"
    for data in ({"rows": [ROW]}, [ROW], ROW):
        file.write_text(json.dumps(data))
        for target in (iris_server.record.id, iris_box.model.tag):
            answer = json.loads(here("predict", target, str(file)).stdout)
            assert answer["predictions"] == expected["predictions"]
            assert answer["warnings"] == []
    for run in (here, ekiben):
        done = run("predict", "faces-iris", "-", given=json.dumps([ROW]))
        assert json.loads(done.stdout)["predictions"] == expected["predictions"]
    for typed in (json.dumps(ROW), json.dumps([ROW])):
        assert json.loads(here("predict", "faces-iris", typed).stdout)["predictions"]


@pytest.mark.slow
def test_predict_of_a_model_that_is_not_served(iris_box: Box) -> None:
    """Without a record of the service in the runtime directory the model itself answers."""
    done = ekiben("predict", "faces-iris", "-", given=json.dumps(ROW), JUPYTER_RUNTIME_DIR="/nonexistent")
    assert json.loads(done.stdout)["predictions"] == iris_box.predict([ROW]).outputs["predictions"]


def test_errors_say_what_where_and_the_remedy(iris_server: RunningServer, tmp_path: Path) -> None:
    done = ekiben(
        "predict", iris_server.record.id, "-", given=json.dumps([{**ROW, "petal width (cm)": "wide"}])
    )
    assert (done.returncode, done.stdout) == (1, "")
    what, where, remedy = done.stderr.splitlines()
    assert what.startswith("error: ") and "petal width (cm)" in where and remedy.startswith("  → ")
    several = here("predict", iris_server.record.id, "-", given=json.dumps([{}]))
    assert several.stderr.count("$.rows[0]") == 4
    done = here("predict", "faces-iris", str(tmp_path / "none.json"))
    assert done.returncode == 1 and "none.json" in done.stderr and '[{"age": 40}' in done.stderr
    what, where, remedy = here("predict", "faces-iris", '{"age": }').stderr.splitlines()
    assert "JSON: Expecting value" in what and where == "  JSON" and '[{"age": 40}' in remedy
    for given, told in (("rubbish", "JSON: Expecting value"), ("3", "no rows")):
        what, where, remedy = here("predict", "faces-iris", "-", given=given).stderr.splitlines()
        assert told in what and where == "  -" and '[{"age": 40}' in remedy
    for arguments in (["log", "nobody"], ["stop", "nobody"], ["serve", "nobody"], ["cancel", "abcd"]):
        done = here(*arguments)
        assert done.returncode == 1 and done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr


def test_errors_in_chinese() -> None:
    done = ekiben("cancel", "abcd", EKIBEN_LANG="zh_CN")
    assert done.returncode == 1 and not done.stderr.splitlines()[0].isascii()


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize(
    ("arguments", "english"),
    [
        ("", "Missing: VERB."),
        ("serve", "Missing: TAG."),
        ("nope", "There is no nope; there are: models, serve, "),
        ("serve a --timeout -3", "--timeout: a number of seconds, more than 0"),
        ("serve a --timeout x", "--timeout: a number of seconds, more than 0"),
        ("serve a b", "Unknown: b."),
        ("log a -n 0", "-n: a number of lines, 1 or more"),
        ("log a -n", "-n takes a value."),
        ("stop", "One of these is needed: ID --all."),
        ("stop --all a", "ID and --all exclude each other."),
        ("build a.ipynb -p alpha", "-p/--parameter takes 2 values."),
    ],
)
def test_a_wrong_command_line_is_told_in_the_persons_language(
    arguments, english, language, capsys, monkeypatch
):
    """In this process, for a process each would take a minute; ``main`` is all that the command runs."""
    monkeypatch.setenv("EKIBEN_LANG", language)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments.split())
    told = capsys.readouterr().err
    assert ended.value.code == 2 and "--help" in told.splitlines()[-1]
    assert (english in told) == (language == "en"), told
    if language == "zh_CN":
        assert all(not line.isascii() for line in (told.splitlines()[0], *told.splitlines()[-2:])), told


def test_help_is_in_the_persons_language(capsys, monkeypatch):
    monkeypatch.setenv("EKIBEN_LANG", "zh_CN")
    for verb in ((), ("serve",), ("build",)):
        with pytest.raises(SystemExit) as ended:
            cli.main([*verb, "--help"])
        told = capsys.readouterr().out
        assert ended.value.code == 0 and told.startswith("用法：")
        assert not re.search("usage|positional|options|show", told)


@pytest.mark.slow
def test_serve_in_the_foreground_until_ctrl_c(iris_box: Box) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", iris_box.model.tag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url, identity = process.stdout.readline().split()
    assert service.find(identity).url == url
    process.send_signal(signal.SIGINT)
    _out, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert identity not in [one.id for one in service.servers()]


@pytest.mark.slow
def test_serve_detached_and_stop(iris_box: Box) -> None:
    done = ekiben("serve", "faces-iris", "--detach")
    assert done.returncode == 0, done.stderr
    url, identity = done.stdout.split()
    record = service.find(identity).record
    assert (record.url, record.state) == (url, "ready")
    assert ekiben("stop", identity).returncode == 0
    assert identity not in [one.id for one in service.servers()]


@pytest.mark.slow
def test_serve_ends_when_it_is_stopped_elsewhere(iris_box: Box, fresh_home: Path) -> None:
    runtime = {
        "JUPYTER_RUNTIME_DIR": str(fresh_home / "runtime"),
        "BENTOML_HOME": str(bentoml_home(iris_box)),
    }
    process = subprocess.Popen(
        [*COMMAND, "serve", iris_box.model.tag],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **runtime},
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert ekiben("stop", "--all", **runtime).returncode == 0
    _out, told = process.communicate(timeout=300)
    assert process.returncode == 0 and "stopped" in told
    assert listed("ps", **runtime) == []


def bentoml_home(box: Box) -> Path:
    """The store that the box came from; its model lies in STORE/models/NAME/VERSION."""
    return Path(box.model.folder).parents[2]


def test_doctor() -> None:
    found = listed("doctor")
    assert any("BentoML" in one["message"] for one in found)
    assert {one["level"] for one in found} <= {"info", "warning"}
    lonely = ekiben("doctor", PATH="/nonexistent").stdout
    assert "warning  No container engine works here" in lonely and "→" in lonely


def test_build_without_an_engine(iris_box: Box) -> None:
    nowhere = {"PATH": "/nonexistent", "EKIBEN_BASE_IMAGE": "127.0.0.1:9/python:3"}
    done = ekiben("build", iris_box.model.tag, "-t", "faces-iris:1", **nowhere)
    assert done.returncode == 3 and "→" in done.stderr
    assert here("build", iris_box.model.tag, "-t", "Wrong Name").returncode == 2
    nameless = here("build", iris_box.model.tag)
    assert nameless.returncode == 2 and "An image needs a name" in nameless.stderr
    told = here("build", iris_box.model.tag, "--json")
    assert told.returncode == 2 and json.loads(told.stdout)["error"] == "An image needs a name: -t NAME:TAG"
    weighed = ekiben("build", iris_box.model.tag, "--dry-run", "--base", "127.0.0.1:9/python:3")
    assert weighed.returncode == 3 and "127.0.0.1:9 cannot be reached" in weighed.stderr


def test_jobs_and_cancel() -> None:
    code = (
        "import time; from ekiben.jobs import emit; emit('step', step=2, steps=3, message='waiting');"
        "time.sleep(600)"
    )
    job = jobs.start("build", "faces:1", [sys.executable, "-c", code])
    until(lambda: jobs.find(job.id).step)
    row = next(line for line in ekiben("jobs").stdout.splitlines() if job.id in line)
    assert "faces:1" in row and "2/3" in row and "waiting" in row
    assert "[2/3] waiting" in here("log", job.id).stdout
    assert "Cancelled" in ekiben("cancel", job.id).stderr
    assert next(one for one in listed("jobs") if one["id"] == job.id)["state"] == "cancelled"
    assert "Dismissed" in ekiben("cancel", job.id).stderr
    assert job.id not in [one["id"] for one in listed("jobs")]


def test_a_failing_build_says_why(iris_box: Box) -> None:
    """The job's process finds no such model; the command line tells what it told."""
    done = ekiben("build", "no-such-model", "-t", "faces-iris:1", "--events")
    event = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, event["event"], event["type"]) == (1, "error", "NotFound")


@pytest.mark.slow
@pytest.mark.container
def test_build_proves_an_image(iris_box: Box, container_rig: Rig) -> None:
    done = ekiben("build", iris_box.model.tag, "-t", "faces-iris:proven", limit=3600)
    assert done.returncode == 0, done.stderr
    assert "faces-iris:proven" in done.stdout and "proven" in done.stdout
    steps = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(steps) > 3
    layers = [line for line in done.stderr.splitlines() if line.startswith("  ✓ ")]
    assert any("Python packages" in line and " s · " in line for line in layers), done.stderr
    # A step that is over at once may be passed by; none comes late.
    numbers = [int(line[1 : line.index("/")]) for line in steps]
    assert numbers == sorted(numbers)
    made = next(image for image in listed("images") if image["reference"] == "faces-iris:proven")
    assert made["replay"]["mismatches"] == [] and made["replay"]["station"] == "image"
    job = next(job for job in listed("jobs") if job["subject"] == "faces-iris:proven")
    assert job["state"] == "done" and job["step"] == job["steps"]
    BuiltImage(Image.from_json(made)).remove()
    assert "faces-iris:proven" not in ekiben("images").stdout
