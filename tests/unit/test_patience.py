"""Work that takes long: told, bounded, and ended by an interrupt without a trace."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
import time

import pytest
from ekiben import patience
from ekiben.patience import Ended, OutOfTime, patiently


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "EVERY", 0.02)
    monkeypatch.setattr(patience, "GRACE", 60.0)  # what ends, ends at once, on a busy machine too


def forever():
    with contextlib.redirect_stdout(io.StringIO()):
        while True:
            with contextlib.suppress(Exception):  # as libraries do
                time.sleep(0.01)


def working():
    return [thread for thread in threading.enumerate() if thread.name == "ekiben work"]


def test_what_it_returns_or_raises_is_the_works_own():
    assert patiently(lambda: 3, 10, print) == 3
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0, 10, print)
    with pytest.raises(TimeoutError):  # a library's own, which is not ours
        patiently(lambda: (_ for _ in ()).throw(TimeoutError()), 10, print)


def test_it_tells_how_long_it_has_taken():
    told = []
    twice = threading.Event()

    def tell(seconds):
        told.append(seconds)
        if len(told) == 2:
            twice.set()

    assert patiently(lambda: twice.wait(60), 120, tell)
    assert told == sorted(told) and 0 < told[0] < told[-1] < 60


def test_time_is_up_and_the_work_is_gone():
    shown = sys.stdout
    with pytest.raises(OutOfTime):
        patiently(forever, 0.1, lambda seconds: None)
    assert sys.stdout is shown and not working()


def test_an_interrupt_ends_it():
    shown = sys.stdout
    with pytest.raises(KeyboardInterrupt):
        patiently(forever, 60, lambda seconds: signal.raise_signal(signal.SIGINT))
    assert sys.stdout is shown and not working()


def test_what_does_not_end_is_left_and_does_not_hold_the_output(monkeypatch):
    monkeypatch.setattr(patience, "GRACE", 0.3)
    shown, free = sys.stdout, threading.Event()

    def stubborn():
        with contextlib.redirect_stdout(io.StringIO()):
            while not free.is_set():
                with contextlib.suppress(Ended):
                    time.sleep(0.01)

    with pytest.raises(OutOfTime):
        patiently(stubborn, 0.05, lambda seconds: None)
    assert sys.stdout is shown and working()
    free.set()
    for thread in working():
        thread.join(60)
    assert sys.stdout is shown and not working()


def test_an_import_is_let_end(monkeypatch, tmp_path):
    """Half of a module would stay, and fail whatever needs it later in the same kernel."""
    inside = threading.Event()
    monkeypatch.setattr(sys, "inside", inside, raising=False)
    text = "import sys, time\nsys.inside.set()\nfor _ in range(20):\n    time.sleep(0.02)\nwhole = True\n"
    (tmp_path / "imported_slowly.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def work():
        import imported_slowly

        assert imported_slowly.whole
        forever()

    def tell(seconds):
        if inside.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        patiently(work, 60, tell)
    assert sys.modules.pop("imported_slowly").whole and not working()
