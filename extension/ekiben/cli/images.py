"""Verbs about images and jobs: build, images, jobs, cancel."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING

from ekiben import amounts, desk, listings
from ekiben import jobs as job_store
from ekiben.cli.terminal import Steps, interrupt, layer_done, note, show
from ekiben.words import _

if TYPE_CHECKING:
    from ekiben.image import Options


def build(options: argparse.Namespace) -> int:
    """Builds as a job, so that the panel and ``ekiben jobs`` show it; Ctrl-C cancels it."""
    from ekiben import image
    from ekiben.image import advisories

    chosen = image.Options(
        engine=options.engine,
        base=options.base,
        fresh=not options.no_fresh,
        push=options.push,
        parameters=dict(options.parameter),
        box=options.box,
        native=not options.compiled_only,
    )
    if options.dry_run:
        return _foresee(options, chosen)
    if options.events:
        return image.main_events(options.tag, options.reference, chosen)
    steps = Steps()
    try:
        made = image.build_job(options.tag, options.reference, chosen, show=steps.show)
    finally:
        steps.close()
    print(listings.images([made.record]).text())
    if made.record.audit is not None:
        note(advisories.sentence(made.record.audit))
    return 0


def _foresee(options: argparse.Namespace, chosen: Options) -> int:
    from ekiben import image

    if options.events:
        return image.foresee_events(options.tag, chosen)
    said = [_("Looking up the sizes …")]

    def say(_cell: int, _cells: int, message: str) -> None:
        if message != said[-1]:
            said.append(message)
            note(message)

    note(said[0])
    found = image.foresee(options.tag, chosen, say)
    print(listings.parts(found).text())
    print(listings.expected(found))
    return 0


def images(options: argparse.Namespace) -> int:
    """Lists the images that were built, proven or not."""
    from ekiben import image

    return show(listings.images(image.images()), options.json)


def save(options: argparse.Namespace) -> int:
    """Writes an image to this disk."""
    from ekiben import image

    print(image.find(options.image).save(options.path))
    return 0


def push(options: argparse.Namespace) -> int:
    """Sends an image to a registry."""
    from ekiben import image

    found = image.find(options.image)
    signal.signal(signal.SIGTERM, interrupt)  # the registry is asked to drop what is half sent
    sent = found.push(options.reference, layer_done)
    name = options.reference or found.reference
    if sent is None:
        engine = found.record.engine
        note(_("Pushed {name}; {engine} does not tell how much was sent.", name=name, engine=engine))
    else:
        note(_("Pushed {name}: {size} sent.", name=name, size=amounts.size(sent)))
    return 0


def load(options: argparse.Namespace) -> int:
    """Puts an image into the local engine's store."""
    from ekiben import image

    found = image.find(options.image)
    note(_("{engine} has {name}.", engine=found.load(), name=found.reference))
    return 0


def remove(options: argparse.Namespace) -> int:
    """Removes an image, also from the engine that has it."""
    from ekiben import image

    image.find(options.image).remove()
    note(_("Removed {name}.", name=options.image))
    return 0


def jobs(options: argparse.Namespace) -> int:
    """Lists jobs."""
    return show(listings.jobs(job_store.jobs()), options.json)


def cancel(options: argparse.Namespace) -> int:
    """Cancels a job, or dismisses it."""
    running = job_store.find(options.id).state == "running"
    desk.end(options.id)
    note(_("Cancelled {id}.", id=options.id) if running else _("Dismissed {id}.", id=options.id))
    return 0
