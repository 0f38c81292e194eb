"""The command line's grammar."""

from __future__ import annotations

import argparse

from ekiben import __version__
from ekiben.cli.grammar import Parser
from ekiben.words import _


def make_parser() -> argparse.ArgumentParser:
    """The parser; ``options.run`` names the module and function of the verb."""
    top = Parser(
        prog="ekiben",
        description=_("From a notebook variable to a container image that answers like the notebook."),
    )
    top.add_argument(
        "--version", action="version", version=f"ekiben {__version__}", help=_("show the version")
    )
    verbs = top.add_subparsers(metavar=_("VERB"), required=True)

    def verb(name: str, module: str, text: str, listing: bool = False) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=(module, name))
        if listing:
            made.add_argument("--json", action="store_true", help=_("print the records as JSON"))
        return made

    identity = _("a service's id, or its model's name")
    tag = _("a wrapped model: NAME or NAME:VERSION")

    verb("models", "models", _("list wrapped models"), listing=True)

    one = verb("serve", "services", _("serve a wrapped model until Ctrl-C"))
    one.add_argument("tag", metavar="TAG", help=tag)
    one.add_argument(
        "--detach", action="store_true", help=_("print the address and the id, and leave it running")
    )
    one.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="S",
        help=_("seconds to wait until it is ready (60)"),
    )

    verb("ps", "services", _("list services"), listing=True)

    one = verb("log", "services", _("print the log of a service or a job"))
    one.add_argument("id", metavar="ID", help=_("a service's or job's id, or a model's name"))
    one.add_argument("-n", type=_lines, default=200, metavar="N", help=_("the last N lines (200)"))

    one = verb("stop", "services", _("stop a service"))
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help=identity)
    which.add_argument("--all", action="store_true", help=_("all services"))

    one = verb("predict", "services", _("ask a service, or a wrapped model that is not served"))
    one.add_argument("id", metavar="ID|TAG", help=f"{identity}; {tag}")
    one.add_argument(
        "file",
        metavar="FILE|JSON",
        help=_("a JSON file with a list of rows, or the JSON itself; - is the standard input"),
    )

    one = verb("build", "images", _("build a container image and prove it"))
    one.epilog = _(
        "Exit status: 0 built and proven, 1 failed, 2 a wrong command line, 3 nothing here that builds, "
        "4 built and not proven, 130 cancelled."
    )
    one.add_argument(
        "tag",
        metavar="TAG|NOTEBOOK",
        help=_("a wrapped model, or a notebook (.ipynb) that is run and wraps one"),
    )
    one.add_argument("-t", "--reference", default="", metavar="NAME:TAG", help=_("the image's reference"))
    one.add_argument(
        "--dry-run",
        action="store_true",
        help=_("build nothing, tell what the image will weigh; -t is not needed"),
    )
    one.add_argument(
        "--engine",
        metavar="NAME",
        help=_("the builder: oci, podman, docker, buildah, nerdctl; without it, the first that works"),
    )
    one.add_argument("--base", metavar="IMAGE", help=_("the base image"))
    one.add_argument(
        "--push", action="store_true", help=_("send the proven image to the registry in its reference")
    )
    one.add_argument(
        "--no-fresh",
        action="store_true",
        help=_("without the proof in a fresh environment of the requirements"),
    )
    one.add_argument(
        "--compiled-only",
        action="store_true",
        help=_("without what only the native object needs: small, and nothing to fall back on"),
    )
    one.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help=_("a parameter of the notebook; may be repeated"),
    )
    one.add_argument(
        "--box", default="", metavar="NAME", help=_("which model, where the notebook wraps several")
    )
    one.add_argument(
        "--json", "--events", dest="events", action="store_true", help=_("print one JSON event a line")
    )

    verb("images", "images", _("list images"), listing=True)
    named = _("an image's name, or its digest")
    one = verb("save", "images", _("write an image to this disk"))
    one.add_argument("image", metavar="IMAGE", help=named)
    one.add_argument(
        "path", metavar="PATH", help=_("NAME.tar for docker load and podman load, else an OCI layout folder")
    )
    one = verb("load", "images", _("put an image into the local engine"))
    one.add_argument("image", metavar="IMAGE", help=named)
    one = verb("push", "images", _("send a proven image to a registry"))
    one.add_argument("image", metavar="IMAGE", help=named)
    own = _("HOST/NAME:TAG; without it, the image's own name")
    one.add_argument("reference", metavar="REFERENCE", nargs="?", default="", help=own)
    one = verb("remove", "images", _("remove an image"))
    one.add_argument("image", metavar="IMAGE", help=named)
    verb("jobs", "images", _("list jobs"), listing=True)
    one = verb("cancel", "images", _("cancel a job, or dismiss one that ended"))
    one.add_argument("id", metavar="ID", help=_("the job's id"))

    verb("doctor", "models", _("look at what ekiben needs on this machine"), listing=True)
    return top


def _lines(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(_("a number of lines, 1 or more"))
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(_("a number of seconds, more than 0"))
    return number
