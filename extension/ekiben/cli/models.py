"""Verbs about models and this machine: models, doctor."""

from __future__ import annotations

import argparse

from ekiben import listings
from ekiben.cli.terminal import show


def models(options: argparse.Namespace) -> int:
    """Lists the wrapped models of the BentoML store."""
    from ekiben import capture

    return show(listings.models(capture.models()), options.json)


def doctor(options: argparse.Namespace) -> int:
    """Prints what was found; 1 where something has to be mended."""
    from ekiben.doctor import examine

    found = examine()
    show(listings.findings(found), options.json)
    return 1 if any(finding.level == "error" for finding in found) else 0
