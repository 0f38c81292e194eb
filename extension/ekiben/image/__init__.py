"""Images: choose a builder, build, start once, replay, and only then call it done.

An image is built under a name of ekiben's own and gets the user's when its replay has passed, so an
earlier image of that name is never replaced by one that was not proven.

From the ground up: ``names`` and ``abilities``; ``choosing`` a builder; ``kept`` records; the image
``built`` as an object; ``proving``; ``making``, which joins them; the ``job``.
"""

from ekiben.image.built import BuiltImage, find
from ekiben.image.choosing import PREFERRED, choose, engines, predict_size
from ekiben.image.job import build_job, foresee, foresee_events, main_events, written
from ekiben.image.kept import images
from ekiben.image.making import build
from ekiben.image.names import check_reference, default_base
from ekiben.image.options import Options
from ekiben.image.proving import free_port, prove_again
from ekiben.service import replay_http, wait_ready

__all__ = [
    "PREFERRED",
    "BuiltImage",
    "Options",
    "build",
    "build_job",
    "check_reference",
    "choose",
    "default_base",
    "engines",
    "find",
    "foresee",
    "foresee_events",
    "free_port",
    "images",
    "main_events",
    "predict_size",
    "prove_again",
    "replay_http",
    "wait_ready",
    "written",
]
