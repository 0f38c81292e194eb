"""The routes. Disk and processes are touched in threads, so that the server never waits."""

from __future__ import annotations

from asyncio import to_thread

from ekiben import desk, image, jobs, service
from ekiben.server.base import EkibenHandler, Polled, guarded
from ekiben.server.relay import MAX_BODY, ask
from ekiben.words import _


def _stop(identity: str) -> None:
    desk.exactly(identity).stop()


def _log(identity: str, lines: int) -> str:
    return desk.exactly(identity).log(lines)


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
        self.reply({"log": await to_thread(_log, identity, self.lines())})


class ServicePredict(EkibenHandler):
    """``ekiben/services/ID/predict``"""

    @guarded
    async def post(self, identity: str) -> None:
        server = await to_thread(desk.exactly, identity)
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
        server = await to_thread(desk.exactly, identity)
        status, body = await ask(server.url, "/contract")
        self.set_status(status)
        self.finish(body)


class ServiceWatch(Polled):
    """``ekiben/services/ID/watch``"""

    @guarded
    async def get(self, identity: str) -> None:
        server = await to_thread(desk.exactly, identity)
        status, body = await ask(server.url, "/watch")
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
        self.reply((await to_thread(desk.end, identity)).to_json())


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

    @guarded
    async def delete(self) -> None:
        found = await to_thread(image.find, self.get_query_argument("reference"))
        await to_thread(found.remove)
        self.reply(found.record.to_json())


_ID = r"([A-Za-z0-9][A-Za-z0-9_.-]*)"

ROUTES: list[tuple[str, type[EkibenHandler]]] = [
    ("services", Services),
    (rf"services/{_ID}", Service),
    (rf"services/{_ID}/log", ServiceLog),
    (rf"services/{_ID}/predict", ServicePredict),
    (rf"services/{_ID}/contract", ServiceContract),
    (rf"services/{_ID}/watch", ServiceWatch),
    ("jobs", Jobs),
    (rf"jobs/{_ID}", OneJob),
    (rf"jobs/{_ID}/log", JobLog),
    ("images", Images),
]
