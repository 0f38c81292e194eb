"""The Jupyter server extension: what runs, what builds and what was built, for the panel.

==========================================  =====================================================
``GET    ekiben/services``                  ``{"services": [Server]}``
``DELETE ekiben/services/ID``               204: stopped, or forgotten when it had failed
``GET    ekiben/services/ID/log?tail=N``    ``{"log": text}``, the last N lines
``POST   ekiben/services/ID/predict``       the service's own status and body
``GET    ekiben/services/ID/contract``      the service's Contract
``GET    ekiben/services/ID/watch``         what the service counted, and its drift by field
``GET    ekiben/jobs``                      ``{"jobs": [Job]}``
``DELETE ekiben/jobs/ID``                   the Job: cancelled, or dismissed when it had ended
``GET    ekiben/jobs/ID/log?tail=N``        ``{"log": text}``
``GET    ekiben/images``                    ``{"images": [Image]}``
``DELETE ekiben/images?reference=NAME``     the Image, which is removed
==========================================  =====================================================

All under the server's base URL and behind its authentication, authorization (resource ``ekiben``)
and XSRF check. Errors are ``EkibenError.to_json()`` in the language of ``Accept-Language``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    from jupyter_server.utils import url_path_join

    from ekiben.server.handlers import ROUTES

    base = serverapp.web_app.settings["base_url"]
    routes = [(url_path_join(base, "ekiben", route), handler) for route, handler in ROUTES]
    serverapp.web_app.add_handlers(".*$", routes)  # type: ignore[no-untyped-call]
    serverapp.log.info("ekiben: services, jobs and images under %s", url_path_join(base, "ekiben"))
