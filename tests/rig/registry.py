"""A real registry (CNCF distribution) on a free port of 127.0.0.1: open, with a password, or with tokens over TLS."""

from __future__ import annotations

import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from rig.waiting import PATIENCE, free_port

#: A name and its password as ``htpasswd -B`` writes them.
USER, PASSWORD = "ekiben", "secret"
_HTPASSWD = "ekiben:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


@dataclass
class Registry:
    """A registry that keeps its images in ``folder``; it can be ended and started again where it was.

    ``tls`` is the path of a file with its key and certificates; ``auth`` a line of its settings. It listens on
    every address of this machine where ``everywhere``.
    """

    folder: Path
    address: str = ""
    tls: str = ""
    auth: str = ""
    everywhere: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.address = self.address or f"127.0.0.1:{free_port()}"

    def with_password(self) -> Registry:
        """Asks for ``USER`` and ``PASSWORD`` from the next start on."""
        (self.folder / "users").write_text(_HTPASSWD)
        self.auth = f"htpasswd: {{realm: test, path: {self.folder / 'users'}}}"
        return self

    def start(self) -> Registry:
        """Runs it; returns when it answers."""
        host = "0.0.0.0" if self.everywhere else "127.0.0.1"
        tls = f", tls: {{certificate: {self.tls}, key: {self.tls}}}" if self.tls else ""
        settings = self.folder / "registry.yml"
        settings.write_text(
            "version: 0.1\nlog: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'registry'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{host}:{self.address.rpartition(':')[2]}', secret: known-after-a-restart{tls}}}\n"
            + (f"auth: {{{self.auth}}}\n" if self.auth else "")
        )
        with open(self.folder / "registry.log", "ab") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(settings)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(
                    "the registry did not start:\n" + (self.folder / "registry.log").read_text()
                )
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        context = ssl._create_unverified_context() if self.tls else None
        url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.address.rpartition(':')[2]}/v2/"
        try:
            with urlopen(url, timeout=10, context=context) as response:
                return bool(response.status == 200)
        except HTTPError as refused:
            return refused.code == 401
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def log(self) -> str:
        """What it told."""
        return (self.folder / "registry.log").read_text()
