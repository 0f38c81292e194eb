"""Neighbours, compiled: of several as near the ones that scikit-learn takes, in every kind of tree and in none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy
import pytest
from ekiben import form_code
from ekiben.converters.program_converter import Arrays
from sklearn import neighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_converters import ARRAYS, DIABETES, IRIS, KIND, TARGET, Made, agrees, on, tried

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RANDOM = numpy.random.default_rng(0)
#: Rows of few whole numbers, with classes that have nothing to do with where they are: almost all are at ties.
GRID = RANDOM.integers(0, 4, (300, 3)).astype(float)
FOUR = RANDOM.integers(0, 4, 300)
BESIDE = numpy.concatenate((GRID, RANDOM.integers(-1, 6, (100, 3)) / 2.0))
NAMES = numpy.array(["setosa", "versicolor", "virginica"])[KIND]


def classifier(**settings: Any) -> Callable[[], Any]:
    return lambda: neighbors.KNeighborsClassifier(**settings)


CASES: dict[str, Made] = {
    "iris": on(IRIS, KIND, ARRAYS, classifier()),
    "iris, names": on(IRIS, NAMES, ARRAYS, classifier()),
    "iris, bits": on(IRIS, KIND == 1, ARRAYS, classifier(n_neighbors=8)),
    "iris by distance": on(IRIS, KIND, ARRAYS, classifier(weights="distance", n_neighbors=6)),
    "iris of 32 bits": on(IRIS.astype("float32"), KIND, ARRAYS, classifier()),
    "iris in balls": on(IRIS, KIND, ARRAYS, classifier(algorithm="ball_tree")),
    "iris scaled": on(IRIS, KIND, ARRAYS, lambda: make_pipeline(StandardScaler(), classifier()())),
    "grid": on(GRID.astype(int), FOUR, ARRAYS, classifier(n_neighbors=7)),
    "hundred classes": on(
        DIABETES, numpy.arange(len(DIABETES)) % 100, ARRAYS, classifier(weights="distance")
    ),
    "several outputs": on(GRID, numpy.c_[FOUR, FOUR % 2], ARRAYS, classifier()),
    "numbers": on(IRIS, KIND * 1.5, ARRAYS, neighbors.KNeighborsRegressor),
    "numbers by distance": on(
        GRID, FOUR * 1.5, ARRAYS, lambda: neighbors.KNeighborsRegressor(4, weights="distance")
    ),
    "lonely": on(GRID, None, ARRAYS, lambda: neighbors.LocalOutlierFactor(novelty=True)),
    "within": on(IRIS, NAMES, ARRAYS, lambda: neighbors.RadiusNeighborsClassifier(0.7)),
    "within, else one": on(
        IRIS, NAMES, ARRAYS, lambda: neighbors.RadiusNeighborsClassifier(0.7, outlier_label="most_frequent")
    ),
    "within by distance": on(
        IRIS, KIND, ARRAYS, lambda: neighbors.RadiusNeighborsClassifier(1.1, weights="distance")
    ),
    "numbers within": on(DIABETES, TARGET, ARRAYS, lambda: neighbors.RadiusNeighborsRegressor(0.15)),
    "whole numbers within": on(
        GRID, FOUR, ARRAYS, lambda: neighbors.RadiusNeighborsRegressor(1.0, weights="distance", p=1)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)


def as_served(model: Any, contract: Any, folder: Any) -> Callable[[Any], Any]:
    Arrays().convert(model, contract, None, folder)
    form_code.keep(Arrays().runner(), folder)
    run = form_code.load(folder).load(folder, contract.to_json())
    return lambda x: run([tuple(row) for row in x.tolist()])


@pytest.mark.parametrize("metric", [{"p": 1}, {"p": 2}, {"metric": "chebyshev"}])
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
def test_of_those_as_near_it_takes_the_same(algorithm, metric, tmp_path):
    """Not one label differs, though hundreds of rows hang on which of the neighbours counts."""
    (tmp_path / "tried").mkdir()
    _found, contract = tried(classifier()().fit(GRID, FOUR), GRID, tmp_path / "tried")
    hung = 0
    for place, (count, weights) in enumerate(product((2, 5, 8, 13), ("uniform", "distance"))):
        settings = {"n_neighbors": count, "weights": weights, "leaf_size": 2 * count, "algorithm": algorithm}
        model = neighbors.KNeighborsClassifier(**settings, **metric).fit(GRID, FOUR)
        (tmp_path / str(place)).mkdir()
        got = as_served(model, contract, tmp_path / str(place))(BESIDE)
        assert got["predictions"].tolist() == model.predict(BESIDE).tolist(), settings
        numpy.testing.assert_allclose(got["probabilities"], model.predict_proba(BESIDE), rtol=1e-12)
        other = neighbors.KNeighborsClassifier(**settings, **metric).fit(GRID[::-1], FOUR[::-1])
        hung += int((other.predict(BESIDE) != model.predict(BESIDE)).sum())
    assert hung > 100, "the rows were not at ties"


def test_rows_that_are_infinitely_far_are_answered_alike_or_refused(tmp_path):
    """Squares of such numbers are infinite, so no row is nearer than another."""
    far = numpy.array([[1e200, 0.0, 1.0], [-1e300, 1e300, 0.0], [1e-300, 0.0, 5e-324]])
    (tmp_path / "tried").mkdir()
    model = classifier()().fit(GRID, FOUR)
    _found, contract = tried(model, GRID, tmp_path / "tried")
    for place, algorithm in enumerate(("kd_tree", "ball_tree")):
        model = classifier(algorithm=algorithm)().fit(GRID, FOUR)
        (tmp_path / str(place)).mkdir()
        got = as_served(model, contract, tmp_path / str(place))(far)
        assert got["predictions"].tolist() == model.predict(far).tolist()
        weighed = classifier(algorithm=algorithm, weights="distance")().fit(GRID, FOUR)
        (tmp_path / f"weighed {place}").mkdir()
        run = as_served(weighed, contract, tmp_path / f"weighed {place}")
        with pytest.raises(ValueError, match="zero weights"):
            weighed.predict(far)
        with pytest.raises(ValueError, match="zero weights"):
            run(far)
