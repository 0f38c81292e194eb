"""``python -m runtime.serve``: the service in one process, on a socket of its own, told in a file.

``bentoml serve`` works on the project as well; this is the short way: one interpreter, one import.
The record file says who it is from the first moment, before anything slow is imported, so that a
service is listed however its parent ends. It goes away when the service stops; when the service
fails it stays and says why.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any


class Record:
    """The JSON file that tells others of this service; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.data: dict[str, Any] = {}
        if self.path and self.path.is_file():
            self.data = json.loads(self.path.read_text(encoding="utf-8"))

    def tell(self, **changes: Any) -> None:
        """Writes the file anew, whole or not at all."""
        if not self.path:
            return
        self.data.update(changes)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(self.data), encoding="utf-8")
        os.replace(part, self.path)

    def remove(self) -> None:
        """Takes the file away."""
        if self.path:
            self.path.unlink(missing_ok=True)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: connections are refused until the service is ready."""
    sock = socket.socket()
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.set_inheritable(True)
    return sock


def run(target: str, sock: socket.socket, record: Record) -> int:
    """Imports the service, serves until a signal; the exit status."""
    import uvicorn

    module, _, attribute = target.partition(":")
    service = getattr(import_module(module), attribute)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                record.tell(state="ready")

    config = uvicorn.Config(
        service.to_asgi(), log_level="info", access_log=False, lifespan="on", timeout_graceful_shutdown=5
    )
    server = Server(config)
    server.run(sockets=[sock])
    return 0 if server.started else 1


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m runtime.serve", description=__doc__)
    parser.add_argument("service", help="module:attribute")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    parser.add_argument("--record", help="a JSON file that tells others of this service")
    options = parser.parse_args(arguments)
    sys.path.insert(0, os.getcwd())
    record = Record(options.record)
    # Until the server takes over, a stop must still clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sock = bind(options.host, options.port)
        host, port = sock.getsockname()[:2]
        record.tell(pid=os.getpid(), birth=_birth(), url=f"http://{host}:{port}", state="starting")
        print(f"http://{host}:{port}", flush=True)
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
        with tempfile.TemporaryDirectory(prefix="metrics-") as metrics:
            # BentoML empties this folder at every start; two services must not share one.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
            status = run(options.service, sock, record)
    except (SystemExit, KeyboardInterrupt):
        record.remove()
        return 0
    except Exception as error:  # noqa: BLE001 - whatever a service raises is told in its record
        traceback.print_exc()
        record.tell(state="failed", message=f"{type(error).__name__}: {error}")
        return 1
    if status:
        record.tell(state="failed", message="")
    else:
        record.remove()
    return status


def _birth() -> float:
    import psutil

    return float(psutil.Process().create_time())


if __name__ == "__main__":
    sys.exit(main())
