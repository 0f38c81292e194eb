"""The last resort of every framework: cloudpickle, and the user is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ekiben.errors import MissingDependency, UnsupportedModel
from ekiben.protocols import Saved
from ekiben.records import Finding
from ekiben.words import _


def pickled(model: Any, folder: Path, imports: tuple[str, ...], reason: str, **options: Any) -> Saved:
    """``model.pkl`` with a warning that says why nothing safer was found; ``reason`` is for people.

    Raises:
        MissingDependency: cloudpickle is not installed.
        UnsupportedModel: the object cannot be pickled.
    """
    try:
        import cloudpickle
    except ImportError as error:
        raise MissingDependency(
            _("cloudpickle is not installed."), remedy="%pip install cloudpickle"
        ) from error
    try:
        content = cloudpickle.dumps(model)
    except Exception as error:  # a pickle runs the object's own code
        raise UnsupportedModel(
            _("The {type} cannot be saved: {reason}", type=type(model).__name__, reason=first_line(error)),
            remedy=_("Keep files, connections and threads out of it."),
        ) from error
    (folder / "model.pkl").write_bytes(content)
    finding = Finding(
        "warning",
        _("Kept as a pickle, which can run any code when it is loaded: {reason}", reason=reason),
        _("Share the image only with people who trust you."),
    )
    return Saved("cloudpickle", (*imports, "cloudpickle"), (), (finding,), options)


def first_line(error: BaseException) -> str:
    """What an exception says, short."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def own_class(model: object, library: str) -> bool:
    """Whether the object's class is the library's own and not the user's subclass of it."""
    return type(model).__module__.partition(".")[0] == library


def subclass_reason(model: object, library: str) -> str:
    """Why a user's subclass is not kept in the library's own format."""
    return _("{type} is not a class of {library} itself.", type=type(model).__name__, library=library)
