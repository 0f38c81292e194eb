"""An engine's lines to steps that a person understands."""

from __future__ import annotations

import re
from collections.abc import Callable

from ekiben.words import _

#: Lines of an engine's output that an error carries.
TAIL = 20

#: Podman and Buildah; Docker's old builder; Docker's BuildKit.
_STEP = re.compile(
    r"^(?:INFO: )?(?:STEP (\d+)/(\d+): |Step (\d+)/(\d+) : |#\d+ \[(?:[\w.-]+ +)?(\d+)/(\d+)\] )(.+)$"
)
#: A layer: ``--> 45083ef9d4d`` or `` ---> 45083ef9d4d``; one that was found has a line of its own before.
_LAYER = re.compile(r"^(?:INFO: )?\s*-{2,3}> (Using cache ?)?([0-9a-f]{10,64})?$")
#: A layer on its way to a registry: Podman and Buildah; Docker.
_BLOB = re.compile(
    r"^Copying blob (?:sha256:)?([0-9a-f]{12,64})\b"
    r"|^([0-9a-f]{12}): (?:Pushed|Layer already exists|Mounted from .+)$"
)
#: Where BentoML begins to repeat the engine's last words with its own traceback.
_ECHO = re.compile(r"^(?:ERROR: ?)?(?:Encountered exception while trying to build.*)?$")

#: What a step of BentoML's container file does; the first that fits is told.
_MEANINGS: tuple[tuple[str, Callable[[], str]], ...] = (
    (r"^FROM\b", lambda: _("Fetching the base image")),
    (r"pip install uv\b", lambda: _("Installing the installer")),
    (r"\buv venv\b", lambda: _("Making the Python environment")),
    (r"\buv\b.* pip install\b|install\.sh", lambda: _("Installing the Python packages")),
    (r"apt-get|apk add|yum install", lambda: _("Installing system packages")),
    (r"^COPY\b.* \. \./", lambda: _("Copying the service and the model")),
    (r"^COPY\b", lambda: _("Copying the build's files")),
    (r"groupadd|addgroup", lambda: _("Making the user that the service runs as")),
    (r"^(?:ENV|ARG|WORKDIR|EXPOSE|USER|ENTRYPOINT|RUN mkdir|RUN chmod)\b", lambda: _("Setting up the image")),
)

#: What a failed build's lines mean, and what helps.
_REMEDIES: tuple[tuple[str, Callable[[], str]], ...] = (
    (
        r"No solution found|No matching distribution|not found in the package registry|no version of",
        lambda: _(
            "A pinned package cannot be had from the index: install a released version and wrap again."
        ),
    ),
    (
        r"no space left on device",
        lambda: _("The disk is full: remove images that are not needed any more."),
    ),
    (
        r"no such host|i/o timeout|connection refused|TLS handshake|dial tcp|Temporary failure in name",
        lambda: _("A registry cannot be reached: check the network, or name another base image with base=…"),
    ),
    (
        r"manifest unknown|not found: manifest|repository does not exist|access denied|unauthorized",
        lambda: _("The base image cannot be had: check its name, log in, or name another one with base=…"),
    ),
    (
        r"cgroup|OCI runtime|ulimit|newuidmap|operation not permitted|permission denied",
        lambda: _("The engine may not run containers here: try another one with engine=…"),
    ),
)

#: The same of a push, where no base image is asked for; asked first.
_OF_A_PUSH: tuple[tuple[str, Callable[[], str]], ...] = (
    (
        r"no such host|i/o timeout|connection refused|TLS handshake|dial tcp|Temporary failure in name",
        lambda: _(
            "The registry cannot be reached: check the network and the registry's name, then push again."
        ),
    ),
    (
        r"manifest unknown|repository does not exist|access denied|unauthorized|authentication required|denied:",
        lambda: _("The registry refuses: log in there first, or push to a name that you may write to."),
    ),
)


def step_of(line: str) -> tuple[int, int, str] | None:
    """``(step, steps, instruction)`` where the line begins a step."""
    found = _STEP.match(line)
    if found is None:
        return None
    numbers = [int(group) for group in found.groups()[:6] if group is not None]
    return numbers[0], numbers[1], found.group(7).strip()


class Layers:
    """The layers that a build adds, from its lines; not those that it found."""

    def __init__(self) -> None:
        self.added: list[str] = []
        self._found = False

    def hear(self, line: str) -> None:
        """Takes one line of the engine."""
        layer = _LAYER.match(line)
        if layer is None:
            return
        # Podman tells a found layer twice, Docker says only then which one it is.
        if layer.group(1):
            self._found = True
        elif self._found:
            self._found = False
        elif layer.group(2):
            self.added.append(layer.group(2))


def spoken(lines: list[str]) -> list[str]:
    """The engine's own words of a failed build, without BentoML's frame around them."""
    plain = [line.removeprefix("INFO: ") for line in lines]
    echo = next((k for k, line in enumerate(plain) if _ECHO.match(line)), len(plain))
    return (plain[:echo] or plain)[-TAIL:]


def storing(line: str) -> bool:
    """Whether the engine has done its steps and puts the image together."""
    return bool(re.match(r"^(?:INFO: )?(?:COMMIT \S|#\d+ exporting to image)", line))


def pushed(line: str) -> str:
    """The layer of which a push tells: Podman and Buildah when it sets out, Docker when it has arrived; else ``""``."""
    found = _BLOB.match(line)
    return (found[1] or found[2]) if found else ""


def meaning(instruction: str) -> str:
    """What an instruction of the container file does, in words."""
    for pattern, words in _MEANINGS:
        if re.search(pattern, instruction):
            return words()
    return instruction if len(instruction) <= 80 else instruction[:79] + "…"


def remedy(lines: list[str], *, pushing: bool = False) -> str:
    """What helps against the failure that ``lines`` end with; of a push, else of a build."""
    text = "\n".join(lines)
    for pattern, words in (*(_OF_A_PUSH if pushing else ()), *_REMEDIES):
        if re.search(pattern, text, re.IGNORECASE):
            return words()
    return _("The log above says why.")
