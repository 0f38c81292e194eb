"""A finished layout to a registry: what it lacks is sent, then the name is set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ekiben.builders.oci import layout, remote
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import Reference, source
from ekiben.words import _


def send(target: Reference, folder: Path, base: str, say: Callable[[str], None]) -> int:
    """Pushes the image in ``folder``; gives the bytes of the blobs that had to be sent.

    ``base`` is the name of the base image: in the same registry its layers are mounted, not sent.

    Raises:
        BuildFailed: the registry cannot be reached, or refuses.
    """
    client = Client(target.host)
    text = layout.manifest_text(folder)
    manifest = json.loads(text)
    below = source(base)
    mount = below.repository if below.host == target.host and below.repository != target.repository else ""
    sent = 0
    # The name is set last: until then the registry gives what it gave before.
    for blob in (*manifest["layers"], manifest["config"]):
        size, before = blob["size"], sent

        def tick(done: int, size: int = size) -> None:
            say(_("Pushing · {done} of {size} MB", done=done // 10**6, size=size // 10**6))

        file = layout.blob(folder, blob["digest"])
        sent = before + remote.push(client, target.repository, blob["digest"], file, mount, tick)
    remote.name(client, target, text)
    return sent
