"""Verbs about images and jobs: build, images, jobs, cancel."""

from __future__ import annotations

import argparse

from ekiben import desk, listings
from ekiben import jobs as job_store
from ekiben.cli.terminal import Steps, note, show
from ekiben.words import _


def build(options: argparse.Namespace) -> int:
    """Builds as a job, so that the panel and ``ekiben jobs`` show it; Ctrl-C cancels it."""
    from ekiben import image

    chosen = {"engine": options.engine, "base": options.base, "fresh": not options.no_fresh}
    chosen["push"] = options.push
    if options.events:
        return image.main_events(options.tag, options.reference, **chosen)
    steps = Steps()
    try:
        made = image.build_job(options.tag, options.reference, **chosen, show=steps.show)
    finally:
        steps.close()
    print(listings.images([made.record]).text())
    return 0


def images(options: argparse.Namespace) -> int:
    """Lists images that were proven."""
    from ekiben import image

    return show(listings.images(image.images()), options.json)


def jobs(options: argparse.Namespace) -> int:
    """Lists jobs."""
    return show(listings.jobs(job_store.jobs()), options.json)


def cancel(options: argparse.Namespace) -> int:
    """Cancels a job, or dismisses it."""
    running = job_store.find(options.id).state == "running"
    desk.end(options.id)
    note(_("Cancelled {id}.", id=options.id) if running else _("Dismissed {id}.", id=options.id))
    return 0
