"""The routes. Disk and processes are touched in threads, so that the server never waits."""

from __future__ import annotations

from asyncio import to_thread

from ekiben import image, jobs, service
from ekiben.errors import NotFound
from ekiben.records import Job, Server
from ekiben.server.base import EkibenHandler, Polled, guarded
from ekiben.server.relay import MAX_BODY, ask
from ekiben.words import _


def _record(identity: str) -> Server:
    for server in service.servers():
        if server.id == identity:
            return server
    raise NotFound(
        _("There is no service {name}.", name=identity),
        where=identity,
        remedy=_("It may have been stopped elsewhere: look at the list again."),
    )


def _stop(identity: str) -> None:
    if _record(identity).state in ("failed", "stopped"):
        service.forget(identity)
    else:
        service.find(identity).stop()


def _end(identity: str) -> Job:
    job = jobs.find(identity)
    if job.state == "running":
        return jobs.cancel(identity)
    jobs.dismiss(identity)
    return job


class Services(Polled):
    """``ekiben/services``"""

    @guarded
    async def get(self) -> None:
        self.reply({"services": [server.to_json() for server in await to_thread(service.servers)]})


class Service(EkibenHandler):
    """``ekiben/services/ID``"""

    @guarded
    async def delete(self, identity: str) -> None:
        await to_thread(_stop, identity)
        self.set_status(204)
        self.finish(set_content_type="text/plain")


class ServiceLog(Polled):
    """``ekiben/services/ID/log``"""

    @guarded
    async def get(self, identity: str) -> None:
        running = await to_thread(service.find, identity)
        self.reply({"log": await to_thread(running.log, self.lines())})


class ServicePredict(EkibenHandler):
    """``ekiben/services/ID/predict``"""

    @guarded
    async def post(self, identity: str) -> None:
        server = await to_thread(_record, identity)
        if len(self.request.body) > MAX_BODY:
            self.set_status(413)
            text = _("The body has {n} bytes; {limit} are allowed.", n=len(self.request.body), limit=MAX_BODY)
            self.reply({"error": text, "problems": [], "count": 0})
            return
        status, body = await ask(server.url, "/predict", self.request.body)
        self.set_status(status)
        self.finish(body)


class ServiceContract(EkibenHandler):
    """``ekiben/services/ID/contract``"""

    @guarded
    async def get(self, identity: str) -> None:
        server = await to_thread(_record, identity)
        status, body = await ask(server.url, "/contract")
        self.set_status(status)
        self.finish(body)


class Jobs(Polled):
    """``ekiben/jobs``"""

    @guarded
    async def get(self) -> None:
        self.reply({"jobs": [job.to_json() for job in await to_thread(jobs.jobs)]})


class OneJob(EkibenHandler):
    """``ekiben/jobs/ID``"""

    @guarded
    async def delete(self, identity: str) -> None:
        self.reply((await to_thread(_end, identity)).to_json())


class JobLog(Polled):
    """``ekiben/jobs/ID/log``"""

    @guarded
    async def get(self, identity: str) -> None:
        self.reply({"log": await to_thread(jobs.log, identity, self.lines())})


class Images(Polled):
    """``ekiben/images``"""

    @guarded
    async def get(self) -> None:
        self.reply({"images": [made.to_json() for made in await to_thread(image.images)]})


_ID = r"([A-Za-z0-9][A-Za-z0-9_.-]*)"

ROUTES: list[tuple[str, type[EkibenHandler]]] = [
    ("services", Services),
    (rf"services/{_ID}", Service),
    (rf"services/{_ID}/log", ServiceLog),
    (rf"services/{_ID}/predict", ServicePredict),
    (rf"services/{_ID}/contract", ServiceContract),
    ("jobs", Jobs),
    (rf"jobs/{_ID}", OneJob),
    (rf"jobs/{_ID}/log", JobLog),
    ("images", Images),
]
