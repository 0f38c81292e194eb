"""Registries of every kind: open, with a password, with tokens over TLS, killed in the middle, plain HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ekiben import registry
from ekiben.builders.oci import layout, remote, upload
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.credentials import login
from ekiben.builders.oci.reference import parse, source
from ekiben.errors import BuildFailed, Cancelled, InvalidName
from ekiben.image import kept
from ekiben.records import Image, LayerStep, Replay, Tolerance
from rig.projects import base, nothing, small
from rig.registry import PASSWORD, USER, Registry
from rig.tokens import REFRESH, Tokens, secured
from test_image import in_container

BODY = b"ekiben"
DIGEST = layout.digest_of(BODY)


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """A small file to push."""
    file = tmp_path / "blob"
    file.write_bytes(BODY)
    return file


def auths(host: str, user: str = USER, secret: str = PASSWORD) -> str:
    """What ``docker login`` writes."""
    return json.dumps({"auths": {host: {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}}})


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, user: str, secret: str) -> None:
    """A credential helper called ``test`` on the PATH; a program, as the clouds have them."""
    program = folder / "docker-credential-test"
    told = json.dumps({"Username": user, "Secret": secret})
    program.write_text(f"#!/bin/sh\n[ \"$1\" = get ] && cat >/dev/null && echo '{told}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@in_container
def test_a_registry_that_is_killed_and_started_again_gets_the_rest(hub: Registry, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(1 << 20) * 40)
    digest = layout.digest_of(blob.read_bytes())
    places: list[int] = []

    def tick(done: int) -> None:
        places.append(done)
        if len(places) == 2:
            hub.kill()

    heard: list[str] = []

    def hear(how: str) -> None:
        if how == "broken" and how not in heard:
            hub.start()
        heard.append(how)

    client = Client(hub.address)
    assert upload.push(client, "big", digest, blob, "", tick, hear) == 40 << 20
    assert places == sorted(set(places)), "nothing was sent twice"
    assert (set(heard[:-2]), heard[-2:]) == ({"broken"}, ["resumed", "sent"])
    target = tmp_path / "back"
    remote.fetch(client, "big", digest, target, nothing)
    assert layout.digest_of(target.read_bytes()) == digest
    # Another repository of the same registry has it by being told.
    assert upload.push(client, "other", digest, blob, "big", nothing) == 0


@in_container
def test_a_registry_with_a_password(
    hub: Registry, blob: Path, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.kill()
    hub.with_password().start()
    with pytest.raises(BuildFailed, match="refuses") as caught:
        upload.push(Client(hub.address), "secret", DIGEST, blob, "", nothing)
    assert f"docker login {hub.address}" in caught.value.remedy
    docker_config.write_text(auths(hub.address, secret="wrong"))
    with pytest.raises(BuildFailed, match="refuses"):
        upload.push(Client(hub.address), "secret", DIGEST, blob, "", nothing)
    docker_config.write_text(auths(hub.address))
    assert upload.push(Client(hub.address), "secret", DIGEST, blob, "", nothing) == len(BODY)
    assert upload.push(Client(hub.address), "other", DIGEST, blob, "secret", nothing) == 0
    helper(tmp_path, monkeypatch, USER, PASSWORD)
    docker_config.write_text(json.dumps({"credHelpers": {hub.address: "test"}}))
    assert upload.push(Client(hub.address), "third", DIGEST, blob, "", nothing) == len(BODY)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Registry, Tokens]]:
    """A registry over TLS with a certificate of an own authority, and its token server."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    with secured(folder) as found:
        yield found


def trusting(tokens: Tokens, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the authority where Podman looks for it; the token server is another host to us."""
    home = Path(os.environ["HOME"]) / ".config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    place = home / "containers" / "certs.d" / host
    place.mkdir(parents=True, exist_ok=True)
    (place / "ca.crt").write_bytes(tokens.ca.read_bytes())


@in_container
def test_tokens_over_tls_with_an_own_authority(
    guarded: tuple[Registry, Tokens],
    blob: Path,
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, tokens = guarded
    with pytest.raises(BuildFailed, match="certificate verify failed"):
        upload.push(Client(place.address), "team/iris", DIGEST, blob, "", nothing)
    trusting(tokens, place.address, monkeypatch)
    with pytest.raises(BuildFailed, match="refuses"):
        upload.push(Client(place.address), "team/iris", DIGEST, blob, "", nothing)
    docker_config.write_text(auths(place.address))
    assert upload.push(Client(place.address), "team/iris", DIGEST, blob, "", nothing) == len(BODY)
    assert tokens.asked[-1] == ("basic", ("repository:team/iris:pull,push",))
    # A mount reads another repository, which the token must allow.
    assert upload.push(Client(place.address), "team/wine", DIGEST, blob, "team/iris", nothing) == 0
    assert tokens.asked[-1][1] == ("repository:team/wine:pull,push", "repository:team/iris:pull")
    # A helper of a cloud gives a refresh token instead of a name.
    helper(tmp_path, monkeypatch, "<token>", REFRESH)
    docker_config.write_text(json.dumps({"credsStore": "test", "auths": {place.address: {}}}))
    target = tmp_path / "back"
    remote.fetch(Client(place.address), "team/wine", DIGEST, target, nothing)
    assert target.read_bytes() == BODY
    assert tokens.asked[-1] == ("refresh", ("repository:team/wine:pull",))


@in_container
def test_a_token_that_runs_out_is_renewed(
    guarded: tuple[Registry, Tokens], docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, tokens = guarded
    # The registry grants 60 s of leeway on top; so the token is out of date before it is given.
    trusting(tokens, place.address, monkeypatch)
    docker_config.write_text(auths(place.address))
    blob = tmp_path / "large"
    blob.write_bytes(os.urandom(20 << 20))
    client = Client(place.address)
    ended: list[int] = []

    def tick(done: int) -> None:
        if not ended:
            ended.append(done)
            client._headers = {scopes: "Bearer none.of.yours" for scopes in client._headers}

    assert upload.push(client, "large", layout.digest_of(blob.read_bytes()), blob, "", tick) == 20 << 20
    assert [kind for kind, _scopes in tokens.asked] == ["basic", "basic"]


@in_container
def test_plain_http_only_when_asked_for(hub: Registry, blob: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.kill()
    hub.everywhere = True
    hub.start()
    elsewhere = f"0.0.0.0:{hub.address.rpartition(':')[2]}"  # this machine, by a name that does not say so
    with pytest.raises(BuildFailed, match="cannot be reached"):
        upload.push(Client(elsewhere), "iris", DIGEST, blob, "", nothing)
    monkeypatch.setenv("EKIBEN_HTTP_REGISTRIES", f"example.org {elsewhere}")
    assert upload.push(Client(elsewhere), "iris", DIGEST, blob, "", nothing) == len(BODY)


def test_logins_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert login("ghcr.io") is None
    auths = {
        "ghcr.io": {"auth": "bWU6czpw"},
        "https://index.docker.io/v1/": {"auth": "aHViOng="},
        "az.io": {"identitytoken": "t"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    found = {host: login(host) for host in ("ghcr.io", "docker.io", "az.io", "quay.io")}
    told = {host: (one.user, one.secret) if one else None for host, one in found.items()}
    assert told == {"ghcr.io": ("me", "s:p"), "docker.io": ("hub", "x"), "az.io": ("", "t"), "quay.io": None}


def test_names_in_parts() -> None:
    assert str(source("python:3.11-slim")) == "docker.io/library/python:3.11-slim"
    assert str(source("team/app")) == "docker.io/team/app:latest"
    found = parse("localhost:5000/a/b:c")
    assert (found.host, found.repository, found.tag) == ("localhost:5000", "a/b", "c")
    assert parse("ghcr.io/a@sha256:12").wanted == "sha256:12"
    with pytest.raises(InvalidName):
        parse("a@md5:1")


class Watching:
    """Hears a push: its lines and its layers; ``act`` is called once, when a megabyte has been sent."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.lines: list[str] = []
        self.layers: list[LayerStep] = []
        self._act: Callable[[], None] | None = act

    def __call__(self, message: str) -> None:
        self.lines.append(message)
        if self._act is not None and re.search(r" · [1-9]\d* of 4\d MB", message):
            act, self._act = self._act, None
            act()

    def layer(self, done: LayerStep) -> None:
        self.layers.append(done)

    @property
    def how(self) -> dict[str, str]:
        return {one.name: one.how for one in self.layers}


@pytest.fixture
def large(hub: Registry, fresh_home: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, str]) -> Image:
    """An image with 40 MB of model that is sent in small pieces, for the registry ``hub``."""
    monkeypatch.setenv("HOME", person["HOME"])
    monkeypatch.setenv("EKIBEN_BUILD_PLATFORM", "linux/amd64")
    monkeypatch.setattr(upload, "PIECE", 128 << 10)
    base(f"{hub.address}/base:1", "amd64")
    oci: Any = registry.builder("oci")
    project = small(fresh_home / "one", size=40 << 20)
    made: Image = oci.assemble(project, f"{hub.address}/small:1", f"{hub.address}/base:1", nothing)
    return made


def uploads(hub: Registry) -> list[Path]:
    """The bytes that lie half written in the registry; it keeps an empty folder of one that was dropped."""
    return list(hub.folder.glob("registry/docker/registry/v2/repositories/**/_uploads/*/data"))


@in_container
def test_a_push_that_is_stopped_sets_no_name_and_leaves_nothing_half_written(
    hub: Registry, large: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    oci: Any = registry.builder("oci")

    def stop() -> None:
        assert uploads(hub), "it is in the middle"
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        oci.push(large, Watching(stop))
    assert uploads(hub) == []
    with pytest.raises(BuildFailed, match="404"):
        remote.resolve(Client(hub.address), parse(large.reference), "linux/amd64")
    # What had arrived is not sent again, and the whole is there at the end.
    second = Watching()
    assert 40 << 20 < oci.push(large, second) < large.bytes
    assert second.how["the model small:1"] == "sent" and "there" in second.how.values()
    third = Watching()
    assert oci.push(large, third) == 0
    assert set(third.how.values()) == {"there"}
    assert sum(one.bytes for one in third.layers) >= large.bytes
    found = remote.resolve(Client(hub.address), parse(large.reference), "linux/amd64")
    assert (found.digest, uploads(hub)) == (large.digest, [])
    hub.kill()
    monkeypatch.setattr("ekiben.builders.oci.client.PAUSES", ())
    with pytest.raises(BuildFailed, match="cannot be reached"):
        oci.push(large, nothing)


@in_container
def test_a_push_tells_each_layer_and_that_it_went_on(hub: Registry, large: Image) -> None:
    def restart() -> None:
        hub.kill()
        hub.start()

    heard = Watching(restart)
    oci: Any = registry.builder("oci")
    assert oci.push(large, heard) > 40 << 20
    model = next(one for one in heard.layers if one.name == "the model small:1")
    # A registry that is killed while it writes a piece forgets the whole upload.
    assert model.how in ("resumed", "again") and model.bytes > 40 << 20 and model.seconds > 0
    assert {one.name for one in heard.layers} == {*(one.made_by for one in large.layers), "the settings"}
    # The base lies in the same registry and is not sent.
    assert heard.how[f"{hub.address}/base:1"] == "mounted"
    assert any("went on after a break" in line for line in heard.lines)
    found = remote.resolve(Client(hub.address), parse(large.reference), "linux/amd64")
    assert found.digest == large.digest


@in_container
def test_a_whole_image_goes_to_a_registry_with_tokens_over_tls(
    guarded: tuple[Registry, Tokens], docker_config: Path, large: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, tokens = guarded
    trusting(tokens, place.address, monkeypatch)
    docker_config.write_text(auths(place.address))
    oci: Any = registry.builder("oci")
    name = f"{place.address}/team/small:1"

    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        oci.push(large, Watching(stop), name)
    assert uploads(place) == [], "to drop an upload is a right of its own, which was asked for"
    assert ("basic", ("repository:team/small:delete",)) in tokens.asked
    assert oci.push(large, nothing, name) > 40 << 20
    assert remote.resolve(Client(place.address), parse(name), "linux/amd64").digest == large.digest


@in_container
def test_an_interrupted_command_leaves_nothing_half_written(hub: Registry, large: Image) -> None:
    kept.keep(replace(large, replay=Replay("image", 1, 0.0, Tolerance(), 1.0)))
    push = f"sys.exit(main(['push', {large.reference!r}]))"
    command = [sys.executable, "-c", f"{_IN_PIECES}{_INTERRUPTED}{push}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert uploads(hub) == []
    done = subprocess.run(
        [sys.executable, "-c", _IN_PIECES + push], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("  ✓ ")]
    assert any("the model small:1 · " in line and " s · sent" in line for line in lines), done.stderr
    assert any("the registry has it" in line for line in lines)
    assert done.stderr.splitlines()[-1].startswith("Pushed ")


_IN_PIECES = """
import sys
from ekiben.builders.oci import upload
from ekiben.cli import main
upload.PIECE = 128 << 10
"""
#: The interrupt comes in the middle of the model, however slow or quick the machine is.
_INTERRUPTED = """
import http.client, os, signal
whole, sent = http.client.HTTPConnection.send, 0
def send(self, data):
    global sent
    whole(self, data)
    before, sent = sent, sent + len(data)
    if before <= 4 << 20 < sent:
        os.kill(os.getpid(), signal.SIGTERM)
http.client.HTTPConnection.send = send
"""


def requests(hub: Registry) -> list[str]:
    """What the registry was asked since it was started last: methods with their paths."""
    lines = re.findall(r'"([A-Z]+) (\S+) HTTP/1\.1"', hub.log())
    return [f"{method} {path.partition('?')[0]}" for method, path in lines]


def renewed(image: Image, folder: Path, hub: Registry) -> Image:
    """The same project with another small model, built under the same name."""
    oci: Any = registry.builder("oci")
    made: Image = oci.assemble(
        small(folder, tag="small:2", size=1000), image.reference, f"{hub.address}/base:1", nothing
    )
    return made


@in_container
def test_a_rebuild_asks_about_nothing_that_the_name_has(
    hub: Registry, large: Image, fresh_home: Path
) -> None:
    oci: Any = registry.builder("oci")
    oci.push(large, nothing)
    before = len(requests(hub))
    second = renewed(large, fresh_home / "two", hub)
    heard = Watching()
    sent = oci.push(second, heard)
    asked = [line for line in requests(hub)[before:] if "/v2/small/" in line]
    new = {name for name, how in heard.how.items() if how == "sent"}
    assert new == {"the model small:2", "the settings"} and 0 < sent < 20_000
    assert heard.how[f"{hub.address}/base:1"] == "there"
    # One look at the name, an upload for each new blob, the name.
    verbs = [line.partition(" ")[0] for line in asked]
    assert (verbs[0], verbs[-1]) == ("GET", "PUT")
    assert sorted(verbs[1:-1]) == ["POST", "POST", "PUT", "PUT"], "the two go side by side"
    assert remote.resolve(Client(hub.address), parse(second.reference), "linux/amd64").digest == second.digest


@in_container
def test_a_registry_that_lost_a_layer_gets_it_again(hub: Registry, large: Image, fresh_home: Path) -> None:
    oci: Any = registry.builder("oci")
    oci.push(large, nothing)
    second = renewed(large, fresh_home / "two", hub)
    client = Client(hub.address)
    lost = next(one for one in second.layers if one.made_by == "the runtime")
    path = f"v2/small/blobs/{lost.digest}"
    assert client.ask("DELETE", path, repository="small", actions="delete").status == 202
    assert oci.push(second, nothing) > lost.bytes
    target = fresh_home / "back"
    remote.fetch(client, "small", lost.digest, target, nothing)
    assert target.stat().st_size == lost.bytes


@in_container
def test_a_connection_that_the_registry_closed_meanwhile_is_not_used(hub: Registry, blob: Path) -> None:
    client = Client(hub.address)
    assert upload.push(client, "one", DIGEST, blob, "", nothing) == len(BODY)
    hub.kill()
    hub.start()
    heard: list[str] = []
    assert upload.push(client, "two", DIGEST, blob, "", nothing, heard.append) == len(BODY)
    assert heard == ["sent"]


@in_container
def test_the_registry_is_asked_before_the_build(
    hub: Registry, docker_config: Path, guarded: tuple[Registry, Tokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    oci: Any = registry.builder("oci")
    oci.may_push(f"{hub.address}/team/iris:1")
    assert uploads(hub) == []
    hub.kill()
    with pytest.raises(BuildFailed, match="cannot be reached"):
        oci.may_push(f"{hub.address}/team/iris:1")
    hub.with_password().start()
    place, tokens = guarded
    trusting(tokens, place.address, monkeypatch)
    for host in (hub.address, place.address):
        name = f"{host}/team/iris:1"
        for told in ("{}", auths(host, secret="wrong")):
            docker_config.write_text(told)
            with pytest.raises(BuildFailed, match="refuses team/iris") as caught:
                oci.may_push(name)
            assert caught.value.remedy == f"Log in first: docker login {host}"
        docker_config.write_text(auths(host))
        oci.may_push(name)
    assert uploads(hub) == uploads(place) == []
