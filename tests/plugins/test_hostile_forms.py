"""Rows that a model refuses are refused by its compiled form too."""

from __future__ import annotations

import numpy
import pytest
from ekiben import form_code
from sklearn import ensemble
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
