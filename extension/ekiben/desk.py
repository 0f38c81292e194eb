"""What every face asks in the same words: how a service ends, how a job ends."""

from __future__ import annotations

from ekiben import jobs, service
from ekiben.errors import NotFound
from ekiben.records import Job, Server
from ekiben.service import RunningServer
from ekiben.words import _


def exactly(identity: str) -> RunningServer:
    """The service with this very id, running or failed.

    Raises:
        NotFound: there is none.
    """
    for record in service.servers():
        if record.id == identity:
            return RunningServer(record)
    raise NotFound(
        _("There is no service {name}.", name=identity),
        where=identity,
        remedy=_("Look at the list of services: it may have been stopped elsewhere."),
    )


def serving(name: str) -> RunningServer | None:
    """The newest running service with this id, model tag or model name, or None."""
    fitting = (
        one
        for one in reversed(service.running())
        if name in (one.record.id, one.record.model, one.record.model.partition(":")[0])
    )
    return next(fitting, None)


def stop_all() -> tuple[Server, ...]:
    """Stops every service and forgets those that failed; gives their records."""
    ended = service.servers()
    for record in ended:
        RunningServer(record).stop()
    return ended


def end(identity: str) -> Job:
    """Cancels a job that runs; one that ended is dismissed from the list.

    Raises:
        NotFound: there is no such job.
    """
    job = jobs.find(identity)
    if job.state == "running":
        return jobs.cancel(identity)
    jobs.forget(identity)
    return job
