"""The Jupyter server's handlers, with a real service behind them."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from ekiben import jobs, paths, service
from ekiben.records import Contract, Job, Server
from ekiben.server.base import preferred
from jupyter_server.auth import Authorizer
from rig.waiting import until
from tornado.httpclient import HTTPClientError, HTTPResponse

if TYPE_CHECKING:
    from ekiben.box import Box
    from ekiben.service import RunningServer

Fetch = Callable[..., Awaitable[HTTPResponse]]
ROW = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
PATHS = [
    ("GET", "services"),
    ("DELETE", "services/x"),
    ("GET", "services/x/log"),
    ("POST", "services/x/predict"),
    ("GET", "services/x/contract"),
    ("GET", "services/x/watch"),
    ("GET", "jobs"),
    ("DELETE", "jobs/abcd"),
    ("GET", "jobs/abcd/log"),
    ("GET", "images"),
]


@pytest.fixture
def jp_fetch(jp_fetch: Fetch) -> Fetch:
    """As ``jp_fetch``, with a busy machine's time for an answer."""

    def fetch(*parts: str, **options: Any) -> Awaitable[HTTPResponse]:
        return jp_fetch(*parts, **{"request_timeout": 300, **options})

    return fetch


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"ekiben": True}}}


def body(response: HTTPResponse) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(response.body)
    return data


async def refused(fetch: Fetch, *path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(HTTPClientError) as caught:
        await fetch(*path, **options)
    assert caught.value.response is not None
    return caught.value.code, json.loads(caught.value.response.body)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_strangers_are_refused(jp_fetch: Fetch, method: str, path: str) -> None:
    options = {"body": "{}"} if method == "POST" else {}
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("ekiben", path, method=method, headers={"Authorization": "token wrong"}, **options)
    assert caught.value.code == 403


async def test_a_cookie_without_the_xsrf_token_changes_nothing(
    jp_serverapp: Any, http_server_client: Any
) -> None:
    """Somebody who is logged in by cookie: another site's form cannot stop the services."""
    base, token = jp_serverapp.base_url, jp_serverapp.identity_provider.token
    home = await http_server_client.fetch(f"{base}api/status?token={token}")
    cookies = "; ".join(line.split(";")[0] for line in home.headers.get_list("Set-Cookie"))
    listed = await http_server_client.fetch(f"{base}ekiben/services", headers={"Cookie": cookies})
    assert listed.code == 200, "the cookie logs in"
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(
            f"{base}ekiben/services/x", method="DELETE", headers={"Cookie": cookies}
        )
    assert caught.value.code == 403


class OnlyLooking(Authorizer):  # type: ignore[misc]
    """What a hub may install for guests."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "ekiben" or action == "read"


@pytest.mark.parametrize(
    "jp_server_config",
    [{"ServerApp": {"jpserver_extensions": {"ekiben": True}, "authorizer_class": OnlyLooking}}],
)
async def test_a_guest_may_look_and_not_touch(jp_fetch: Fetch, iris_server: RunningServer) -> None:
    assert (await jp_fetch("ekiben", "services")).code == 200
    code, _told = await refused(jp_fetch, "ekiben", "services", iris_server.record.id, method="DELETE")
    assert code == 403 and service.find(iris_server.record.id).record.state == "ready"


class Listener(BaseHTTPRequestHandler):
    """A service that keeps the headers it got and answers nothing useful."""

    heard: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.heard.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>hello</p>")


async def test_the_jupyter_token_stays_here(jp_fetch: Fetch, jp_auth_header: dict[str, str]) -> None:
    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    record = Server(
        id="listener-000000",
        model="listener:1",
        url=f"http://127.0.0.1:{server.server_port}",
        pid=os.getpid(),
        birth=paths.process_birth(os.getpid()) or 0.0,
        project="",
        state="ready",
        log="",
        started="2026-01-01T00:00:00+00:00",
    )
    file = paths.runtime_dir() / f"ekiben-service-{record.id}.json"
    file.write_text(json.dumps(record.to_json()))
    try:
        headers = {"Cookie": "secret=1", "X-Forwarded-User": "me"}
        path = ("ekiben", "services", record.id, "predict")
        code, told = await refused(jp_fetch, *path, method="POST", body="{}", headers=headers)
    finally:
        file.unlink()
        server.shutdown()
        server.server_close()
    assert code == 502 and told["type"] == "ServiceFailed", "an answer that is no JSON never reaches the page"
    (heard,) = Listener.heard
    assert not {"authorization", "cookie", "x-xsrftoken", "x-forwarded-user"} & set(heard)
    assert jp_auth_header["Authorization"].split()[1] not in str(heard)


async def test_services_are_listed(jp_fetch: Fetch, iris_server: RunningServer) -> None:
    response = await jp_fetch("ekiben", "services")
    found = {one["id"]: Server.from_json(one) for one in body(response)["services"]}
    assert found[iris_server.record.id].state == "ready"
    assert response.headers["Cache-Control"] == "no-store"


async def test_predict_answers_what_the_service_answers(jp_fetch: Fetch, iris_server: RunningServer) -> None:
    path = ("ekiben", "services", iris_server.record.id, "predict")
    answer = body(await jp_fetch(*path, method="POST", body=json.dumps({"rows": [ROW]})))
    assert answer["predictions"] == iris_server.predict([ROW]).outputs["predictions"]


async def test_a_refusal_in_the_readers_language(jp_fetch: Fetch, iris_server: RunningServer) -> None:
    path = ("ekiben", "services", iris_server.record.id, "predict")
    wrong = json.dumps({"rows": [{**ROW, "sepal length (cm)": "long"}]})
    code, english = await refused(jp_fetch, *path, method="POST", body=wrong)
    assert code == 400 and "sepal length (cm)" in english["problems"][0]["path"]
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    code, told = await refused(jp_fetch, *path, method="POST", body=wrong, headers=chinese)
    assert code == 400 and told["problems"][0]["message"] != english["problems"][0]["message"]


async def test_a_body_that_is_too_large(jp_fetch: Fetch, iris_server: RunningServer) -> None:
    path = ("ekiben", "services", iris_server.record.id, "predict")
    code, told = await refused(jp_fetch, *path, method="POST", body="x" * (16 * 1024 * 1024 + 1))
    assert code == 413 and "16777216" in told["error"]


async def test_contract_and_log(jp_fetch: Fetch, iris_server: RunningServer, iris_box: Box) -> None:
    identity = iris_server.record.id
    contract = body(await jp_fetch("ekiben", "services", identity, "contract"))
    assert Contract.from_json(contract) == iris_box.model.contract
    whole = body(await jp_fetch("ekiben", "services", identity, "log"))["log"]
    assert iris_server.url in whole
    last = body(await jp_fetch("ekiben", "services", identity, "log", params={"tail": "1"}))["log"]
    # Answers given meanwhile are noted down a moment later: the last line was one of those.
    again = body(await jp_fetch("ekiben", "services", identity, "log"))["log"]
    (line,) = last.splitlines()
    assert line in again.splitlines()[len(whole.splitlines()) - 1 :]


async def test_what_is_not_there(jp_fetch: Fetch) -> None:
    code, told = await refused(jp_fetch, "ekiben", "services", "nobody", "log")
    assert code == 404 and told["type"] == "NotFound" and told["remedy"]
    assert (await refused(jp_fetch, "ekiben", "services", "nobody", method="DELETE"))[0] == 404
    assert (await refused(jp_fetch, "ekiben", "jobs", "abcd", method="DELETE"))[0] == 404
    code, chinese = await refused(
        jp_fetch, "ekiben", "jobs", "abcd", "log", headers={"Accept-Language": "zh-CN"}
    )
    assert code == 404 and not chinese["error"].isascii()


async def test_a_service_without_an_address_yet_is_told_as_starting(jp_fetch: Fetch) -> None:
    now = datetime.now(timezone.utc).isoformat()
    record = Server("early-1", "early:1", "", 0, 0.0, "", "starting", "", now)
    file = paths.runtime_dir() / "ekiben-service-early-1.json"
    paths.write_atomic(file, json.dumps(record.to_json()))
    try:
        for asked in ("watch", "contract"):
            code, told = await refused(jp_fetch, "ekiben", "services", "early-1", asked)
            assert code == 502 and "still starting" in told["error"] and told["remedy"]
    finally:
        file.unlink()


@pytest.mark.slow
async def test_stopping_and_then_forgetting(jp_fetch: Fetch, iris_box: Box) -> None:
    with iris_box.serve() as server:
        identity = server.record.id
        response = await jp_fetch("ekiben", "services", identity, method="DELETE", request_timeout=300)
        assert (response.code, response.body) == (204, b"")
        assert identity not in [one.id for one in service.servers()]
        record = Server.from_json({**server.record.to_json(), "state": "failed"})
    folder = os.environ["JUPYTER_RUNTIME_DIR"]
    with open(f"{folder}/ekiben-service-{identity}.json", "w") as file:
        json.dump(record.to_json(), file)
    assert (await refused(jp_fetch, "ekiben", "services", identity, "contract"))[0] == 502
    await jp_fetch("ekiben", "services", identity, method="DELETE")
    assert identity not in [one.id for one in service.servers()]


async def test_jobs_are_listed_cancelled_and_dismissed(jp_fetch: Fetch) -> None:
    code = (
        "import time; from ekiben.jobs import emit; print('a line', flush=True);"
        "emit('step', step=1, steps=3, message='waiting'); time.sleep(600)"
    )
    job = jobs.start("test", "faces", [sys.executable, "-c", code])
    until(lambda: jobs.find(job.id).step)
    listed = {one["id"]: Job.from_json(one) for one in body(await jp_fetch("ekiben", "jobs"))["jobs"]}
    assert (listed[job.id].state, listed[job.id].step, listed[job.id].steps) == ("running", 1, 3)
    assert "a line" in body(await jp_fetch("ekiben", "jobs", job.id, "log"))["log"]
    ended = body(await jp_fetch("ekiben", "jobs", job.id, method="DELETE", request_timeout=300))
    assert ended["state"] == "cancelled"
    dismissed = body(await jp_fetch("ekiben", "jobs", job.id, method="DELETE"))
    assert dismissed["id"] == job.id and job.id not in [one.id for one in jobs.jobs()]


async def test_images_are_listed(jp_fetch: Fetch) -> None:
    assert isinstance(body(await jp_fetch("ekiben", "images"))["images"], list)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh_CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.3,en;q=0.7", "en"),
        ("de-CH, zh-TW ;q=0.5", "zh_CN"),
        ("fr;q=x, *;q=0.1", "en"),
    ],
)
def test_the_language_of_a_request(header: str, language: str) -> None:
    assert preferred(header) == language
