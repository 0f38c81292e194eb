"""A finished layout to a registry: what it lacks is sent, some blobs at a time, then the name is set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from ekiben.builders.oci import layout, referrers, remote, upload
from ekiben.builders.oci.client import Client
from ekiben.builders.oci.reference import Reference, source
from ekiben.errors import BuildFailed, Cancelled
from ekiben.protocols import LayerProgress
from ekiben.records import LayerStep
from ekiben.words import _

#: Blobs on their way at a time; a small one does not wait for a large one's answers.
AT_A_TIME = 3


def send(
    target: Reference, folder: Path, base: str, say: Callable[[str], None], names: Mapping[str, str]
) -> int:
    """Pushes the image in ``folder``; gives the bytes of the blobs that had to be sent.

    ``base`` is the name of the base image: in the same registry its layers are mounted, not sent. Where
    ``say`` is a ``LayerProgress`` it hears of each layer, which ``names`` names by its digest. What ``say``
    raises stops the transfers.

    Raises:
        BuildFailed: the registry cannot be reached, or refuses.
    """
    client = Client(target.host, pushing=True)
    text = layout.manifest_text(folder)
    manifest = json.loads(text)
    below = source(base)
    mount = below.repository if below.host == target.host and below.repository != target.repository else ""
    stop, began = threading.Event(), time.monotonic()
    blobs = (*manifest["layers"], manifest["config"])
    # The largest first, so that none of them is left alone at the end.
    parcels = [
        _Parcel(digest, size, stop)
        for digest, size in sorted(
            {one["digest"]: one["size"] for one in blobs}.items(), key=lambda one: -one[1]
        )
    ]
    named = base.rpartition("@")[0]
    listed = remote.listed(client, target)

    def push(parcel: _Parcel, asking: bool) -> _Parcel:
        parcel.begin()
        if parcel.digest in listed and not asking:
            parcel.hear("there")
        else:
            file = layout.blob(folder, parcel.digest)
            of_base = names.get(parcel.digest) == named
            parcel.sent = upload.push(
                client,
                target.repository,
                parcel.digest,
                file,
                mount if of_base else "",
                parcel.tick,
                parcel.hear,
                new=bool(listed) and not asking,
            )
        parcel.end()
        return parcel

    def deliver(some: list[_Parcel], asking: bool) -> None:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            rest = {pool.submit(push, parcel, asking) for parcel in some}
            try:
                while rest:
                    ended, rest = wait(rest, timeout=0.2, return_when=FIRST_COMPLETED)
                    for one in ended:
                        done = one.result()
                        if isinstance(say, LayerProgress):
                            name = names.get(done.digest, _("the settings"))
                            say.layer(LayerStep(name, done.size, round(done.seconds, 2), done.how))
                    say(_now(parcels, began))
            except BaseException:
                stop.set()
                raise

    deliver(parcels, asking=False)
    # The name is set last: until then the registry gives what it gave before.
    try:
        remote.name(client, target, text)
    except BuildFailed:
        if not listed:
            raise
        # It has lost a blob of the image that was there before, or does not share it with this one.
        deliver([one for one in parcels if one.digest in listed], asking=True)
        remote.name(client, target, text)
    return sum(one.sent for one in parcels) + referrers.send(client, target, folder)


@dataclass
class _Parcel:
    """A blob on its way; ``bytes`` of it are there, ``sent`` by this push, and ``how`` tells how it fared."""

    digest: str
    size: int
    stop: threading.Event
    bytes: int = 0
    sent: int = 0
    how: str = ""
    waiting: bool = False
    seconds: float = 0.0

    def begin(self) -> None:
        """It leaves."""
        self.seconds = time.monotonic()
        self.tick(0)

    def tick(self, done: int) -> None:
        """So many bytes have arrived."""
        if self.stop.is_set():
            raise Cancelled(_("The build was cancelled."))
        self.bytes, self.waiting = done, False

    def hear(self, how: str) -> None:
        """Takes a word of ``upload.push``; that it broke is worth more than that it was sent."""
        if self.stop.is_set():
            raise Cancelled(_("The build was cancelled."))
        self.waiting = how == "broken"
        if how != "broken" and not (how == "sent" and self.how):
            self.how = how

    def end(self) -> None:
        """It has arrived."""
        self.seconds = time.monotonic() - self.seconds


def _now(parcels: list[_Parcel], began: float) -> str:
    """Where the push is, in a line."""
    done = sum(one.bytes for one in parcels)
    size = sum(one.size for one in parcels if one.how not in ("there", "mounted"))
    told = _(
        "Pushing · {done} of {size} MB · {seconds} s",
        done=done // 10**6,
        size=size // 10**6,
        seconds=int(time.monotonic() - began),
    )
    if any(one.waiting for one in parcels):
        return told + " · " + _("the connection broke; waiting for the registry")
    if any(one.how in ("resumed", "again") for one in parcels):
        return told + " · " + _("went on after a break")
    return told
