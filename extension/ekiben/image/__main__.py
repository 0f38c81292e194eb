"""``python -m ekiben.image MODEL REFERENCE [--engine NAME] [--base IMAGE] [--fresh] [--push] [--compiled-only]``: a job.

``--project FOLDER`` is where the model's project lies, if not in its usual place.

Instead of a model a notebook: ``train.ipynb REFERENCE [-p NAME VALUE]… [--box NAME]``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

from ekiben.image.job import main_events
from ekiben.image.options import Options


def main(arguments: list[str] | None = None) -> int:
    """``python -m ekiben.image``."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.image")
    parser.add_argument("tag")
    parser.add_argument("reference")
    parser.add_argument("--engine")
    parser.add_argument("--base")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--push", action="store_true")
    parser.add_argument("--compiled-only", dest="native", action="store_false")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[])
    parser.add_argument("--box", default="")
    parser.add_argument("--project", default="")
    given = parser.parse_args(arguments)
    chosen = {**vars(given), "parameters": dict(given.parameter)}
    options = Options(**{each.name: chosen[each.name] for each in fields(Options)})
    return main_events(given.tag, given.reference, options)


if __name__ == "__main__":
    sys.exit(main())
