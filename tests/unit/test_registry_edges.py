"""A registry that leads elsewhere, breaks off, misleads or lists odd things: by a server that does just that."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ekiben.builders.oci import builder, layers, remote, upload
from ekiben.builders.oci import client as clients
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.credentials import login
from ekiben.builders.oci.reference import parse
from ekiben.errors import BuildFailed
from rig.projects import nothing
from rig.web import served

BODY = b"ekiben" * 5000
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@dataclass
class Odd:
    """What was asked: ``(method, path, Authorization)``; ``answer`` gives status, headers and body, or its own way."""

    answer: Callable[[Any], tuple[int, dict[str, str], bytes] | None]
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    host: str = ""


@contextmanager
def odd(answer: Callable[[Any], tuple[int, dict[str, str], bytes] | None]) -> Iterator[Odd]:
    """A server on a free port of this machine."""
    told = Odd(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            if self.path == "/v2/":
                given: tuple[int, dict[str, str], bytes] | None = (200, {}, b"{}")
            else:
                given = answer(self)
            if given is None:
                self.close_connection = True
                return
            status, headers, body = given
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_anything: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with served(server) as told.host:
        yield told


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    file = tmp_path / "blob"
    file.write_bytes(BODY * 10)
    return file


def test_a_blob_that_lies_elsewhere_is_asked_about_not_fetched_and_no_login_goes_along(
    blob: Path, docker_config: Path
) -> None:
    with odd(lambda _asked: (200, {}, BODY)) as store:

        def led(asked: Any) -> tuple[int, dict[str, str], bytes]:
            if not asked.headers.get("Authorization"):
                return 401, {"WWW-Authenticate": 'Basic realm="odd"'}, b""
            return 307, {"Location": f"http://{store.host}/kept?signed=yes"}, b""

        with odd(led) as hub:
            docker_config.write_text(json.dumps({"auths": {hub.host: {"username": "a", "password": "b"}}}))
            assert upload.push(Client(hub.host), "team/iris", DIGEST, blob, "", nothing) == 0
            assert [asked[0] for asked in hub.asked if "blobs" in asked[1]] == ["HEAD", "HEAD"]
            assert store.asked == [("HEAD", "/kept?signed=yes", "")]
            target = blob.with_name("back")
            remote.fetch(Client(hub.host), "team/iris", DIGEST, target, nothing)
            assert target.read_bytes() == BODY
            assert store.asked[1:] == [("GET", "/kept?signed=yes", "")]
            assert any(asked[2].startswith("Basic ") for asked in hub.asked)


def test_a_blob_that_breaks_off_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "PAUSES", (0.01, 0.01))
    times: list[int] = []

    def cut(asked: Any) -> tuple[int, dict[str, str], bytes] | None:
        times.append(len(times))
        if len(times) > 1:
            return 200, {}, BODY
        asked.send_response(200)
        asked.send_header("Content-Length", str(len(BODY)))
        asked.end_headers()
        asked.wfile.write(BODY[:1000])
        return None

    with odd(cut) as hub:
        remote.fetch(Client(hub.host), "iris", DIGEST, tmp_path / "back", nothing)
    assert (tmp_path / "back").read_bytes() == BODY and len(times) == 2


def test_an_upload_that_breaks_more_often_than_it_is_tried_arrives_while_it_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(upload, "PIECE", 1000)
    monkeypatch.setattr(upload, "_SMALL", 10)
    file = tmp_path / "blob"
    file.write_bytes(BODY[:9500])
    there = 0
    broken: set[int] = set()

    def breaking(asked: Any) -> tuple[int, dict[str, str], bytes] | None:
        nonlocal there
        place = {"Location": "/v2/iris/blobs/uploads/1", "Range": f"0-{there - 1}"}
        if asked.command == "HEAD":
            return 404, {}, b""
        if asked.command == "POST":
            return 202, place, b""
        if asked.command == "GET":
            return 204, place, b""
        if asked.command == "PATCH":
            if there and there not in broken:
                broken.add(there)
                return None
            there = int(asked.headers["Content-Range"].partition("-")[2]) + 1
            return 202, {**place, "Range": f"0-{there - 1}"}, b""
        return 201, {}, b""

    with odd(breaking) as hub:
        assert upload.push(Client(hub.host), "iris", DIGEST, file, "", nothing) == 9500
    assert there == 9500 and len(broken) == 9


def test_a_login_never_goes_out_without_tls(docker_config: Path) -> None:
    def asking(_asked: Any) -> tuple[int, dict[str, str], bytes]:
        return 401, {"WWW-Authenticate": 'Bearer realm="http://elsewhere.example/token",service="s"'}, b""

    with odd(asking) as hub:
        docker_config.write_text(json.dumps({"auths": {hub.host: {"username": "a", "password": "b"}}}))
        with pytest.raises(BuildFailed, match=r"without TLS: http://elsewhere\.example/token"):
            Client(hub.host).ask("GET", "v2/iris/manifests/1", repository="iris")


def test_an_address_that_a_registry_behind_a_proxy_tells_keeps_its_tls() -> None:
    client = Client("registry.example")
    client._scheme = "https"
    for told in (
        "http://registry.example/v2/x?_state=1",
        "https://registry.example:443/v2/x?_state=1",
        "/v2/x?_state=1",
    ):
        assert client._address_of(told) == "https://registry.example/v2/x?_state=1"
    elsewhere = "https://store.example/x"
    assert client._address_of(elsewhere) == elsewhere


def test_an_index_with_entries_of_no_platform_and_bases_that_cannot_be_read(fresh_home: Path) -> None:
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}}).encode()
    told = {
        "mediaType": remote.MANIFEST,
        "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
        "size": len(config),
    }
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": len(BODY)}
    zstd = {**layer, "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}
    documents: dict[str, bytes] = {told["digest"]: config}  # type: ignore[dict-item]

    def keep(name: str, document: dict[str, Any]) -> str:
        text = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        documents[name] = documents[digest] = text
        return digest

    one = keep("plain", {"schemaVersion": 2, "config": told, "layers": [layer]})
    keep("zstd", {"schemaVersion": 2, "config": told, "layers": [layer, zstd]})
    keep("old", {"schemaVersion": 1, "fsLayers": []})
    entries = [
        {"digest": DIGEST, "size": 1},
        {"digest": one, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    keep("index", {"schemaVersion": 2, "manifests": entries})

    def give(asked: Any) -> tuple[int, dict[str, str], bytes]:
        found = documents.get(asked.path.rpartition("/")[2])
        return (200, {}, found) if found else (404, {}, b"")

    with odd(give) as hub:
        client = Client(hub.host)
        assert remote.resolve(client, parse(f"{hub.host}/base:index"), "linux/amd64").digest == one
        assert remote.resolve(client, parse(f"{hub.host}/base@{one}"), "linux/amd64").digest == one
        for name, media in (("zstd", r"tar\+zstd"), ("old", "1")):
            with pytest.raises(BuildFailed, match=media) as caught:
                remote.resolve(client, parse(f"{hub.host}/base:{name}"), "linux/amd64")
            assert "base=" in caught.value.remedy
        with pytest.raises(BuildFailed, match="linux/arm64"):
            remote.resolve(client, parse(f"{hub.host}/base:index"), "linux/arm64")


def test_settings_of_docker_that_are_odd_or_name_a_store_that_is_not_there(
    docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = "registry.example"
    for text in ("[]", "7", '{"auths": {"registry.example": {"auth": "%%%"}}}', '{"auths": []}', "{"):
        docker_config.write_text(text)
        assert login(host) is None
    docker_config.write_text(
        json.dumps({"credsStore": "gone", "auths": {host: {"username": "a", "password": "b"}}})
    )
    found = login(host)
    assert found is not None and found.user == "a"
    # Cloud's stores know registries that the file does not list.
    program = tmp_path / "docker-credential-store"
    program.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"u\\", \\"Secret\\": \\"$host\\"}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    docker_config.write_text('{"credsStore": "store"}')
    found = login(host)
    assert found is not None and (found.user, found.secret) == ("u", host)


def test_a_registry_that_is_not_there_is_told_by_what_was_wanted_of_it() -> None:
    with odd(lambda _asked: (200, {}, b"")) as gone:
        pass
    with pytest.raises(BuildFailed, match="cannot be reached: nothing listens at that address") as caught:
        upload.permitted(Client(gone.host, pushing=True), "iris")
    assert "base" not in caught.value.remedy and "pushing" in caught.value.remedy
    with pytest.raises(BuildFailed, match="cannot be reached") as caught:
        Client(gone.host).reach(1.0)
    assert "base=" in caught.value.remedy


@pytest.mark.parametrize(
    ("language", "said", "help"),
    [
        ("en", "The host name {host} cannot be resolved.", "spelling"),
        ("zh_CN", "无法解析主机名 {host}。", "拼写"),
    ],
)
def test_a_host_that_is_not_known_is_named_with_what_helps(
    language: str, said: str, help: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EKIBEN_LANG", language)
    host = "registry.invalid"  # RFC 6761: no such name is ever resolved
    for pushing in (True, False):
        with pytest.raises(BuildFailed) as caught:
            Client(f"{host}:5000", pushing=pushing).reach(10.0)
        assert caught.value.message == said.format(host=host)
        assert caught.value.where == f"{host}:5000"
        assert help in caught.value.remedy and ("EKIBEN_BASE_IMAGE" in caught.value.remedy) is not pushing
    # Behind a proxy it is the proxy's name that this machine looks up.
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    with pytest.raises(BuildFailed) as caught:
        Client("registry.example").reach(10.0)
    assert caught.value.message == said.format(host="proxy.invalid")


def test_a_folder_that_cannot_be_written_to_is_told_and_other_errors_are_left(fresh_home: Path) -> None:
    for number in (errno.EROFS, errno.EACCES):
        with pytest.raises(BuildFailed, match="cannot be written to") as caught, builder._disk():
            raise OSError(number, os.strerror(number), str(layers.folder() / "parts" / "1"))
        assert "BENTOML_HOME" in caught.value.remedy and str(layers.folder()) in caught.value.where
    with pytest.raises(PermissionError), builder._disk():
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), "/elsewhere/file")
    with pytest.raises(PermissionError), builder._disk():
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
