"""Loads and calls statsmodels results. Travels with the service as ``runtime/adapter.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, manifest: dict[str, Any]) -> Any:
    """The results that ``folder`` keeps."""
    import cloudpickle

    return cloudpickle.loads((folder / "model.pkl").read_bytes())


def call(model: Any, data: Any) -> dict[str, Any]:
    """``predictions`` for n rows, as ``results.predict`` gives them; of a time series, of n steps ahead."""
    import numpy

    kinds = [*type(model).__mro__, *type(model.model).__mro__]
    if any(kind.__module__.startswith("statsmodels.tsa.") for kind in kinds):
        return _steps(model, numpy.asarray(data["step"] if hasattr(data, "columns") else _column(data)))
    return {"predictions": numpy.asarray(model.predict(data))}


#: Steps ahead that are foretold; one further is answered with null.
MOST_STEPS = 10_000


def _steps(model: Any, steps: Any) -> dict[str, Any]:
    """The forecast for each step (1 is the first after the data), with its 95% interval where there is one."""
    import numpy

    steps = steps.astype("float64")
    known = (steps >= 1) & (steps <= MOST_STEPS) & (steps == numpy.floor(steps))
    most = int(steps[known].max()) if known.any() else 1
    places = numpy.where(known, steps, 1).astype(int) - 1
    ahead = model.get_forecast(most) if hasattr(model, "get_forecast") else None
    values = numpy.asarray(
        ahead.predicted_mean if ahead is not None else model.forecast(most), dtype="float64"
    )
    told = {"predictions": values}
    if ahead is not None and values.ndim == 1:
        told["lower"], told["upper"] = numpy.asarray(ahead.conf_int(alpha=0.05), dtype="float64").T
    answers = {name: column[places] for name, column in told.items()}
    for column in answers.values():
        column[~known] = numpy.nan
    return answers


def _column(data: Any) -> list[Any]:
    return [row["step"] if isinstance(row, dict) else row[0] for row in data]
