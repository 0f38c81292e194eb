"""``ekiben …`` on the command line: the verbs of the API.

Listings go to the standard output and everything else to the standard error. Exit statuses are
those of :mod:`ekiben.errors`; 2 is a wrong command line, 130 an interruption.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ekiben.cli.parser import make_parser
from ekiben.cli.terminal import complain
from ekiben.errors import EkibenError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (``sys.argv`` unless given) and returns the exit status."""
    options = make_parser().parse_args(arguments)
    module, name = options.run
    try:
        # A listing needs no BentoML: each verb imports what it uses.
        status: int = getattr(import_module(f"ekiben.cli.{module}"), name)(options)
        sys.stdout.flush()
    except EkibenError as error:
        complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough, as in `ekiben log ID | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
