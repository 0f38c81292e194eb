"""Verbs about images and jobs: build, images, jobs, cancel."""

from __future__ import annotations

import argparse

from ekiben import desk, listings
from ekiben import jobs as job_store
from ekiben.cli.terminal import note, show
from ekiben.words import _


def images(options: argparse.Namespace) -> int:
    """Lists images that were proven."""
    from ekiben import image

    return show(listings.images(image.images()), options.json)


def jobs(options: argparse.Namespace) -> int:
    """Lists jobs."""
    return show(listings.jobs(job_store.jobs()), options.json)


def cancel(options: argparse.Namespace) -> int:
    """Cancels a job, or dismisses it."""
    job = desk.end(options.id)
    told = _("Cancelled {id}.", id=job.id) if job.state == "cancelled" else _("Dismissed {id}.", id=job.id)
    note(told)
    return 0
