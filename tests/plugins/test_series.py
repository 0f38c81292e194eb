"""Time series of statsmodels: a row is a step after the data; what needs more than that is told what to wrap."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from ekiben.capture import capture, load_predictor
from ekiben.errors import UnsupportedModel, UnsupportedSample

pytestmark = pytest.mark.slow

RANDOM = numpy.random.default_rng(0)
WAVE = 10 + numpy.sin(numpy.arange(60) / 2) + RANDOM.normal(0, 0.1, 60)
STEPS = pandas.DataFrame({"step": range(1, 13)})


def fitted(kind: str) -> Any:
    from statsmodels.tsa.api import AutoReg, ExponentialSmoothing
    from statsmodels.tsa.arima.model import ARIMA
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    models = {
        "ARIMA": lambda: ARIMA(WAVE, order=(2, 0, 0)),
        "AutoReg": lambda: AutoReg(WAVE, lags=2),
        "ExponentialSmoothing": lambda: ExponentialSmoothing(WAVE, trend="add"),
        "ETSModel": lambda: ETSModel(WAVE, error="add", trend="add"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = models[kind]()
        return model.fit(disp=0) if kind == "ETSModel" else model.fit()


@pytest.mark.parametrize("kind", ["ARIMA", "AutoReg", "ExponentialSmoothing", "ETSModel"])
def test_a_row_is_a_step(kind: str) -> None:
    results = fitted(kind)
    record, replay = capture(results, STEPS, "wave")
    assert replay.passed and record.contract.task == "regression"
    predictor = load_predictor(Path(record.folder), record)
    got = predictor.answer([{"step": 12}, {"step": 1}])
    wanted = results.forecast(12)
    assert numpy.allclose(got["predictions"], [wanted[11], wanted[0]])
    if kind == "ARIMA":
        assert got["lower"][0] < got["predictions"][0] < got["upper"][0]
    beyond = predictor.answer([{"step": 0}, {"step": 10**12}, {"step": 2}])
    assert beyond["predictions"][:2] == [None, None] and len(beyond["warnings"]) == 2


def test_another_sample_is_told_what_a_row_is() -> None:
    for sample in (WAVE[:, None].repeat(3, axis=1), pandas.DataFrame({"sales": WAVE}), ["next month"]):
        with pytest.raises(UnsupportedSample) as caught:
            capture(fitted("AutoReg"), sample, "wave")
        assert 'pandas.DataFrame({"step": range(1, 25)})' in caught.value.remedy


def test_what_needs_more_than_the_step_is_told_what_to_wrap() -> None:
    from statsmodels.tsa.api import VAR
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    extra = RANDOM.normal(size=(60, 1))
    with pytest.raises(UnsupportedModel, match="exogenous") as caught:
        capture(SARIMAX(WAVE, exog=extra).fit(disp=0), STEPS, "wave")
    assert "forecast(len(rows), exog=rows)" in caught.value.remedy
    with pytest.raises(UnsupportedModel, match="no forecast of so many steps") as caught:
        capture(VAR(numpy.column_stack([WAVE, extra])).fit(1), STEPS, "wave")
    assert "Wrap a function" in caught.value.remedy
