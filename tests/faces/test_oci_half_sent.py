"""A push that is killed in the middle of a large layer, and the next process that goes on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from ekiben.builders.oci import layers, layout, remote, upload
from ekiben.builders.oci.client import Client
from ekiben.errors import BuildFailed
from rig.projects import nothing
from rig.registry import Registry
from test_image import in_container

PIECE, SIZE = 1 << 20, 12 << 20
#: Pushes a file and is killed: when four pieces have arrived, or in the middle of the fifth.
_KILLED = """
import http.client, os, signal, sys
from pathlib import Path
from ekiben.builders.oci import upload
from ekiben.builders.oci.client import Client

host, digest, file, where = sys.argv[1:]
upload.PIECE = 1 << 20
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
arrived = 0
def tick(done):
    global arrived
    arrived = done
    if done == 4 << 20 and where == "between":
        kill()
whole = http.client.HTTPConnection.send
def send(self, data):
    if arrived == 4 << 20 and len(data) >= 1 << 20:
        whole(self, data[: len(data) // 2])
        kill()
    whole(self, data)
if where == "within":
    http.client.HTTPConnection.send = send
upload.push(Client(host), "big", digest, Path(file), "", tick)
"""


@pytest.fixture
def half(
    hub: Registry, tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """A file with its digest, whose push another process began and was killed at, its pieces whole."""
    monkeypatch.setattr(upload, "PIECE", PIECE)
    return _begun(hub, tmp_path, "between")


def _begun(hub: Registry, tmp_path: Path, where: str) -> tuple[Path, str]:
    file = tmp_path / "layer"
    file.write_bytes(os.urandom(SIZE))
    digest = layout.digest_of(file.read_bytes())
    done = subprocess.run([sys.executable, "-c", _KILLED, hub.address, digest, str(file), where], check=False)
    assert done.returncode == -signal.SIGKILL
    assert notes(), "the upload is written down"
    return file, digest


def notes() -> list[Path]:
    """The uploads that are written down."""
    return list((layers.folder() / "uploads").glob("*.json"))


def arrives(hub: Registry, file: Path, digest: str) -> tuple[int, list[int], list[str]]:
    """Pushes the file; gives the bytes that were sent, where it was meanwhile, and how it fared."""
    places: list[int] = []
    heard: list[str] = []
    sent = upload.push(Client(hub.address), "big", digest, file, "", places.append, heard.append)
    back = file.with_name("back")
    remote.fetch(Client(hub.address), "big", digest, back, nothing)
    assert back.read_bytes() == file.read_bytes()
    assert notes() == []
    return sent, places, heard


@in_container
def test_another_process_goes_on_where_one_was_killed(hub: Registry, half: tuple[Path, str]) -> None:
    sent, places, heard = arrives(hub, *half)
    assert sent == SIZE - 4 * PIECE
    assert places == [PIECE * number for number in range(5, 13)]
    assert heard == ["resumed", "sent"]
    left = hub.folder.glob("registry/docker/registry/v2/repositories/**/_uploads/*/data")
    assert list(left) == []


@in_container
def test_an_upload_that_another_process_still_sends_is_left_alone(
    hub: Registry, half: tuple[Path, str]
) -> None:
    (note,) = notes()
    told = json.loads(note.read_text())
    this = psutil.Process()
    note.write_text(json.dumps({**told, "pid": this.pid, "birth": this.create_time()}))
    sent, _places, heard = arrives(hub, *half)
    assert (sent, heard) == (SIZE, ["sent"])


@in_container
@pytest.mark.parametrize("spoiled", ["another registry's", "unreadable", "of nobody"])
def test_what_the_registry_does_not_know_begins_again(
    hub: Registry, half: tuple[Path, str], spoiled: str
) -> None:
    (note,) = notes()
    told = json.loads(note.read_text())
    text = {
        "another registry's": json.dumps({**told, "place": told["place"].replace("_state=", "_state=x")}),
        "unreadable": "{",
        "of nobody": json.dumps({**told, "place": f"http://{hub.address}/v2/big/blobs/uploads/none"}),
    }
    note.write_text(text[spoiled])
    sent, _places, heard = arrives(hub, *half)
    assert (sent, heard) == (SIZE, ["sent"])


@in_container
def test_what_was_killed_within_a_piece_arrives_all_the_same(
    hub: Registry, tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distribution 2.8 forgets an upload whose piece broke off; others tell how much they have."""
    monkeypatch.setattr(upload, "PIECE", PIECE)
    _sent, places, heard = arrives(hub, *_begun(hub, tmp_path, "within"))
    assert places[-1] == SIZE and heard[-1] == "sent"


@in_container
def test_a_registry_that_went_away_gets_the_rest_from_the_next_push(
    hub: Registry, tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PIECE", PIECE)
    file = tmp_path / "layer"
    file.write_bytes(os.urandom(SIZE))
    digest = layout.digest_of(file.read_bytes())

    def gone(done: int) -> None:
        if done == 4 * PIECE:
            hub.kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "PAUSES", ())
        with pytest.raises(BuildFailed, match="broke off"):
            upload.push(Client(hub.address), "big", digest, file, "", gone)
    hub.start()
    sent, _places, heard = arrives(hub, file, digest)
    assert (sent, heard) == (SIZE - 4 * PIECE, ["resumed", "sent"])
