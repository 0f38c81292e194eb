"""Clients that pin what we pin otherwise, each in an environment of its own and a process that stays.

KServe's SDK and tensorflow-serving-api. The environments are made by uv and kept for the next run. A
process answers one line of JSON with another: importing TensorFlow takes longer than all its questions.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

from rig.station import Station
from rig.tensors import tensors

ENVIRONMENTS = {
    "kserve": ("kserve>=0.15,<0.22",),
    "tensorflow": ("tensorflow-serving-api>=2.18,<3",),
}
HERE = Path(__file__).parent


def environment(name: str, person: dict[str, str]) -> Path:
    """The Python of a client's environment; made when it is not there yet, whole or not at all.

    Of several processes that want it at once, one makes it and the others wait.
    """
    kept = Path(person.get("HOME", "~")).expanduser() / ".cache" / "ekiben-tests"
    version = "".join(map(str, sys.version_info[:2]))
    folder = kept / f"{name}-{version}-{zlib.crc32(repr(ENVIRONMENTS[name]).encode()):x}"
    python = folder / "bin" / "python"
    kept.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").is_file():
            uv = [sys.executable, "-m", "uv"]
            quiet: dict[str, Any] = {"env": person, "check": True, "timeout": 1500}
            subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], **quiet)
            wanted = [*uv, "pip", "install", "-q", "--python", str(python), *ENVIRONMENTS[name]]
            subprocess.run(wanted, **quiet)
            (folder / "whole").touch()
    return python


class Client:
    """``NAME_client.py`` in its environment."""

    def __init__(self, name: str, person: dict[str, str]) -> None:
        self.name = name
        self.told = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self.process = subprocess.Popen(
            [str(environment(name, person)), str(HERE / f"{name}_client.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.told,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def answers(self, station: Station) -> dict[str, Any]:
        """The same, asked once of a station."""
        kept: dict[str, dict[str, Any]] = station.__dict__.setdefault("answers", {})
        if self.name not in kept:
            kept[self.name] = self.ask(station)
        return kept[self.name]

    def ask(self, station: Station) -> dict[str, Any]:
        """What the client got for the golden rows of ``station``."""
        listed = [
            [name, kind, list(made.shape), [_plain(value) for value in made.ravel().tolist()]]
            for name, kind, made in tensors(station, binary=True)
        ]
        asked = {
            "url": station.server.url,
            "model": station.box.model.name,
            "rows": station.rows,
            "tensors": listed,
        }
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) and not line.startswith('{"'):
            pass  # libraries print
        if not line:
            self.told.seek(0)
            raise AssertionError(self.told.read()[-4000:].decode("utf-8", "replace"))
        told: dict[str, Any] = json.loads(line)
        assert "failed" not in told, told["failed"]
        return told

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin
        try:
            self.process.stdin.close()
            self.process.wait(60)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
        assert self.process.stdout
        self.process.stdout.close()
        self.told.close()


def _plain(value: Any) -> Any:
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
