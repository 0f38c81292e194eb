"""The warm process from which services are forked: run as a script, it knows nothing of ekiben.

It imports libraries, does nothing with them, and waits for orders on the socket whose descriptor is its
first argument, one JSON object a line: ``{"import": [names]}`` or ``{"fork": {...}}``. It ends when the
other end is closed, or after so many idle seconds (second argument).

A fork copies the forking thread alone, so a library that holds threads, or locks on their behalf, would
hang in the child. OpenBLAS ends its threads before a fork by itself and OpenMP starts none before it
computes, which never happens here. What is left is counted after each fork: where another thread ran,
the child is ended before it did anything, and the service starts the ordinary way.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any


def main() -> None:
    """Takes orders until nobody gives any."""
    line = socket.socket(fileno=int(sys.argv[1]))
    idle = float(sys.argv[2])
    del sys.path[0]  # the folder of this script
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heard = b""
    last = time.monotonic()
    while time.monotonic() - last < idle:
        ready, _w, _x = select.select([line], [], [], 1.0)
        _reap()
        if not ready:
            continue
        part = line.recv(1 << 20)
        if not part:
            return
        heard += part
        *orders, heard = heard.split(b"\n")
        for order in orders:
            told = json.loads(order)
            answer = _fork(line, told["fork"]) if "fork" in told else _import(told["import"])
            line.sendall(json.dumps(answer).encode() + b"\n")
            last = time.monotonic()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _import(names: list[str]) -> dict[str, Any]:
    """Imports what can be imported; what cannot is imported, or missed, by the service itself."""
    failed = []
    for name in names:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
                failed.append(f"{name}: {error!r}")
    gc.collect()
    gc.freeze()  # what is here is shared with the services as long as nobody writes to it
    return {"failed": failed, "packages": sorted({name.partition(".")[0] for name in sys.modules})}


def _threads() -> int:
    """The threads of this process, those of C libraries too."""
    return len(os.listdir("/proc/self/task"))


def _fork(line: socket.socket, order: dict[str, Any]) -> dict[str, Any]:
    go, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(tell)
            if os.read(go, 1) == b"g":
                os.close(go)
                line.close()
                status = _become(order)
        except BaseException:  # noqa: BLE001 - told in the service's log
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(go)
    threads = _threads()
    if threads == 1:
        os.write(tell, b"g")
    os.close(tell)
    if threads > 1:
        os.waitpid(pid, 0)
        return {"refused": f"{threads} threads are running"}
    return {"pid": pid}


def _become(order: dict[str, Any]) -> int:
    """A service as ``python -m runtime.serve`` in its folder would be; the exit status."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    _name(f"ekiben: {order['name']}")
    sys.path.insert(0, order["folder"])
    sys.argv = ["runtime.serve", *order["arguments"]]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # each service its own; Python's random does so by itself
    try:
        runpy.run_module("runtime.serve", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _name(title: str) -> None:
    """Shows the process under ``title`` in ps and top; where it cannot be set, it stays as it is.

    The system says where it reads the command line (proc(5), ``arg_start`` and ``arg_end``); Python took its
    own copy of it long ago. No byte beyond is touched, and the last stays zero, or the system would read on.
    """
    try:
        with open("/proc/self/comm", "wb") as file:  # what `ps -e` and `top` show: 15 bytes
            file.write(title.encode()[:15])
        with open("/proc/self/stat", "rb") as file:
            # The name, in brackets, may hold spaces; after it comes the third of the numbered fields.
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[48 - 3]), int(fields[49 - 3])
        if 0 < start < end:
            with open("/proc/self/mem", "r+b", buffering=0) as memory:
                memory.seek(start)
                memory.write(title.encode()[: end - start - 1].ljust(end - start, b"\0"))
    except (OSError, ValueError, IndexError):
        return


if __name__ == "__main__":
    main()
