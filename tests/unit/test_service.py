"""Real services in processes of their own: started, found again, refused bad input, stopped whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import Request, urlopen

import ekiben
import numpy
import psutil
import pytest
from ekiben import paths, service
from ekiben.errors import EkibenError, InvalidRows, NotFound, ReplayMismatch, ServiceFailed
from ekiben.project import render, write
from ekiben.words import _, speaking
from models import applicants, iris
from rig.waiting import free_port, until


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return ekiben.wrap(model, X, name="served")


@pytest.fixture(scope="module")
def server(box):
    with box.serve() as started:
        yield started


def call(server, body: bytes, path: str = "/predict", language: str = "en"):
    """The raw HTTP answer: status and body."""
    host = server.url.removeprefix("http://")
    connection = HTTPConnection(host, timeout=120)
    headers = {"Content-Type": "application/json", "Accept-Language": language}
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_text_categories_answer_over_http_exactly_as_in_the_kernel(box, server):
    model, X = applicants()
    outputs = server.predict(X).outputs
    assert outputs["predictions"] == model.predict(X).tolist()
    # Compiled: the last digit of a double may differ.
    numpy.testing.assert_allclose(outputs["probabilities"], model.predict_proba(X), rtol=1e-12, atol=1e-15)
    assert server.replay().worst < 1e-15
    assert box.try_rows([box.contract.golden.rows[0]]).through == server.url


@pytest.mark.slow
def test_wrapped_iris_answers_over_http_exactly_as_in_the_kernel():
    model, X = iris()
    with ekiben.wrap(model, X, name="iris").serve() as server:
        outputs = server.predict(X).outputs
    assert outputs["predictions"] == model.predict(X).tolist()
    assert outputs["probabilities"] == model.predict_proba(X).tolist()


@pytest.mark.slow
def test_the_native_form_answers_over_http_to_the_last_bit():
    model, X = applicants()
    box = ekiben.wrap(model, X, name="native-form", compiled=False)
    with box.serve() as server:
        outputs = server.predict(X).outputs
        assert server.replay().worst == 0
    assert outputs["predictions"] == model.predict(X).tolist()
    assert outputs["probabilities"] == model.predict_proba(X).tolist()


def changed(server, **changes):
    return json.dumps({"rows": [{**server.contract.golden.rows[0], **changes}]}).encode()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"age": "forty"}, "$.rows[0].age"),
        ({"age": float("nan")}, "$.rows[0].age"),
        ({"city": "Rome"}, "$.rows[0].city"),
    ],
)
def test_bad_values_get_400_with_place_and_remedy(server, changes, path):
    status, body = call(server, changed(server, **changes))
    assert status == 400
    assert body["problems"][0]["path"] == path
    assert body["problems"][0]["remedy"]
    assert body["error"].startswith(path)


def test_a_missing_field_an_empty_list_and_rubbish_get_400(server):
    row = dict(server.contract.golden.rows[0])
    del row["age"]
    status, body = call(server, json.dumps({"rows": [row]}).encode())
    assert (status, body["problems"][0]["code"]) == (400, "missing_field")
    for content, code in (
        (b'{"rows": []}', "empty_rows"),
        (os.urandom(1000), "not_json"),
        (b"[" * 10**6, "not_json"),
    ):
        status, body = call(server, content)
        assert (status, body["problems"][0]["code"]) == (400, code)


def test_ten_megabytes_of_rubbish_get_413(server):
    request = Request(f"{server.url}/predict", os.urandom(10_000_000), {"Content-Type": "application/json"})
    with pytest.raises(Exception) as caught:
        urlopen(request, timeout=120)
    # The answer comes before the body was read to its end; a client may see either of the two.
    assert getattr(caught.value, "code", 413) == 413
    assert server.replay().passed


def test_ten_megabytes_sent_in_chunks_get_413(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=120)
    try:
        connection.request("POST", "/predict", (b" " * 100_000 for _ in range(90)), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})  # fmt: skip
        response = connection.getresponse()
        body = json.loads(response.read())
    finally:
        connection.close()
    assert response.status == 413
    assert body["problems"][0]["code"] == "too_large"


def test_the_answer_speaks_the_clients_language(server):
    _status, body = call(server, b'{"rows": []}', language="zh-CN,zh;q=0.9")
    assert body["problems"][0]["message"] == "没有任何行。"


def test_the_handle_raises_what_the_service_refused(server):
    with pytest.raises(InvalidRows, match="was not in the sample") as caught:
        server.predict({**server.contract.golden.rows[0], "city": "Rome"})
    assert caught.value.where == "$.rows[0].city"


def test_its_pages_name_no_other_host(server):
    with urlopen(f"{server.url}/") as response:
        page = response.read().decode()
    assert "<script" not in page and "http://HOST:PORT" in page
    assert "http" not in page.replace("http://HOST:PORT", "")
    with urlopen(f"{server.url}/contract") as response:
        assert json.load(response) == server.contract.to_json()
    with urlopen(f"{server.url}/docs.json") as response:
        described = json.load(response)
    assert "Lima" in json.dumps(described["components"]["schemas"]["Row"])
    model = server.record.model.partition(":")[0]
    asked = 0
    for path, methods in described["paths"].items():
        # What the page shows is taken as it stands.
        for method, told in methods.items():
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            asked += body is not None
            sent = None if method == "get" else json.dumps(body).encode()
            request = Request(f"{server.url}{path}", sent, {"Content-Type": "application/json"})
            with urlopen(request) as response:
                assert response.status == 200
    assert asked >= 5 and {f"/v1/models/{model}:classify", "/ping", "/metrics"} <= described["paths"].keys()


def test_bentomls_own_client_works(box, server):
    import bentoml

    rows = list(box.contract.golden.rows[:2])
    with bentoml.SyncHTTPClient(server.url) as client:
        answer = client.predict(rows=rows)
    assert answer["predictions"] == box.contract.golden.answers["predictions"][:2]


def test_another_process_finds_it_and_the_command_line_lists_it(server):
    code = "import ekiben; print([s.record.id for s in ekiben.running()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert server.record.id in done.stdout
    assert service.find(server.record.id).url == server.url
    assert service.find("served").url == server.url
    with pytest.raises(NotFound):
        service.find("nobody")


def test_a_tampered_golden_example_is_told_with_both_answers(box, server):
    golden = box.contract.golden
    other = "refused" if golden.answers["predictions"][3] == "approved" else "approved"
    answers = {**golden.answers, "predictions": [*golden.answers["predictions"]]}
    answers["predictions"][3] = other
    handle = service.RunningServer(server.record)
    handle._contract = replace(box.model.contract, golden=replace(golden, answers=answers))
    with pytest.raises(ReplayMismatch, match="1 of 48") as caught:
        handle.replay()
    entry = caught.value.replay.mismatches[0]
    assert (entry.row, entry.expected, entry.got) == (3, other, golden.answers["predictions"][3])


@pytest.mark.slow
def test_stop_ends_every_process_and_the_record_and_keeps_the_log(box):
    started = box.serve()
    family = [
        psutil.Process(started.record.pid),
        *psutil.Process(started.record.pid).children(recursive=True),
    ]
    started.stop()
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]
    assert started.record.id not in [record.id for record in service.servers()]
    assert "startup complete" in started.log()
    started.stop()
    with pytest.raises(ServiceFailed):
        started.predict(box.contract.golden.rows[0])


@pytest.mark.slow
def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(box, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    golden = box.contract.golden
    with box.serve() as started:
        assert started.predict(golden.rows[0]).outputs["predictions"] == golden.answers["predictions"][:1]
        assert started.watch()["rows"] > 0
        command = [sys.executable, "-m", "runtime.replay", box.model.folder, "--url", started.url]
        done = subprocess.run(command, cwd=box.project.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("warm", ["0", "1"])
def test_its_record_and_log_are_their_owners_alone(box, monkeypatch, warm):
    monkeypatch.setenv("EKIBEN_WARM", warm)
    with box.serve() as started:
        files = [service._file(started.record.id), Path(started.record.log)]
        assert [file.stat().st_mode & 0o077 for file in files] == [0, 0]


def test_a_log_that_another_process_removes_meanwhile_is_no_trouble(tmp_path):
    assert service._changed(tmp_path / "gone.log") == 0.0


@pytest.mark.slow
def test_what_was_stopped_elsewhere_is_no_station_that_could_fail(box):
    started = box.serve()
    service.find(started.record.id).stop()
    assert {replay.station for replay in box.verify(image=False)} >= {"kernel", "process"}


@pytest.mark.slow
def test_two_services_of_one_model_do_not_disturb_each_other(box, server):
    with box.serve() as other:
        assert other.url != server.url
        assert other.replay().passed
    assert server.replay().passed


@pytest.mark.slow
def test_a_service_outlives_its_kernel_and_stays_listed(box):
    """The parent is killed without warning; the service goes on and anybody can stop it."""
    code = (
        "import ekiben, os, signal, sys\n"
        f"server = ekiben.open_box({box.model.tag!r}).serve()\n"
        "print(server.record.id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    orphan = service.find(done.stdout.split()[-1])
    assert orphan.record.state == "ready"
    assert orphan.replay().passed
    orphan.stop()
    assert not paths.alive(orphan.record.pid, orphan.record.birth)


@pytest.mark.slow
def test_a_service_that_is_killed_is_told_as_failed_until_dismissed(box):
    started = box.serve()
    os.kill(started.record.pid, signal.SIGKILL)
    until(lambda: not paths.alive(started.record.pid, started.record.birth))
    told = service.find(started.record.id).record
    assert told.state == "failed" and told.message
    service.forget(started.record.id)
    with pytest.raises(NotFound):
        service.find(started.record.id)


def test_a_running_service_cannot_be_forgotten(server):
    with pytest.raises(EkibenError, match="still runs"):
        service.forget(server.record.id)


def broken(box, tmp_path: Path, line: str):
    """The project with a line of trouble at the end of its service."""
    project = render(box.model)
    files = {**project.files, "service.py": project.files["service.py"] + f"\n{line}\n"}
    return write(replace(project, files=files), tmp_path / "broken")


def test_a_crash_on_start_tells_the_logs_end_and_leaves_nothing(box, tmp_path):
    project = broken(box, tmp_path, "raise RuntimeError('the cat is on the keyboard')")
    with pytest.raises(ServiceFailed, match="the cat is on the keyboard"):
        service.start(project, box.model)
    left = [record for record in service.servers() if record.project == project.folder]
    assert [record.state for record in left] == ["failed"]
    for language in ("en", "zh_CN"):  # in its reader's language, whoever started it
        with speaking(language):
            told = service.find(left[0].id).record.message
            assert told == _("The service ended while it was starting.")
    assert told != "The service ended while it was starting."
    assert not paths.alive(left[0].pid, left[0].birth)
    service.forget(left[0].id)


@pytest.mark.slow
def test_a_hung_start_is_ended_in_time(box, tmp_path):
    project = broken(box, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(ServiceFailed, match="not ready within 4 s"):
        service.start(project, box.model, timeout=4)
    left = [record for record in service.servers() if record.project == project.folder]
    assert not paths.alive(left[0].pid, left[0].birth)
    service.forget(left[0].id)


@pytest.mark.slow
def test_bentoml_serve_and_build_work_by_hand_without_ekiben(box, tmp_path):
    """The project alone, with an `ekiben` that cannot be imported."""
    folder = Path(write(render(box.model), tmp_path / "service").folder)
    stand_in = tmp_path / "without"
    stand_in.mkdir()
    (stand_in / "ekiben.py").write_text("raise ImportError('ekiben is not installed here')")
    environment = {**os.environ, "PYTHONPATH": str(stand_in)}
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "-o", "tag"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    assert "__tag__:served:" in built.stdout
    served_by_hand(box, [], folder, environment)


@pytest.mark.slow
def test_a_bento_with_its_model_inside_serves_in_an_empty_home(box, tmp_path):
    """A bento's folder as a container has it: the model beside the sources, nothing in the store."""
    folder = Path(write(render(box.model), tmp_path / "bento" / "src").folder)
    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "-o", "tag"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, _colon, version = built.stdout.split("__tag__:")[1].strip().partition(":")
    bento = tmp_path / "whole"
    shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "bentos" / name / version, bento)
    name, _colon, version = box.model.tag.partition(":")
    shutil.copytree(box.model.folder, bento / "models" / name / version)
    (bento / "models" / name / "latest").write_text(version)
    served_by_hand(box, [str(bento)], tmp_path, {**os.environ, "BENTOML_HOME": str(tmp_path / "home")})


def served_by_hand(box, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    """`bentoml serve` in `folder` answers the golden examples as they were."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", *arguments, "--port", str(port)],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    birth = paths.process_birth(process.pid)
    try:
        service.wait_ready(f"http://127.0.0.1:{port}", lambda: "it ended" if process.poll() else None, 300)
        assert service.replay_http(f"http://127.0.0.1:{port}", box.contract).passed
    finally:
        paths.stop_tree(process.pid, birth)
        process.wait()


def test_a_service_whose_model_is_gone_does_not_start(box, tmp_path):
    """A server that takes a lifespan for granted would else go on, never ready and without a word."""
    project = Path(write(render(box.model), tmp_path / "orphan").folder)
    code = "import asyncio, runtime.gate as g\nasync def receive(): return {'type': 'lifespan.startup'}\n"
    code += "async def send(message): print(message['type'], message['message'])\n"
    code += f"gate = g.Gate(None, 'contract.json', {box.model.tag!r})\n"
    code += "asyncio.run(gate({'type': 'lifespan'}, receive, send))\n"
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("lifespan.startup.failed FileNotFoundError: The BentoML store has no model")
    assert str(tmp_path / "home") in done.stdout


def test_bentoml_is_imported_when_a_route_of_its_own_is_asked(box):
    with box.serve() as server:
        maps = f"/proc/{server.record.pid}/maps"
        before = Path(maps).read_text() if Path(maps).is_file() else ""
        with urlopen(f"{server.url}/schema.json") as answer:
            assert "/predict" in [route["route"] for route in json.load(answer)["routes"]]
        with urlopen(f"{server.url}/metrics") as answer:
            page = answer.read().decode()
        assert 'ekiben_requests_total{protocol="predict",status="200"} 1.0' in page
        assert "pydantic_core" not in before


def test_an_edited_service_answers_for_itself(box, tmp_path):
    project = replace(box.project, folder=str(tmp_path / "edited"))
    shutil.copytree(box.project.folder, project.folder)
    file = Path(project.folder) / "service.py"
    text = file.read_text(encoding="utf-8")
    changed = text.replace(
        "return self.predictor.respond(rows)", 'return {"predictions": ["mine"] * len(rows)}'
    )
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    with service.start(project, box.model) as server:
        body = json.dumps({"rows": box.contract.golden.to_json()["rows"][:2]}).encode()
        with urlopen(f"{server.url}/predict", body) as answer:
            assert json.load(answer)["predictions"] == ["mine", "mine"]
