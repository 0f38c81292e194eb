"""``python -m runtime.serve``: the service on a socket of its own, told in a file.

``bentoml serve`` works on the project as well; this is the short way: one interpreter, and BentoML is
imported only when a route is asked that only it has, or when ``service.py`` was edited. With
``EKIBEN_WORKERS`` above 1 this process watches over that many others (``supervise.py``).
The record file says who it is from the first moment, before anything slow is imported, so that a
service is listed however its parent ends. It goes away when the service stops; when the service
fails it stays and says why.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from .settings import Settings

#: Of glibc's ``malloc.h``.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


class Record:
    """The JSON file that tells others of this service; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.data: dict[str, Any] = {}
        if self.path and self.path.is_file():
            self.data = json.loads(self.path.read_text(encoding="utf-8"))

    def tell(self, **changes: Any) -> None:
        """Writes the file anew, whole or not at all; it is its owner's alone, as the one before."""
        if not self.path:
            return
        self.data.update(changes)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with open(
            part, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as file:
            file.write(json.dumps(self.data))
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


def application(target: str, settings: Settings) -> Any:
    """The gate before the service ``module:attribute`` of the project in the current folder."""
    from .behind import Behind, edited
    from .gate import Gate

    project = Path.cwd()
    made_for = import_module(".made_for", __package__)
    return Gate(Behind(target, eager=edited(project)), project / "contract.json", made_for.MODEL, settings)


def run(target: str, sock: socket.socket, settings: Settings, ready: Callable[[Any], None]) -> int:
    """Loads the model, serves until a signal; the exit status. ``ready`` gets the gate once it answers."""
    import uvicorn

    from .crowd import Crowd
    from .journal import logging_config
    from .lane import lane
    from .polling import polling
    from .tracing import traced

    gate = application(target, settings)
    crowd = Crowd(settings)
    awake = polling(settings.poll, settings.workers)
    app = traced(gate, gate.name, settings.tracing) if settings.tracing else gate

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                _settle()
                gate.engine.metrics.crowd = crowd
                gate.engine.metrics.polling = awake
                crowd.open(self.server_state.connections)
                ready(gate)

    config = uvicorn.Config(
        app,
        http=lane(gate, crowd, awake),
        proxy_headers=False,
        log_level="info",
        access_log=False,
        log_config=logging_config(settings.log),
        lifespan="on",
        ws="none",
        timeout_keep_alive=settings.keep,  # type: ignore[arg-type]
        timeout_graceful_shutdown=math.ceil(settings.drain),
    )
    server = Server(config)
    with tempfile.TemporaryDirectory(prefix="metrics-") as metrics:
        # BentoML empties this folder at every start; two processes must not share one.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        try:
            server.run(sockets=[sock])
        except SystemExit as end:
            if not end.code:  # a signal; uvicorn's own end after a failed start has a status
                raise
    return 0 if server.started else 1


def _settle() -> None:
    """What was loaded stays: a collection need not walk through it, which would hold answers up for milliseconds.

    The objects of many rows come and go without cycles, so that collections may also be rare. Threads that
    write logs hand over sooner than after Python's own 5 ms.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    sys.setswitchinterval(0.001)
    _keep_pages()


def _keep_pages() -> None:
    """Lets the C library keep the memory of a large answer for the next one, where it is glibc.

    It would give it back after each, and hundreds of page faults would take as long as the model. Up to
    64 MB stay; what is larger than 32 MB in one piece goes back at once.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_TRIM_THRESHOLD, 64 * 2**20)
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)


def watch(arguments: list[str], sock: socket.socket, settings: Settings, record: Record) -> int:
    """Serves with several workers, each started with ``arguments``; the exit status.

    Raises:
        RuntimeError: this system cannot hand a socket to several processes.
    """
    if os.name != "posix":
        raise RuntimeError("EKIBEN_WORKERS above 1 needs Linux or macOS.")
    from .supervise import Supervisor

    command = [sys.executable, "-m", f"{__package__}.serve", *arguments]
    return Supervisor(command, sock, settings, lambda: record.tell(state="ready")).run()


def work(target: str, sock: int, line: int) -> int:
    """One worker of several, on an inherited socket and with a line to the one who watches."""
    from .siblings import Siblings

    settings = Settings.read()
    siblings = Siblings(line, settings.drain)
    return run(target, socket.socket(fileno=sock), settings, lambda app: siblings.ready(app.engine))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m runtime.serve", description=__doc__)
    parser.add_argument("service", help="module:attribute")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    parser.add_argument("--record", help="a JSON file that tells others of this service")
    parser.add_argument("--worker", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sys.path.insert(0, os.getcwd())
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    record = Record(options.record)
    # Until the server takes over, a stop must still clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if options.worker:
            return work(options.service, *options.worker)
        sock = bind(options.host, options.port)
        host, port = sock.getsockname()[:2]
        record.tell(pid=os.getpid(), birth=_birth(), url=f"http://{host}:{port}", state="starting")
        print(f"http://{host}:{port}", flush=True)
        settings = Settings.read()
        if settings.workers > 1:
            status = watch([options.service], sock, settings, record)
        else:
            status = run(
                options.service, sock, settings, lambda app: record.tell(state="ready", **_form(app))
            )
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


def _form(app: Any) -> dict[str, Any]:
    """What the record must be told where the compiled form did not load."""
    trouble = getattr(getattr(app.engine, "predictor", None), "trouble", "")
    return {"form": "native", "speedup": 0.0, "message": trouble} if trouble else {}


def end(status: int) -> None:
    """Ends this process at once: a call of the model that hangs in its thread must not keep it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _birth() -> float:
    import psutil

    return float(psutil.Process().create_time())


if __name__ == "__main__":
    end(main())
