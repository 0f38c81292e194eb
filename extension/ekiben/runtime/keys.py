"""The API keys in the environment: those that a service knows, and the one that a client of ours sends.

``EKIBEN_API_KEY`` holds one key, ``EKIBEN_API_KEY_FILE`` names a file with one a line (``#`` begins a
comment), as a secret is mounted into a container.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def known(environment: Mapping[str, str]) -> list[str]:
    """Every key.

    Raises:
        ValueError: the file holds none.
        OSError: it cannot be read.
    """
    keys = [environment.get("EKIBEN_API_KEY", "").strip()]
    file = environment.get("EKIBEN_API_KEY_FILE", "").strip()
    if file:
        lines = [line.strip() for line in Path(file).expanduser().read_text(encoding="utf-8").splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise ValueError(f"EKIBEN_API_KEY_FILE: {file} holds no key.")
        keys += found
    return [key for key in keys if key]


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
