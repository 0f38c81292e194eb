"""Who may ask, what is logged, counted and kept: units, and one service with everything switched on."""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy
import pytest
from ekiben.errors import ServiceFailed
from ekiben.rows import wire_rows
from ekiben.runtime.drift import LEAST, Drift, psi
from ekiben.runtime.guard import guard
from ekiben.runtime.journal import Journal, marks
from ekiben.runtime.recorder import recorder
from ekiben.runtime.settings import Settings
from models import applicants
from rig.boxes import kept
from rig.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return kept(model, X, "operated")


def test_the_index_is_the_formula_and_grows_with_the_shift():
    expected, seen = [50.0, 30.0, 20.0], [20.0, 30.0, 50.0]
    shares = [(e + 0.5) / 101.5 for e in expected], [(s + 0.5) / 101.5 for s in seen]
    by_hand = sum((s - e) * numpy.log(s / e) for e, s in zip(*shares, strict=True))
    assert psi(expected, seen) == pytest.approx(by_hand)
    assert psi(expected, expected) == 0


def test_drift_is_low_on_the_sample_and_high_where_a_field_moved(box):
    contract = box.contract.to_json()
    rows, _warnings = box.predictor.check(wire_rows(applicants()[1], box.contract))
    age = [field["name"] for field in contract["inputs"]].index("age")
    same, moved = Drift(contract), Drift(contract)
    assert len(rows) >= LEAST
    for _turn in range(2):
        same.offer(rows)
        moved.offer([(*row[:age], 89, *row[age + 1 :]) for row in rows])
        same.turn()
        moved.turn()
    told = {entry["name"]: entry["psi"] for entry in same.told(same.figures())}
    assert max(told.values()) < 0.05 and {"age", "city", "income", "plan"} <= told.keys()
    after = {entry["name"]: entry["psi"] for entry in moved.told(moved.figures())}
    assert after["age"] > 1
    assert {name: told[name] for name in told if name != "age"} == {
        name: after[name] for name in after if name != "age"
    }
    assert Drift(contract).told(Drift(contract).figures())[0]["psi"] is None


def test_a_requests_id_is_the_clients_the_traces_or_made_and_never_forged():
    parent = f"00-{TRACE}-00f067aa0ba902b7-01".encode()
    assert marks([(b"x-request-id", b"abc-1"), (b"traceparent", parent)]) == ("en", b"abc-1")
    assert marks([(b"accept-language", b"zh-CN"), (b"traceparent", parent)]) == ("zh", TRACE.encode())
    made = {marks([(b"x-request-id", b'a" 200\x1b')])[1] for _ in range(3)}
    assert len(made) == 3 and all(re.fullmatch(rb"[0-9a-f]+", one) for one in made)


def test_the_log_for_people_is_short_under_load_and_json_is_whole(capsys):
    for form in ("text", "json", "quiet"):
        journal = Journal(form)
        for number in range(200):
            journal.add(b"%d" % number, "POST", "/predict", 500 if number == 150 else 200, 0.001, b"secret")
        journal.turn()
        told = capsys.readouterr().err
        assert "secret" not in told
        lines = told.splitlines()
        if form == "text":
            assert lines[-1] == "and 150 more requests" and len(lines) == 51
            assert any(" 500 POST /predict 1.0 ms 150" in line for line in lines)
        elif form == "json":
            assert [json.loads(line)["request"] for line in lines] == [str(n) for n in range(200)]
        else:
            assert not lines
    journal = Journal("json", payloads=True)
    journal.add(b"1", "POST", "/predict", 200, 0.001, b'{"rows": [1]}')
    journal.turn()
    assert json.loads(capsys.readouterr().err)["body"] == '{"rows": [1]}'


def scope(path: str = "/predict", method: str = "POST", **headers: str):
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "method": method, "headers": sent}


def test_a_key_from_the_environment_or_a_file_opens_and_health_is_free(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# two people\nalpha\nbeta\n")
    found = guard({"EKIBEN_API_KEY": "gamma", "EKIBEN_API_KEY_FILE": str(file)})
    for key in ("alpha", "beta", "gamma"):
        assert not found.refuses(scope(authorization=f"Bearer {key}"))
        assert not found.refuses(scope(x_api_key=key))
    for sent in ({}, {"x_api_key": "delta"}, {"authorization": "Basic alpha"}, {"x_api_key": "# two people"}):
        assert found.refuses(scope(**sent))
    assert not found.refuses(scope("/readyz", "GET")) and found.refuses(scope("/metrics", "GET"))
    reply = found.refusal(scope(content_type="application/grpc"), "en")
    assert dict(reply.trailers)[b"grpc-status"] == b"16"
    assert guard({}) is None
    file.write_text("# nobody\n")
    with pytest.raises(ValueError, match="holds no key"):
        guard({"EKIBEN_API_KEY_FILE": str(file)})


def test_keys_follow_their_file_through_links_and_outlive_its_loss(tmp_path, caplog, monkeypatch):
    """As Kubernetes mounts a secret: the file is a link into a folder that is a link, which is turned."""
    monkeypatch.setattr(logging.getLogger("ekiben"), "propagate", True)
    for name, key in (("one", "alpha"), ("two", "beta")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"{key}\n")
    link, file = tmp_path / "..data", tmp_path / "key"
    link.symlink_to("one")
    file.symlink_to("..data/key")
    found = guard({"EKIBEN_API_KEY": "mine", "EKIBEN_API_KEY_FILE": str(file)})

    def taken() -> set[str]:
        found.turn()
        return {key for key in ("mine", "alpha", "beta", "delta") if not found.refuses(scope(x_api_key=key))}

    assert taken() == {"mine", "alpha"}
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert taken() == {"mine", "beta"}
    link.unlink()
    assert taken() == {"mine", "beta"} and "stay as they were" in caplog.text
    link.symlink_to("two")
    for content in (b"# nobody\n", b"\xff\n"):
        (tmp_path / "two" / "key").write_bytes(content)
        caplog.clear()
        assert taken() == taken() == {"mine", "beta"}
        assert caplog.text.count("stay as they were") == 1
    (tmp_path / "two" / "key").write_text("delta")
    assert taken() == {"mine", "delta"}


@pytest.mark.slow
def test_a_running_service_takes_a_turned_key_and_refuses_the_old_one(box, tmp_path, monkeypatch):
    file = tmp_path / "key"
    file.write_text("alpha")
    monkeypatch.setenv("EKIBEN_API_KEY_FILE", str(file))
    with box.serve() as server:
        body = json.dumps({"rows": list(box.contract.golden.rows)}).encode()
        assert ask(server, body, X_API_Key="alpha")[0] == 200
        (tmp_path / "next").write_text("beta")
        (tmp_path / "next").replace(file)
        until(lambda: ask(server, body, X_API_Key="beta")[0] == 200)
        assert ask(server, body, X_API_Key="alpha")[0] == 401
        assert server.replay().passed
        file.unlink()
        until(lambda: "stay as they were" in server.log(200))
        assert ask(server, body, X_API_Key="beta")[0] == 200
        file.write_text("beta")


def test_settings_say_which_variable_is_wrong():
    assert Settings.read({"EKIBEN_WORKERS": "auto"}).workers >= 1
    for name, value in (("EKIBEN_WORKERS", "many"), ("EKIBEN_DRAIN", "0"), ("EKIBEN_LOG", "xml")):
        with pytest.raises(ValueError, match=name):
            Settings.read({name: value})


@pytest.mark.parametrize("parquet", [True, False])
def test_a_record_rotates_by_size_is_bounded_and_whole_at_the_end(box, tmp_path, monkeypatch, parquet):
    if not parquet:
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    folder = tmp_path / "kept"
    asked = {"EKIBEN_RECORD": str(folder), "EKIBEN_RECORD_MB": "0.001", "EKIBEN_RECORD_FILES": "3"}
    made = recorder(asked, box.contract.to_json())
    assert made
    rows, _warnings = box.predictor.check(list(box.contract.golden.rows))
    answers = box.predictor.run(rows)
    for _turn in range(5):
        made.add(rows, answers)
        made.turn(last=_turn == 4)
        time.sleep(0.001)
        made._since = -1e9  # time went by
        made.turn()
    files = sorted(folder.iterdir())
    assert len(files) == 3 and not any(file.suffix == ".part" for file in files)
    import pandas

    if parquet:
        frame = pandas.concat([pandas.read_parquet(file) for file in files])
    else:
        frame = pandas.concat([pandas.read_json(file, lines=True) for file in files])
    expected = list(box.contract.golden.answers["predictions"])
    assert frame["answer.predictions"].tolist()[: len(rows)] == expected
    assert frame["age"].tolist()[: len(rows)] == [row["age"] for row in box.contract.golden.rows]
    assert made.written == 5 * len(rows)
    made.add(rows * 2000, answers)
    assert made.dropped == len(rows) * 2000


@pytest.mark.parametrize("parquet", [True, False])
def test_a_record_keeps_fields_called_time_and_the_largest_whole_numbers(tmp_path, monkeypatch, parquet):
    if not parquet:
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    X = numpy.array([[0.5, 2**64 - 1], [1.5, 3]], dtype=object)
    kinds = {"time": ("number", "float64"), "id": ("integer", "uint64")}
    fields = [
        {"name": name, "kind": kind, "dtype": dtype, "shape": [], "categories": None}
        for name, (kind, dtype) in kinds.items()
    ]
    contract = {"input": "table", "inputs": fields, "golden": {"answers": {"predictions": [1.0]}}}
    made = recorder({"EKIBEN_RECORD": str(tmp_path)}, contract)
    assert made
    made.add(list(map(tuple, X)), {"predictions": [1.0, 2.0]})
    made.turn(last=True)
    assert (made.written, made.dropped) == (2, 0)
    (file,) = tmp_path.iterdir()
    import pandas

    if parquet:
        frame = pandas.read_parquet(file)
    else:
        frame = pandas.DataFrame(map(json.loads, file.read_text(encoding="utf-8").splitlines()))
    assert list(frame.columns) == ["_time", "time", "id", "answer.predictions"]
    assert frame["time"].tolist() == [0.5, 1.5]
    assert frame["id"].tolist() == [2**64 - 1, 3]


def test_a_record_of_images_is_bounded_by_their_pixels_and_told(tmp_path, monkeypatch):
    from ekiben.runtime import recorder as module
    from PIL import Image

    field = {"name": "photo", "kind": "image", "shape": [20, 10, 3], "categories": None, "dtype": "image"}
    contract = {"input": "images", "inputs": [field], "golden": {"answers": {"predictions": ["dark"]}}}
    made = recorder({"EKIBEN_RECORD": str(tmp_path)}, contract)
    assert made
    monkeypatch.setattr(module, "MOST_BYTES", 10 * (600 + module.VALUE))
    for _request in range(6):
        made.add([Image.new("RGB", (10, 20))] * 3, {"predictions": ["dark"] * 3})
    assert made.dropped == 9  # three requests of 3 × 600 bytes fit
    made.turn(last=True)
    assert (made.written, len(list(tmp_path.glob("*.parquet")))) == (9, 1)
    made.add([Image.new("RGB", (10, 20))], {"predictions": ["dark"]})
    monkeypatch.setattr(made, "folder", tmp_path / next(tmp_path.iterdir()).name / "no folder")
    with pytest.raises(OSError):
        made.turn(last=True)
    assert (made.written, made.dropped, made._file) == (9, 10, None)


@pytest.fixture(scope="module")
def operated(box, tmp_path_factory):
    """A service with a key in a file, JSON logs, a record, tracing and one origin."""
    folder = tmp_path_factory.mktemp("record")
    secret = tmp_path_factory.mktemp("secret") / "key"
    secret.write_text("open sesame\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "EKIBEN_API_KEY_FILE": str(secret),
            "EKIBEN_LOG": "json",
            "EKIBEN_SECONDS": "3",
            "EKIBEN_RECORD": str(folder),
            "EKIBEN_TRACING": "console",
            "EKIBEN_CORS_ORIGINS": "https://shop.example",
        }.items():
            patch.setenv(name, value)
        server = box.serve()
        yield server, folder
        server.stop()


def ask(server, body: bytes | None, path: str = "/predict", method: str | None = None, **headers: str):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(f"{server.url}{path}", body, sent, method=method)
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        return error.code, dict(error.headers), error.read()


def trickled(server, head: bytes, body: bytes) -> bytes:
    """What the service says to a body that stops halfway."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=120) as sock:
        sock.sendall(head + b"Host: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
        return sock.recv(65536)


@pytest.mark.slow
def test_one_service_with_everything_switched_on(box, operated):
    server, folder = operated
    body = json.dumps({"rows": list(box.contract.golden.rows)}).encode()
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    status, headers, told = ask(server, body)
    assert status == 401 and headers["www-authenticate"] == "Bearer" and b"no_key" in told
    key = "open sesame"
    status, headers, _told = ask(
        server, body, X_API_Key=key, Origin="https://shop.example", X_Request_Id="r-17", traceparent=parent
    )
    assert status == 200 and headers["x-request-id"] == "r-17"
    assert headers["access-control-allow-origin"] == "https://shop.example"
    assert (
        "access-control-allow-origin" not in ask(server, body, X_API_Key=key, Origin="https://x.example")[1]
    )
    status, headers, _told = ask(
        server, None, method="OPTIONS", Origin="https://shop.example", Access_Control_Request_Method="POST"
    )
    assert status == 204 and "POST" in headers["access-control-allow-methods"]
    assert b" 408 " in trickled(server, b"POST /predict HTTP/1.1\r\nX-API-Key: open sesame\r\n", body)
    broken = json.dumps({"rows": [{**box.contract.golden.rows[0], "age": "old"}]}).encode()
    assert ask(server, broken, Authorization=f"Bearer {key}", X_Request_Id="r-18")[0] == 400
    for _turn in range(3):
        ask(server, body, X_API_Key=key)

    def counted() -> str | None:
        """The page, when drift was counted too, which a thread does aside."""
        told = ask(server, None, "/metrics", X_API_Key=key)[2].decode()
        return told if re.search(r'ekiben_drift_psi\{field="age"\} 0\.', told) else None

    page = until(counted)
    assert 'ekiben_problems_total{code="wrong_type",field="age"} 1.0' in page
    assert float(re.search(r"^ekiben_memory_bytes (\S+)", page, re.MULTILINE)[1]) > 10e6
    watched = json.loads(ask(server, None, "/watch", X_API_Key=key)[2])
    assert watched["rows"] >= 5 * 48 and watched["drift"][0]["name"] == "age"
    # Whatever asks from here reads the file too; where there is none, the error says what to set.
    assert server.replay().passed and server.watch()["recorded"] >= 0
    assert len(server.predict(applicants()[1][:2]).outputs["predictions"]) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EKIBEN_API_KEY_FILE")
        for asked in (server.watch, lambda: server.predict(applicants()[1][:2])):
            with pytest.raises(ServiceFailed, match="asks for an API key") as caught:
                asked()
            assert "EKIBEN_API_KEY_FILE" in caught.value.remedy
    page = ask(server, None, "/metrics", X_API_Key=key)[2].decode()
    assert "ekiben_unrecorded_rows_total 0.0" in page
    server.stop()
    log = server.log(5000)
    assert body.decode()[:40] not in log
    found = []
    for line in log.splitlines():
        if line.startswith('{"time"'):
            found.append(json.loads(line))
    by_id = {entry.get("request"): entry for entry in found}
    assert by_id["r-17"]["status"] == 200 and by_id["r-18"]["status"] == 400
    assert any("startup complete" in entry.get("message", "") for entry in found)
    assert TRACE in log and "00f067aa0ba902b7" in log  # the span, below the client's
    (file,) = folder.glob("*.parquet")
    import pandas

    frame = pandas.read_parquet(file)
    assert len(frame) >= 6 * 48
    assert frame["answer.predictions"].tolist()[:48] == list(box.contract.golden.answers["predictions"])
