"""What every face asks in the same words: which service, which job, which models."""

from __future__ import annotations

from ekiben import jobs, service
from ekiben.errors import NotFound
from ekiben.records import Job, Server
from ekiben.words import _


def server(name: str) -> Server:
    """The record of the service with this id, else of the one that serves this model.

    Raises:
        NotFound: none has this id or name.
    """
    found = service.servers()
    for one in found:
        if one.id == name:
            return one
    fitting = [one for one in found if name in (one.model, one.model.partition(":")[0])]
    if fitting:
        return max(fitting, key=lambda one: (one.state == "ready", one.started))
    raise NotFound(
        _("There is no service {name}.", name=name),
        where=name,
        remedy=_("Look at the list of services: it may have been stopped elsewhere."),
    )


def stop(name: str) -> Server:
    """Stops a service with all its processes; one that failed is forgotten."""
    found = server(name)
    if found.state in ("failed", "stopped"):
        service.forget(found.id)
    else:
        service.find(found.id).stop()
    return found


def end(identity: str) -> Job:
    """Cancels a job that runs; one that ended is dismissed from the list."""
    job = jobs.find(identity)
    if job.state == "running":
        return jobs.cancel(identity)
    jobs.forget(identity)
    return job
