"""scikit-learn estimators and Pipelines, kept with skops."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.pickles import first_line, pickled
from ekiben.frameworks.sklearn_adapter import skops_io
from ekiben.protocols import Description, Saved
from ekiben.records import Finding
from ekiben.words import _

# Modules whose types skops may make without the user's word: they hold numbers and loops, no user code.
_KNOWN = ("sklearn.", "numpy.", "scipy.", "pandas.", "builtins.", "collections.", "functools.")


class Sklearn:
    """Takes whatever derives from scikit-learn's BaseEstimator."""

    name = "sklearn"
    classes = ("sklearn.base.BaseEstimator",)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return not issubclass(type(model), type) and any(
            kind.__module__ == "sklearn.base" and kind.__name__ == "BaseEstimator"
            for kind in type(model).__mro__
        )

    def describe(self, model: Any) -> Description:
        """Task, classes and columns as the estimator recorded them.

        Raises:
            UnsupportedModel: it has no ``predict``.
        """
        if not hasattr(model, "predict"):
            raise UnsupportedModel(
                _("The {type} has no predict.", type=type(model).__name__),
                remedy=_("Join it with the model that follows it: make_pipeline(transformer, model).")
                if hasattr(model, "transform")
                else _(
                    "It knows only the rows that it was fitted on. Fit a classifier on its labels_ and wrap that."
                ),
            )
        return Description(
            estimator=_estimator_name(model),
            task=_task(model),
            fitted=_fitted(model),
            classes=_classes(model),
            columns=_columns(model),
            width=_attribute(model, "n_features_in_"),
            parts=tuple(_parts(model)),
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.skops``, or ``model.pkl`` where skops is missing or cannot keep it."""
        imports = ("sklearn", *_modules(model))
        if not find_spec("skops"):
            reason = _('skops is not installed: run %pip install "ekiben[sklearn]" and wrap again.')
            return pickled(model, folder, imports, reason)
        io = skops_io()
        file = folder / "model.skops"
        try:
            io.dump(model, file)
            trusted = tuple(sorted(io.get_untrusted_types(file=file)))
            io.load(file, trusted=list(trusted))
        except Exception as error:  # noqa: BLE001 - skops raises whatever a foreign object raises
            file.unlink(missing_ok=True)
            reason = _("skops cannot keep it ({reason}).", reason=first_line(error))
            return pickled(model, folder, imports, reason)
        # The notebook's own code travels as a module of this name: the user wrote it.
        foreign = tuple(name for name in trusted if not name.startswith((*_KNOWN, "notebook_code_")))
        findings = (
            Finding(
                "warning",
                _("Loading it makes objects of {types}.", types=", ".join(foreign)),
                _("Check that you know where these types come from."),
            ),
        )
        return Saved("skops", (*imports, "skops"), trusted, findings if foreign else ())

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("sklearn_adapter.py")


def _attribute(model: Any, name: str) -> Any:
    # Properties such as n_features_in_ of a Pipeline raise whatever their last step lacks.
    try:
        return getattr(model, name, None)
    except Exception:  # noqa: BLE001 - an estimator's property may raise anything
        return None


def _final(model: Any) -> Any:
    steps = getattr(model, "steps", None)
    return steps[-1][1] if steps else model


def _estimator_name(model: Any) -> str:
    steps = getattr(model, "steps", None)
    if not steps:
        return type(model).__name__
    return f"{type(model).__name__}({' → '.join(type(step).__name__ for _name, step in steps)})"


def _task(model: Any) -> str:
    base = sys.modules.get("sklearn.base")
    for task, name in (
        ("classification", "is_classifier"),
        ("regression", "is_regressor"),
        ("outlier detection", "is_outlier_detector"),
        ("clustering", "is_clusterer"),
    ):
        judge = getattr(base, name, None)
        if judge and judge(model):
            return task
    return "prediction" if hasattr(model, "predict") else "transformation"


def _fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(_final(model))
    except (NotFittedError, TypeError):
        return False
    return True


def _classes(model: Any) -> tuple[Any, ...] | None:
    classes = _attribute(model, "classes_")
    if classes is None or isinstance(classes, list):  # a list: one array an output
        return None
    return tuple(classes.tolist()) if hasattr(classes, "tolist") else tuple(classes)


def _columns(model: Any) -> tuple[str, ...] | None:
    names = _attribute(model, "feature_names_in_")
    return None if names is None else tuple(str(name) for name in names)


def _parts(model: Any) -> list[Any]:
    """The estimators that live inside, transitively: steps, transformers, the fitted copies."""
    found: list[Any] = []
    waiting = list(_inner(model))
    while waiting:
        part = waiting.pop()
        if (
            hasattr(part, "get_params")
            and not isinstance(part, type)
            and all(part is not known for known in found)
        ):
            found.append(part)
            waiting.extend(_inner(part))
    return found


def _inner(model: Any) -> list[Any]:
    named = [
        entry[1]
        for key in ("steps", "transformers", "transformers_", "estimators", "transformer_list")
        for entry in getattr(model, key, None) or ()
        if isinstance(entry, tuple)
    ]
    single = [
        getattr(model, key, None) for key in ("estimator", "estimator_", "best_estimator_", "regressor_")
    ]
    return [part for part in (*named, *single) if part is not None]


def _modules(model: Any) -> tuple[str, ...]:
    """The libraries that the classes of the model and its parts come from."""
    kinds = {kind for part in (model, *_parts(model)) for kind in type(part).__mro__}
    tops = {kind.__module__.partition(".")[0] for kind in kinds}
    return tuple(sorted(tops - {"builtins", "sklearn", "__main__", "abc", "typing"}))
