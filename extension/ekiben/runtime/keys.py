"""The API keys in the environment: those that a service knows, and the one that a client of ours sends.

``EKIBEN_API_KEY`` holds one key, ``EKIBEN_API_KEY_FILE`` names a file with one a line (``#`` begins a
comment), as a secret is mounted into a container. The service looks at the file again and again: Kubernetes
changes a mounted secret by turning a link.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_log = logging.getLogger("ekiben")


#: Seconds after a change in which a file may change again and look the same.
FRESH = 2.0


def known(environment: Mapping[str, str]) -> list[str]:
    """Every key.

    Raises:
        ValueError: the file holds none.
        OSError: it cannot be read.
    """
    return Keys(environment).known


class Keys:
    """The keys that a service knows: those in a file as it is now, for secrets are changed while it runs.

    A file that is gone, empty or unreadable changes nothing: the last good keys stay.

    Raises:
        ValueError: the file holds none at the start.
        OSError: it cannot be read.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        own = environment.get("EKIBEN_API_KEY", "").strip()
        self._own = [own] if own else []
        file = environment.get("EKIBEN_API_KEY_FILE", "").strip()
        self.file = Path(file).expanduser() if file else None
        self._seen: Any = None
        self._told = ""
        self.known = self._own
        if self.file:
            self._seen = _state(self.file)
            self.known = self._read(self.file)

    def renewed(self) -> bool:
        """Looks whether the file changed, and takes its keys; whether they are others than before."""
        if self.file is None:
            return False
        try:
            seen = _state(self.file)
            if seen == self._seen:
                return False
            found = self._read(self.file)
        except (OSError, ValueError) as error:
            if self._told != str(error):
                self._told = str(error)
                _log.warning("The API keys stay as they were: %s", error)
            return False
        self._seen, self._told = seen, ""
        changed = found != self.known
        self.known = found
        if changed:
            _log.info("The API keys were read anew from %s: %d.", self.file, len(found))
        return changed

    def _read(self, file: Path) -> list[str]:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"EKIBEN_API_KEY_FILE: {file} is not UTF-8.") from error
        lines = [line.strip() for line in text.splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise ValueError(f"EKIBEN_API_KEY_FILE: {file} holds no key.")
        return self._own + found


def _state(file: Path) -> Any:
    """What differs when the file changed, behind whatever links; a new object each time while it is fresh."""
    found = file.stat()
    if abs(time.time() - found.st_mtime) < FRESH:
        return object()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def sent(environment: Mapping[str, str]) -> dict[str, str]:
    """The header of a request of ours: the first key there is.

    A file that cannot be read here gives none, for the service may be somebody else's and free; one that
    asks for a key says so.
    """
    try:
        keys = known(environment)
    except (OSError, ValueError):
        keys = [environment.get("EKIBEN_API_KEY", "").strip()]
    return {"X-API-Key": keys[0]} if keys and keys[0] else {}
