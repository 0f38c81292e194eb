"""Several workers on one listening socket, watched over by a process that imports no model library.

The socket is bound and kept here, so that what a worker had not accepted yet waits for its siblings or
its successor when it dies. Workers are fresh processes: nothing heavy was started that a fork would break.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from .metrics import Figures, add
from .settings import Settings, processors

#: Seconds that a start may take, and that a worker must live before its next failure is a first one.
START = 300.0
SETTLED = 30.0
#: The pause before a worker is started again: doubled with each failure in a row, from and to (seconds).
PAUSES = (0.1, 30.0)


class Worker:
    """One process and the line to it."""

    def __init__(self, command: list[str], sock: socket.socket, threads: int) -> None:
        self.line, theirs = socket.socketpair()
        self.line.setblocking(False)
        with theirs:
            self.process = subprocess.Popen(
                [*command, "--worker", str(sock.fileno()), str(theirs.fileno())],
                pass_fds=(sock.fileno(), theirs.fileno()),
                env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))},
            )
        self.born = self.heard = time.monotonic()
        self.ready = False
        self.hangs = 0.0
        self.figures = b""
        self._part = b""
        self._unsent = b""

    def tell(self, line: bytes) -> None:
        """Sends a line, unless an earlier one is not through: the next figures come a second later."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._unsent = self._unsent or line
            self._unsent = self._unsent[self.line.send(self._unsent) :]

    def hear(self) -> None:
        """Takes in what it told, and tells nothing of its end: that is seen by ``process``."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while part := self.line.recv(1 << 20):
                self._part += part
        *lines, self._part = self._part.split(b"\n")
        if lines:
            told = json.loads(lines[-1])
            self.heard = time.monotonic()
            self.ready = True
            self.hangs = told["hangs"]
            self.figures = json.dumps(told["figures"]).encode()


class Supervisor:
    """Keeps ``settings.workers`` processes of ``command`` answering on ``sock``; ``ready`` is told once."""

    def __init__(
        self, command: list[str], sock: socket.socket, settings: Settings, ready: Callable[[], None]
    ) -> None:
        self.command = command
        self.sock = sock
        self.settings = settings
        self.tell_ready = ready
        self.workers: list[Worker] = []
        self.gone: Figures | None = None
        self.begun = False
        self.failures = 0
        self.next_start = 0.0
        self.stopping = False
        self.selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Until a signal (0), or until the first worker could not start (1)."""
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake up
        self.selector.register(woken, selectors.EVENT_READ)
        try:
            while not self.stopping:
                self._start()
                for key, _events in self.selector.select(1.0):
                    if key.data:
                        self._hear(key.data)
                    else:
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(4096)
                self._bury()
                if self.failures and not self.begun:
                    return 1
            return 0
        finally:
            self._end()

    def _stop(self, *_signal: Any) -> None:
        self.stopping = True

    def _start(self) -> None:
        """One worker at a time, the next when this one answers: they don't disturb each other's start."""
        missing = len(self.workers) < self.settings.workers
        if not missing or time.monotonic() < self.next_start or not all(w.ready for w in self.workers):
            return
        worker = Worker(self.command, self.sock, max(1, processors() // self.settings.workers))
        self.workers.append(worker)
        self.selector.register(worker.line, selectors.EVENT_READ, worker)

    def _hear(self, worker: Worker) -> None:
        worker.hear()
        if worker.ready and not self.begun:
            self.begun = True
            self.tell_ready()
        others = [other.figures for other in self.workers if other is not worker and other.figures]
        if self.gone:
            others.append(json.dumps(self.gone).encode())
        worker.tell(b"[" + b",".join(others) + b"]\n")

    def _bury(self) -> None:
        """Ends workers that hang, and takes leave of those that ended."""
        now = time.monotonic()
        most = self.settings.limits.seconds + 10
        for worker in self.workers.copy():
            silent = now - worker.heard
            hung = max(worker.hangs, silent) > most if worker.ready else silent > START
            if worker.process.poll() is None:
                if hung:
                    self._say(f"Worker {worker.process.pid} hangs and is ended.")
                    worker.process.kill()
                continue
            worker.hear()
            self.selector.unregister(worker.line)
            worker.line.close()
            self.workers.remove(worker)
            if worker.figures:
                told: Figures = json.loads(worker.figures)
                del told["now"]  # what is, not what was counted
                self.gone = add(self.gone, told) if self.gone else told
            settled = worker.ready and now - worker.born > SETTLED
            self.failures = 1 if settled else self.failures + 1
            pause = min(PAUSES[0] * 2 ** (self.failures - 1), PAUSES[1])
            self.next_start = now + pause
            if self.begun:
                self._say(
                    f"Worker {worker.process.pid} ended with status {worker.process.returncode}; "
                    f"another one is started in {pause:.1f} s."
                )

    def _end(self) -> None:
        """Asks all workers to finish what is in flight, and kills what is left after the limit."""
        self.sock.close()
        for worker in self.workers:
            worker.process.terminate()
        deadline = time.monotonic() + self.settings.drain + 1.5
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
