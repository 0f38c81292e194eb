"""Several outputs, baselines, models behind models, and further transformers: compiled, and answering alike."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from sklearn import dummy, ensemble, linear_model, multiclass, multioutput, naive_bayes, neighbors, svm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, BisectingKMeans, KMeans
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import BernoulliRBM, MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier
from test_converters import ARRAYS, DIABETES, GAPS, IRIS, KIND, TARGET, TREES, TWO, Made, agrees, on, tried

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAMES = numpy.array(["setosa", "versicolor", "virginica"])[KIND]
#: Two outputs: three classes and two, by name and by number; and three labels, any of which may be there.
NAMED = numpy.c_[NAMES, numpy.where(TWO, "yes", "no")]
NUMBERED = numpy.c_[KIND, TWO.astype(int)]
LABELS = numpy.c_[KIND > 0, KIND == 1, IRIS[:, 0] > 5.8].astype(int)
NUMBERS = numpy.c_[TARGET, -TARGET, TARGET**0.5]
COUNTS = numpy.floor(IRIS * 2).astype(int)


def logistic() -> Any:
    return LogisticRegression(max_iter=500)


def searched(model: Any, **grid: Any) -> Any:
    return GridSearchCV(model, grid, cv=2)


CASES: dict[str, Made] = {
    "tree": on(GAPS, NUMBERED, ARRAYS, DecisionTreeClassifier),
    "tree by name": on(IRIS, NAMED, ARRAYS, DecisionTreeClassifier),
    "forest": on(
        GAPS, NUMBERED, ARRAYS, lambda: ensemble.RandomForestClassifier(20, max_depth=3, random_state=0)
    ),
    "forest by name": on(
        IRIS, NAMED, ARRAYS, lambda: ensemble.ExtraTreesClassifier(20, max_depth=4, random_state=0)
    ),
    "forest of many trees": on(
        DIABETES,
        numpy.c_[TARGET // 120, TARGET // 90].astype(int),
        TREES,
        lambda: ensemble.RandomForestClassifier(60, random_state=0),
    ),
    "neighbours": on(DIABETES, NUMBERS > 100, ARRAYS, lambda: neighbors.KNeighborsClassifier(3)),
    "network of labels": on(IRIS, LABELS, ARRAYS, lambda: MLPClassifier(max_iter=50)),
    "labels": on(IRIS, LABELS, ARRAYS, lambda: multiclass.OneVsRestClassifier(logistic())),
    "labels by score": on(IRIS, LABELS, ARRAYS, lambda: multiclass.OneVsRestClassifier(svm.LinearSVC())),
    "labels by share": on(
        IRIS, LABELS, ARRAYS, lambda: multiclass.OneVsRestClassifier(naive_bayes.GaussianNB())
    ),
    "codes": on(
        IRIS, NAMES, ARRAYS, lambda: multiclass.OutputCodeClassifier(logistic(), code_size=3, random_state=0)
    ),
    "chain": on(
        IRIS, LABELS, ARRAYS, lambda: multioutput.ClassifierChain(logistic(), order=[2, 0, 1], random_state=0)
    ),
    "chain without shares": on(
        IRIS, LABELS, ARRAYS, lambda: multioutput.ClassifierChain(linear_model.RidgeClassifier())
    ),
    "chain of numbers": on(
        DIABETES, NUMBERS, ARRAYS, lambda: multioutput.RegressorChain(Ridge(), order=[1, 2, 0])
    ),
    "chain of forests": on(
        DIABETES,
        NUMBERS,
        ARRAYS,
        lambda: multioutput.RegressorChain(
            ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0)
        ),
    ),
    "categories": on(COUNTS, NAMES, ARRAYS, naive_bayes.CategoricalNB),
    "centroids": on(IRIS, NAMES, ARRAYS, NearestCentroid),
    "centroids of two": on(IRIS, TWO, ARRAYS, lambda: NearestCentroid(priors="empirical")),
    "centroids, shrunken": on(IRIS, NAMES, ARRAYS, lambda: NearestCentroid(shrink_threshold=0.3)),
    "outside a line": on(DIABETES, None, ARRAYS, lambda: linear_model.SGDOneClassSVM(nu=0.3, random_state=0)),
    "baseline": on(IRIS, NAMES, ARRAYS, dummy.DummyClassifier),
    "baseline of one class": on(
        IRIS, NAMES, ARRAYS, lambda: dummy.DummyClassifier(strategy="constant", constant="versicolor")
    ),
    "baseline of numbers": on(DIABETES, TARGET, ARRAYS, lambda: dummy.DummyRegressor(strategy="median")),
    "baseline of several": on(DIABETES, NUMBERS, ARRAYS, dummy.DummyRegressor),
    "frozen": on(IRIS, NAMES, ARRAYS, lambda: FrozenEstimator(logistic().fit(IRIS, NAMES))),
    "frozen, calibrated": on(
        IRIS, NAMES, ARRAYS, lambda: CalibratedClassifierCV(FrozenEstimator(svm.LinearSVC().fit(IRIS, NAMES)))
    ),
    "taught by itself": on(
        IRIS,
        numpy.where(numpy.arange(150) % 3 == 0, -1, KIND),
        ARRAYS,
        lambda: SelfTrainingClassifier(logistic()),
    ),
    "votes of searches": on(
        IRIS,
        NAMES,
        ARRAYS,
        lambda: ensemble.VotingClassifier(
            [("a", searched(logistic(), C=[0.1, 1.0])), ("b", naive_bayes.GaussianNB())], voting="soft"
        ),
    ),
    "stack of searches": on(
        DIABETES,
        TARGET,
        ARRAYS,
        lambda: ensemble.StackingRegressor([("a", searched(Ridge(), alpha=[0.1, 1.0])), ("b", svm.SVR())]),
    ),
    "chosen columns": on(IRIS, NAMES, ARRAYS, lambda: RFE(logistic(), n_features_to_select=2)),
    "distances to centres": on(
        IRIS, NAMES, ARRAYS, lambda: make_pipeline(KMeans(5, random_state=0), logistic())
    ),
    "distances to halves": on(
        IRIS, NAMES, ARRAYS, lambda: make_pipeline(BisectingKMeans(4, random_state=0), logistic())
    ),
    "distances to many centres": on(IRIS, NAMES, ARRAYS, lambda: make_pipeline(Birch(), logistic())),
    "hidden units": on(
        IRIS,
        NAMES,
        ARRAYS,
        lambda: make_pipeline(MinMaxScaler(), BernoulliRBM(8, random_state=0), logistic()),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)


REASONS = {
    "a label that is always there": (
        lambda: multiclass.OneVsRestClassifier(logistic()).fit(IRIS, numpy.c_[LABELS, numpy.ones(150, int)]),
        IRIS,
        "OneVsRestClassifier has no faster form yet.",
    ),
    "a chain of probabilities": (
        lambda: multioutput.ClassifierChain(logistic(), chain_method="predict_proba").fit(IRIS, LABELS),
        IRIS,
        "ClassifierChain (chain_method) has no faster form yet.",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_where_it_cannot_be_it_says_why(name, tmp_path):
    make, sample, reason = REASONS[name]
    found, _contract = tried(make(), sample, tmp_path)
    assert (found.form, found.reason) == ("", reason)
