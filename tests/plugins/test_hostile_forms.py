"""Rows that a model refuses are refused by its compiled form too."""

from __future__ import annotations

import numpy
import pytest
from ekiben import form_code
from sklearn import ensemble
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier
from test_converters import IRIS, KIND, tried

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODELS = {
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(5, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=2, random_state=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_numbers_that_are_infinite_in_32_bits(name, tmp_path):
    """scikit-learn's trees compare in 32 bits, and refuse what does not fit."""
    model = MODELS[name]().fit(IRIS, KIND)
    found, contract = tried(model, IRIS, tmp_path)
    assert found.form, found.reason
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    most = 2.0**128 - 2.0**103
    for value in (most, -most, 1e160):
        row = numpy.array([[value, 1.0, 1.0, 1.0]])
        with pytest.raises(ValueError, match="too large"):
            model.predict(row)
        with pytest.raises(ValueError, match="too large"):
            run([tuple(row[0].tolist())])
    row = numpy.array([[numpy.nextafter(most, 0.0), 1.0, 1.0, 1.0]])
    assert run([tuple(row[0].tolist())])["predictions"].tolist() == model.predict(row).tolist()


SOME = {
    "bag of some columns": lambda: ensemble.BaggingClassifier(
        DecisionTreeClassifier(), n_estimators=3, max_features=1, random_state=2
    ),
    "isolation": lambda: ensemble.IsolationForest(n_estimators=5, random_state=0),
    "polynomials": lambda: make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=2000)),
}


@pytest.mark.parametrize("name", SOME)
def test_large_numbers_are_refused_where_the_model_refuses_them(name, tmp_path):
    """A bag looks at the columns of its trees, an isolation forest at no size, and what follows powers at theirs."""
    model = SOME[name]().fit(IRIS, KIND)
    found, contract = tried(model, IRIS, tmp_path)
    assert found.form, found.reason
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    seen = set()
    for column in range(IRIS.shape[1]):
        for value in (1e39, -1e39, 1e200):
            row = IRIS[:1].copy()
            row[0, column] = value
            wanted, got = (
                answered(call)
                for call in (lambda row=row: model.predict(row), lambda row=row: form(run, row))
            )
            assert wanted == got, (column, value)
            seen.add(wanted is None)
    assert seen == {"isolation": {False}}.get(name, {True, False})


def test_no_class_has_a_share_where_the_model_gives_none(tmp_path):
    """All of one class against the rest may say 0; the library then divides by nothing."""
    model = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(IRIS, KIND)
    found, contract = tried(model, IRIS, tmp_path)
    assert found.form, found.reason
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    nothing = 0
    for value in (-1e4, 1e4, 1e6, -1e6):
        for column in range(IRIS.shape[1]):
            row = IRIS[:1].copy()
            row[0, column] = value
            wanted = model.predict_proba(row)
            assert run([tuple(row[0].tolist())])["probabilities"] == pytest.approx(wanted, abs=1e-9)
            nothing += not wanted.any()
    assert nothing


def answered(call):
    try:
        return call().tolist()
    except ValueError:
        return None


def form(run, row):
    return run([tuple(row[0].tolist())])["predictions"]
