"""Results of statsmodels: what ``fit`` returned, kept as a pickle because there is no other form."""

from __future__ import annotations

import copy
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ekiben.errors import UnsupportedModel
from ekiben.frameworks.pickles import first_line, pickled
from ekiben.frameworks.statsmodels_adapter import call
from ekiben.protocols import Description, Saved, knows, lineage
from ekiben.records import Finding
from ekiben.words import _

_MODEL = "statsmodels.base.model.Model"
_SERIES = "statsmodels.tsa."
#: What a row of a time series is called, and the outputs that a state space model adds.
STEP = "step"


class Statsmodels:
    """Takes results (``OLS(...).fit()``, ``smf.logit(...).fit()``, …) that predict from rows."""

    name = "statsmodels"
    classes = ("statsmodels.base.wrapper.ResultsWrapper", "statsmodels.base.model.Results", _MODEL)

    def matches(self, model: object) -> bool:
        """Looks at the names of the classes only."""
        return knows(self.classes, model)

    def describe(self, model: Any) -> Description:
        """The model's name and its columns; a formula names its own.

        Raises:
            UnsupportedModel: an unfitted model, or a time series that cannot foretell by itself.
        """
        if _MODEL in lineage(model):
            raise UnsupportedModel(
                _("The {type} is not fitted yet.", type=type(model).__name__),
                remedy=_("Wrap what its fit() returns."),
            )
        inner = model.model
        if any(kind.startswith(_SERIES) for kind in (*lineage(model), *lineage(inner))):
            return _series(model, inner)
        original: Any = getattr(inner.data, "orig_exog", None)
        named = not hasattr(inner, "formula") and hasattr(original, "columns")
        family = type(getattr(inner, "family", None)).__name__
        judges = family == "Binomial" or any(
            kind.startswith("statsmodels.discrete.discrete_model.")
            and kind.endswith((".BinaryModel", ".MultinomialModel"))
            for kind in lineage(inner)
        )
        return Description(
            estimator=type(inner).__name__,
            # What it predicts of a class is its probability, a number.
            task="prediction" if judges else "regression",
            fitted=True,
            columns=tuple(str(name) for name in original.columns) if named else None,
            width=inner.exog.shape[1] if not hasattr(inner, "formula") and inner.exog is not None else None,
        )

    def save(self, model: Any, folder: Path, example: Any) -> Saved:
        """``model.pkl``, without the training data where the model predicts without it.

        A formula is made anew from its data when it is loaded, so these travel.

        Raises:
            UnsupportedModel: a formula that is not understood away from the notebook.
        """
        imports = _imports(model)
        reason = _("statsmodels has no other form.")
        light = None if example is None else _without_data(model, example)
        saved = pickled(model if light is None else light, folder, imports, reason)
        if light is not None and getattr(light.model.data, "frame", None) is None:
            return saved
        if any(kind.startswith(_SERIES) for kind in (*lineage(model), *lineage(model.model))):
            kept = Finding("warning", _("The series that it was fitted on travels with the model."))
            return Saved(saved.storage, saved.imports, (), (*saved.findings, kept), saved.options)
        try:
            _elsewhere((folder / "model.pkl").read_bytes())
        except Exception as error:  # whatever the formula's functions raise
            raise UnsupportedModel(
                _("The saved results cannot be read back: {reason}", reason=first_line(error)),
                remedy=_(
                    "Let the formula use np.* and C() only; make other columns before fit, in the data or in "
                    "a function that you wrap."
                ),
            ) from error
        finding = Finding(
            "warning",
            _("The training data travels with the model: it cannot predict without it."),
            _("Fit on an array of numbers instead of a formula to leave it behind."),
        )
        return Saved(saved.storage, saved.imports, (), (*saved.findings, finding), saved.options)

    def adapter(self) -> Path:
        """The code that loads and calls it inside the service."""
        return Path(__file__).with_name("statsmodels_adapter.py")


def _series(model: Any, inner: Any) -> Description:
    """A time series: a row is a step after the end of the data, its answer the forecast for it.

    Raises:
        UnsupportedModel: its forecast needs more than the step.
    """
    name = type(inner).__name__
    needs = inspect.signature(model.forecast).parameters if hasattr(model, "forecast") else {}
    if "steps" not in needs or next(iter(needs)) != "steps":
        raise UnsupportedModel(
            _("The {type} has no forecast of so many steps.", type=name),
            remedy=_("Wrap a function of yours that takes rows and gives one answer a row."),
        )
    # ARIMA holds its constant among the exogenous variables, but does not count it.
    if getattr(inner, "k_exog", int(getattr(inner, "exog", None) is not None)):
        raise UnsupportedModel(
            _(
                "The {type} needs the coming values of its exogenous variables, all steps in order.",
                type=name,
            ),
            remedy=_(
                "Wrap a function whose rows they are: "
                "def forecast(rows): return results.forecast(len(rows), exog=rows)"
            ),
        )
    return Description(
        estimator=name,
        task="regression",
        fitted=True,
        columns=(STEP,),
        width=1,
        takes=_(
            "A row is a step after the end of the data: "
            'ekiben.wrap(results, pandas.DataFrame({"step": range(1, 25)}))'
        ),
    )


def _imports(model: Any) -> tuple[str, ...]:
    """A formula needs the package that reads it: patsy, or formulaic from statsmodels 0.15 on."""
    if not hasattr(model.model, "formula"):
        return ("statsmodels",)
    spec = getattr(model.model.data, "model_spec", None) or getattr(model.model.data, "design_info", None)
    return ("statsmodels", type(spec).__module__.partition(".")[0]) if spec is not None else ("statsmodels",)


def _elsewhere(content: bytes) -> Any:
    """The object in a thread of its own: a formula looks for its names in the callers, up to the notebook."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(pickle.loads, content).result()


def _without_data(model: Any, example: Any) -> Any:
    """A copy without the data that it was fitted on, or None where that would not predict the same."""
    import numpy

    try:
        light = copy.deepcopy(model)
        light.remove_data()
        found = numpy.asarray(call(_elsewhere(pickle.dumps(light)), example)["predictions"])
        wanted = numpy.asarray(call(model, example)["predictions"])
    except Exception:  # noqa: BLE001 - each kind of model fails in a way of its own
        return None
    return light if numpy.array_equal(found, wanted, equal_nan=True) else None
