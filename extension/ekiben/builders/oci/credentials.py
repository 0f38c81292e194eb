"""What ``docker login`` and ``podman login`` have kept: names and passwords of registries.

Read from ``REGISTRY_AUTH_FILE``, Podman's ``auth.json`` and Docker's ``config.json``, in this order. A
credential helper (``docker-credential-NAME``) is asked where one is set.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekiben.builders.oci.reference import HUB
from ekiben.shell import lines_log

#: Docker Hub as Docker's settings call it.
_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Login:
    """A name with its password; or, with an empty name, a token that stands for both."""

    user: str
    secret: str

    @property
    def basic(self) -> str:
        """The value of the header ``Authorization``."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def login(host: str) -> Login | None:
    """The login for a registry, or None where there is none."""
    keys = [host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"]
    if host == HUB:
        keys += [_HUB_KEY, "index.docker.io", "registry-1.docker.io"]
    for file in _files():
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
            for key in keys:
                found = _of(settings, key)
                if found is not None:
                    return found
            if settings.get("credsStore"):  # a store may know more than the file lists, as those of clouds do
                found = _asked(str(settings["credsStore"]), _HUB_KEY if host == HUB else host)
                if found is not None:
                    return found
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            lines_log.warning("%s: %s", file, problem)
            continue
    return None


def _files() -> list[Path]:
    places = [Path(os.environ["REGISTRY_AUTH_FILE"])] if os.environ.get("REGISTRY_AUTH_FILE") else []
    if os.environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(os.environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    docker = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    return [*places, Path(docker) / "config.json"]


def _of(settings: dict[str, Any], key: str) -> Login | None:
    helper = (settings.get("credHelpers") or {}).get(key)
    entry = (settings.get("auths") or {}).get(key)
    if not helper and settings.get("credsStore") and entry is not None:
        helper = settings["credsStore"]
    if helper:
        found = _asked(str(helper), key)
        if found is not None:
            return found
    if not entry:
        return None
    if entry.get("identitytoken"):
        return Login("", entry["identitytoken"])
    if entry.get("auth"):
        user, _colon, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        return Login(user, secret.rstrip("\0"))
    if entry.get("username"):
        return Login(entry["username"], entry.get("password", ""))
    return None


def _asked(helper: str, key: str) -> Login | None:
    """What a credential helper knows; it is a program that reads the registry's name."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=key, capture_output=True, text=True, timeout=30, check=True
        )
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        # Helpers fail where they know nothing; the registry may still be open to all.
        lines_log.info("%s: %s", program, type(problem).__name__)
        return None
    user = told.get("Username", "")
    return Login("" if user == "<token>" else user, told.get("Secret", ""))
