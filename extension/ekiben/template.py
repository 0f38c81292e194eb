"""A warm process beside the kernel, from which a service is forked in a tenth of a second.

It is started when something is wrapped and imports what the model's clean replay imported, while the
person still edits. It holds that memory (``memory()``), ends with the kernel and after some idle minutes
(``EKIBEN_WARM_MINUTES``, 10), and is not started at all where ``EKIBEN_WARM`` is ``0``. Linux only: the
system libraries of macOS do not survive a fork, Windows has none. Wherever it cannot serve, the
service starts the ordinary way.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from ekiben import paths

#: What every service imports, whatever its model.
BASE = (
    "asyncio",
    "argparse",
    "concurrent.futures.thread",
    "httptools",
    "msgspec",
    "numpy",
    "prometheus_client",
    "psutil",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvloop",
)
#: Variables that libraries read when they are loaded: a template that was started with others won't do.
READ_EARLY = (
    "PYTHON", "LD_", "MALLOC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "NUMEXPR_",
    "NPY_", "TORCH", "PYTORCH", "TF_", "KERAS_", "CUDA_", "ORT_", "HF_", "TOKENIZERS_", "XLA_", "JAX_",
)  # fmt: skip
#: scikit-learn, torch and ekiben's runtime set these for their process when they are imported.
SET_BY_LIBRARIES = (
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "ORT_DISABLE_TELEMETRY",
    "TF_CPP_MIN_LOG_LEVEL",
    "TORCHINDUCTOR_CACHE_DIR",
)
#: pyarrow's allocator and onnxruntime's telemetry would start a thread when they are imported, and no
#: fork could follow.
QUIET = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "ORT_DISABLE_TELEMETRY": "1"}
SCRIPT = Path(__file__).with_name("template_process.py")


class Template:
    """One such process, owned by this one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.early = _early(os.environ)
        self.primed: dict[str, set[str]] = {}
        self.packages: set[str] = set()
        self._waiting = 0
        self._heard = b""
        self.line, theirs = socket.socketpair()
        minutes = float(os.environ.get("EKIBEN_WARM_MINUTES") or 10)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(theirs.fileno()), str(minutes * 60)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd=Path(sys.prefix),
                env={**os.environ, **QUIET},
            )
        self.load(BASE)

    @property
    def fits(self) -> bool:
        """Whether it lives, is this process's own, and was started with today's variables."""
        return self.owner == os.getpid() and self.process.poll() is None and self.early == _early(os.environ)

    def load(self, modules: Sequence[str]) -> None:
        """Has it import ``modules``; returns at once."""
        self._send({"import": list(modules)})

    def fork(self, order: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Its answer to the order: ``pid``, or ``refused`` with the reason."""
        self._send({"fork": order})
        deadline = time.monotonic() + timeout
        answer: dict[str, Any] = {}
        while self._waiting:
            answer = self._answer(deadline)
        return answer

    def end(self) -> None:
        """Ends it; services that were forked from it go on."""
        self.line.close()
        if self.owner == os.getpid():
            self.process.terminate()
            self.process.wait()

    def _send(self, order: dict[str, Any]) -> None:
        self.line.sendall(json.dumps(order).encode() + b"\n")
        self._waiting += 1

    def _answer(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._heard:
            if not select.select([self.line], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = self.line.recv(1 << 20)
            if not part:
                raise ConnectionError
            self._heard += part
        told, self._heard = self._heard.split(b"\n", 1)
        self._waiting -= 1
        answer: dict[str, Any] = json.loads(told)
        return answer


class Forked:
    """A forked service, as far as ``subprocess.Popen`` is asked of it; it is the template's child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.birth = paths.process_birth(pid)

    def poll(self) -> int | None:
        """None while it lives; its status is its record's to tell."""
        return None if self.birth and paths.alive(self.pid, self.birth) else 0

    def wait(self) -> int:
        """Returns when it is gone."""
        while self.poll() is None:
            time.sleep(0.02)
        return 0


_own: Template | None = None
_lock = threading.Lock()


def begin(family: str = "") -> None:
    """Starts this process's template where there is none, unless it is switched off or cannot work here.

    Of the models of a ``family`` (the module of their class), it imports at once what the last one needed.
    """
    global _own
    if sys.platform != "linux" or os.environ.get("EKIBEN_WARM", "").strip() == "0":
        return
    with _lock:
        if _own is None or not _own.fits:
            _end()
            with contextlib.suppress(OSError, ValueError):
                _own = Template()
                if family and _kept(family).is_file():
                    modules = json.loads(_kept(family).read_text(encoding="utf-8"))
                    _own.packages |= {name.partition(".")[0] for name in modules}
                    _own.load(modules)


def prime(tag: str, family: str, modules: Sequence[str]) -> None:
    """Has the template import what the model ``tag`` imports; where it holds other things, a new one does.

    A service must not be larger than an ordinary start would make it.
    """
    global _own
    wanted = {name.partition(".")[0] for name in modules}
    with _lock:
        if _own is None or not _own.fits:
            return
        with contextlib.suppress(OSError):
            paths.write_atomic(_kept(family), json.dumps(list(modules)))
            if _own.packages - wanted:
                _end()
                _own = Template()
            _own.packages |= wanted
            _own.primed[tag] = wanted
            _own.load(modules)


def fork(
    tag: str, arguments: Sequence[str], folder: str, environment: Mapping[str, str], log: Path, timeout: float
) -> Forked | None:
    """The service of the model ``tag`` in ``folder``, forked; None where it must start the ordinary way."""
    order = {
        "name": tag.partition(":")[0],
        "arguments": list(arguments),
        "folder": folder,
        "environment": dict(environment),
        "log": str(log),
    }
    with _lock:
        if _own is None or not _own.fits or tag not in _own.primed:
            return None
        if _own.packages - _own.primed[tag]:  # another model's too, and the service would be larger for them
            return None
        try:
            answer = _own.fork(order, timeout)
        except (OSError, ValueError):
            _end()
            return None
    return Forked(answer["pid"]) if "pid" in answer else None


def memory() -> int:
    """Resident bytes of this process's template; 0 where there is none."""
    with _lock:
        if _own is None or not _own.fits:
            return 0
        try:
            return int(psutil.Process(_own.process.pid).memory_info().rss)
        except psutil.Error:
            return 0


def held() -> tuple[int, ...]:
    """Resident bytes of each template of this user, whoever owns it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(SCRIPT) in process.cmdline()[:3] and process.ppid() != 1:
                kin = psutil.Process(process.ppid()).cmdline()
                if str(SCRIPT) not in kin[:3]:  # a service looks the same until it has a name of its own
                    found.append(int(process.memory_info().rss))
        except psutil.Error:
            continue
    return tuple(found)


def end() -> None:
    """Ends this process's template."""
    with _lock:
        _end()


def _end() -> None:
    global _own
    if _own is not None:
        _own.end()
        _own = None


def _kept(family: str) -> Path:
    return paths.home() / "warm" / f"{family.partition('.')[0] or '_'}.json"


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_EARLY) and name not in SET_BY_LIBRARIES
    }
