"""Why a server cannot be reached, in words for the person who has to mend it."""

from __future__ import annotations

import socket
import urllib.request
from urllib.parse import urlsplit

from ekiben.builders.oci.reference import here
from ekiben.errors import BuildFailed
from ekiben.network import why
from ekiben.words import _


def unreachable(host: str, address: str, problem: BaseException, *, pushing: bool) -> BuildFailed:
    """The error for the registry ``host``, which was asked at ``address``; ``pushing`` tells what it was asked for."""
    reason = getattr(problem, "reason", problem)
    if isinstance(reason, socket.gaierror):
        asked = _proxy(address) or address
        named = asked if asked.startswith("[") else asked.partition(":")[0]
        message = _("The host name {host} cannot be resolved.", host=named)
        remedy = (
            _(
                "Check its spelling and this machine's network (DNS, VPN, proxy), or build without pushing: "
                "it can be pushed later."
            )
            if pushing
            else _(
                "Check its spelling and this machine's network (DNS, VPN, proxy), or name another base: "
                "base=… or EKIBEN_BASE_IMAGE."
            )
        )
        return BuildFailed(message, where=host, remedy=remedy)
    return BuildFailed(
        _("The registry {host} cannot be reached: {why}", host=host, why=why(problem)),
        where=host,
        remedy=_(
            "Check the network and the registry's name, or build without pushing: it can be pushed later."
        )
        if pushing
        else _("Check the network, or name another base: base=… or EKIBEN_BASE_IMAGE."),
    )


def _proxy(address: str) -> str:
    """The host of the proxy through which ``address`` is asked; empty where there is none."""
    if here(address) or urllib.request.proxy_bypass(address):
        return ""
    return urlsplit(urllib.request.getproxies().get("https", "")).hostname or ""
