"""The card as a notebook widget, over anywidget: JupyterLab, Notebook 7, VS Code, Colab, Voilà.

The trait ``card`` is CardData as JSON. The front sends ``{"id", "verb", "rows"?, "field"?, "language"?}``
with the verbs ``try``, ``serve``, ``stop``, ``text`` (any text in ``field``), ``refresh``, ``watch`` and
``foresee``; the reply is ``{"id", "ok": true, "data"}`` or ``{"id", "ok": false, "error":
EkibenError.to_json()}``. After every verb that changes something the trait is renewed before the reply goes
out. ``foresee`` asks a registry and an index, so a thread does it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ekiben import service, words
from ekiben.errors import EkibenError, MissingDependency
from ekiben.words import _

if TYPE_CHECKING:
    from ekiben.box import Box

STATIC = Path(__file__).parent / "static"
#: Verbs that change nothing, and those that take seconds.
_LOOKING = ("try", "watch", "foresee")
_ASIDE = ("foresee",)


class CardWidget(anywidget.AnyWidget):
    """Shows a box and answers its form.

    Raises:
        MissingDependency: this installation came without the front end.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    card = traitlets.Dict().tag(sync=True)

    def __init__(self, box: Box, **traits: Any) -> None:
        self._box = box
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "try": lambda message: box.try_rows(message["rows"]).to_json(),
            "serve": lambda message: box.serve().record.to_json(),
            "stop": lambda message: _stop(box),
            "text": lambda message: box.contract.field(message["field"]).text() and None,
            "refresh": lambda message: None,
            "watch": lambda message: box.watch(),
            "foresee": lambda message: box.predict_size().to_json(),
        }
        super().__init__(_esm=_static("widget.js"), _css=_static("widget.css"), card=_card(box), **traits)
        self.on_msg(self._answer)

    def _answer(self, widget: object, message: dict[str, Any], buffers: object) -> None:
        """Carries out one verb; the kernel's message loop does not wait for one that takes long."""
        if message.get("verb") in _ASIDE:
            threading.Thread(target=self._do, args=(message,), daemon=True).start()
        else:
            self._do(message)

    def _do(self, message: dict[str, Any]) -> None:
        """Carries out one verb and sends the reply; nothing is raised."""
        with words.speaking(message.get("language")):
            try:
                verb = self._verbs[message["verb"]]
                data = verb(message)
                if message["verb"] not in _LOOKING:
                    self.card = _card(self._box)
                reply = {"ok": True, "data": data}
            except EkibenError as error:
                reply = {"ok": False, "error": error.to_json()}
            except Exception as error:  # noqa: BLE001 - the boundary: the card must hear of everything
                failure = EkibenError(
                    f"{type(error).__name__}: {error}",
                    remedy=_("The cell's code may be run by hand to see more."),
                )
                reply = {"ok": False, "error": failure.to_json()}
        self.send({"id": message.get("id"), **reply})


def bundle(box: Box) -> dict[str, Any]:
    """The MIME bundle that shows ``box`` as a live card.

    Raises:
        MissingDependency: this installation came without the front end.
    """
    shown = CardWidget(box)._repr_mimebundle_()
    data: dict[str, Any] = shown[0] if shown else {}
    return data


def _static(name: str) -> str:
    path = STATIC / name
    if not path.is_file():
        raise MissingDependency(
            _("This installation of ekiben came without its front end."),
            where=str(path),
            remedy=_(
                "Install it without EKIBEN_SKIP_FRONTEND, or run npm ci && npm run build in extension/."
            ),
        )
    return path.read_text(encoding="utf-8")


def _card(box: Box) -> dict[str, Any]:
    return box.card(_variable(box)).to_json()


def _variable(box: Box) -> str:
    """The code that names ``box`` in a new cell: its variable, or the call that opens it again."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    names = () if shell is None else list(shell.user_ns.items())
    for name, value in names:
        if value is box and not name.startswith("_"):
            return str(name)
    return f'__import__("ekiben").open_box("{box.model.tag}")'


def _stop(box: Box) -> None:
    for server in service.running():
        if server.record.model == box.model.tag:
            server.stop()
