"""What all tests share: a home of their own, and the promise that no process of theirs stays behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
from rig import container_rig  # noqa: F401 - a fixture for all folders

REPOSITORY = Path(__file__).resolve().parent.parent
MARK = "EKIBEN_TEST_SESSION"
OURS = ("ekiben", "bentoml", "service:", "runtime", "uvicorn")

#: The environment as the person has it: pip and npm find their settings only with its HOME. A worker of
#: xdist begins with the home already moved, and is told.
BEFORE = "EKIBEN_TEST_HOME_BEFORE"
PERSON = {**os.environ, "HOME": os.environ.get(BEFORE, os.environ.get("HOME", ""))}
SESSION = uuid.uuid4().hex

#: What Hypothesis makes is the same everywhere, however long a busy machine needs for it.
hypothesis.settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Moves the home before any library reads it: BentoML does so on import.

    A shell that puts a job behind has it ignore interrupts, and all it starts: the tests send some.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="ekiben-tests-"))
    places = {
        "HOME": home,
        "BENTOML_HOME": home / "bentoml",
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "jupyter" / "config",
        "JUPYTER_DATA_DIR": home / "jupyter" / "data",
        "JUPYTER_RUNTIME_DIR": home / "jupyter" / "runtime",
    }
    os.environ[BEFORE] = PERSON["HOME"]
    for name, place in places.items():
        place.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(place)
    os.environ |= {MARK: SESSION, "BENTOML_DO_NOT_TRACK": "True", "EKIBEN_LANG": "en"}
    # OpenMP's threads wait for each other awake: with tests beside them for longer than they work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    config.stash[HOME] = home


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the home; a file that a closing process still holds does not matter."""
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


HOME = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Chance is the same in each run, whichever tests ran before: not every model takes a seed of its own."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile`` a folder whose files share services goes to one worker, as a file does."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByService(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return SHARING if file.startswith(SHARING) else file

    return ByService(config, log)


#: Its session-scoped services would otherwise be started by every worker.
SHARING = "tests/protocols/"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def person() -> dict[str, str]:
    """The environment from before the tests moved the home, for what needs pip's or npm's settings."""
    return dict(PERSON)


@pytest.fixture(scope="session")
def kserve(person: dict[str, str]) -> Iterator[Any]:
    """KServe's SDK."""
    from rig.clients import Client  # imports ekiben, for which the home must have moved

    client = Client("kserve", person)
    yield client
    client.close()


@pytest.fixture(scope="session")
def tensorflow_client(person: dict[str, str]) -> Iterator[Any]:
    """tensorflow-serving-api."""
    from rig.clients import Client

    client = Client("tensorflow", person)
    yield client
    client.close()


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model store and runtime directory for one test alone; gives their parent."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    return tmp_path


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's settings of this test, to be written; no other login is known."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker" / "config.json"


@pytest.fixture(scope="session", autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Fails the session when a service, a job or their workers outlive the tests; ends them too."""
    yield
    if "ekiben.template" in sys.modules:
        sys.modules["ekiben.template"].end()
    deadline = time.monotonic() + 60
    while (left := _left_behind()) and time.monotonic() < deadline:
        time.sleep(0.1)
    told = [f"{process.pid} {' '.join(process.cmdline())[:160]}" for process in left]
    for process in left:
        process.kill()
    assert not told, "processes that the tests started are still there:\n" + "\n".join(told)


def _left_behind() -> list[psutil.Process]:
    """Processes with this session's mark in their environment that run code of ours."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.pid != os.getpid() and process.environ().get(MARK) == SESSION
            told = process.cmdline()
            # A forked service has a title in place of a command.
            told = told[not " ".join(told).startswith("ekiben:") :]
            if marked and any(word in " ".join(told) for word in OURS):
                found.append(process)
        except psutil.Error:  # it ended while we looked, or belongs to somebody else
            continue
    return found
