"""Models made of others, by kernels, or with categories of their own: compiled, and answering alike."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest
from sklearn import ensemble, linear_model, multiclass, multioutput, naive_bayes, neighbors, svm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, MeanShift
from sklearn.compose import TransformedTargetRegressor
from sklearn.covariance import EllipticEnvelope
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, RationalQuadratic, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from test_converters import (
    ARRAYS,
    DIABETES,
    IRIS,
    KIND,
    PEOPLE,
    TARGET,
    TREES,
    TWO,
    WORDS,
    Made,
    agrees,
    catboost,
    lightgbm,
    on,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAMES = numpy.array(["setosa", "versicolor", "virginica"])[KIND]
KNOWN = PEOPLE.assign(city=PEOPLE.city.fillna("?"))
TYPED = PEOPLE.assign(city=PEOPLE.city.astype("category"))
#: Whole numbers that are categories, some of which no row has.
CODES = numpy.c_[numpy.arange(300) % 7 * 2, IRIS[numpy.arange(300) % 150, 0]]


def logistic() -> Any:
    return linear_model.LogisticRegression(max_iter=500)


def members() -> list[tuple[str, Any]]:
    return [("a", logistic()), ("b", naive_bayes.GaussianNB()), ("c", DecisionTreeClassifier(random_state=0))]


def boosting(**settings: Any) -> Any:
    return ensemble.HistGradientBoostingClassifier(max_iter=15, **settings)


def combined() -> Any:
    """CatBoost with counts of categories and of their combinations, which deeper trees make."""
    return catboost(
        "CatBoostClassifier", cat_features=["city", "plan", "member"], one_hot_max_size=1, depth=4
    )


CASES: dict[str, Made] = {
    "adaboost": on(IRIS, NAMES, ARRAYS, lambda: ensemble.AdaBoostClassifier(n_estimators=15)),
    "adaboost two": on(IRIS, TWO, ARRAYS, lambda: ensemble.AdaBoostClassifier(n_estimators=15)),
    "adaboost of lines": on(
        IRIS, NAMES, ARRAYS, lambda: ensemble.AdaBoostClassifier(logistic(), n_estimators=4)
    ),
    "adaboost of numbers": on(
        DIABETES, TARGET, ARRAYS, lambda: ensemble.AdaBoostRegressor(n_estimators=15, random_state=0)
    ),
    "votes": on(IRIS, NAMES, ARRAYS, lambda: ensemble.VotingClassifier(members())),
    "votes with weights": on(
        IRIS, NAMES, ARRAYS, lambda: ensemble.VotingClassifier(members(), weights=[1, 2, 1])
    ),
    "bagging of some columns": on(
        IRIS, NAMES, ARRAYS, lambda: ensemble.BaggingClassifier(n_estimators=5, max_features=0.5)
    ),
    "bagging of lines": on(
        IRIS, NAMES, ARRAYS, lambda: ensemble.BaggingClassifier(logistic(), n_estimators=3, max_features=0.5)
    ),
    "bagging of numbers": on(DIABETES, TARGET, TREES, lambda: ensemble.BaggingRegressor(n_estimators=5)),
    "stack": on(IRIS, NAMES, ARRAYS, lambda: ensemble.StackingClassifier(members(), logistic())),
    "stack two": on(
        IRIS,
        TWO,
        ARRAYS,
        lambda: ensemble.StackingClassifier(
            [*members(), ("d", svm.LinearSVC())], ensemble.RandomForestClassifier(5), passthrough=True
        ),
    ),
    "stack of numbers": on(
        DIABETES,
        TARGET,
        ARRAYS,
        lambda: ensemble.StackingRegressor([("r", linear_model.Ridge()), ("s", svm.SVR())]),
    ),
    "one against the rest": on(IRIS, NAMES, ARRAYS, lambda: multiclass.OneVsRestClassifier(logistic())),
    "one against the rest, two": on(IRIS, TWO, ARRAYS, lambda: multiclass.OneVsRestClassifier(logistic())),
    "one against one": on(IRIS, NAMES, ARRAYS, lambda: multiclass.OneVsOneClassifier(svm.LinearSVC())),
    "several classes": on(
        IRIS,
        numpy.c_[NAMES, NAMES[::-1]],
        ARRAYS,
        lambda: multioutput.MultiOutputClassifier(logistic()),
    ),
    "logarithm of the target": on(
        DIABETES,
        TARGET,
        ARRAYS,
        lambda: TransformedTargetRegressor(linear_model.Ridge(), func=numpy.log1p, inverse_func=numpy.expm1),
    ),
    "scaled target": on(
        DIABETES, TARGET, ARRAYS, lambda: TransformedTargetRegressor(svm.SVR(), transformer=StandardScaler())
    ),
    "threshold": on(
        IRIS,
        TWO,
        ARRAYS,
        lambda: FixedThresholdClassifier(logistic(), threshold=0.3, response_method="predict_proba"),
    ),
    "isotonic": on(
        IRIS,
        NAMES,
        ARRAYS,
        lambda: CalibratedClassifierCV(ensemble.RandomForestClassifier(5), method="isotonic"),
    ),
    "isotonic two": on(IRIS, TWO, ARRAYS, lambda: CalibratedClassifierCV(svm.LinearSVC(), method="isotonic")),
    "calibrated support": on(IRIS, NAMES, ARRAYS, lambda: CalibratedClassifierCV(svm.SVC(), ensemble=False)),
    "support with probabilities": on(IRIS, NAMES, ARRAYS, lambda: svm.SVC(probability=True)),
    "support with probabilities, two": on(IRIS, TWO, ARRAYS, lambda: svm.SVC(probability=True)),
    "support of one class": on(IRIS, None, ARRAYS, lambda: svm.OneClassSVM(nu=0.1)),
    "kernel ridge": on(DIABETES, TARGET, ARRAYS, lambda: KernelRidge(kernel="rbf")),
    "process": on(
        DIABETES,
        TARGET,
        ARRAYS,
        lambda: GaussianProcessRegressor(
            ConstantKernel() * Matern(nu=1.5) + WhiteKernel(), normalize_y=True, optimizer=None
        ),
    ),
    "process of several": on(
        DIABETES[:200],
        numpy.c_[TARGET, -TARGET][:200],
        ARRAYS,
        lambda: GaussianProcessRegressor(RationalQuadratic() ** 2 + WhiteKernel(), optimizer=None),
    ),
    "lonely rows": on(
        DIABETES, None, ARRAYS, lambda: neighbors.LocalOutlierFactor(n_neighbors=10, novelty=True)
    ),
    "quadratic": on(IRIS, NAMES, ARRAYS, QuadraticDiscriminantAnalysis),
    "mixture": on(IRIS, None, ARRAYS, lambda: GaussianMixture(3, random_state=0)),
    "mixture, diagonal": on(
        IRIS, None, ARRAYS, lambda: GaussianMixture(3, covariance_type="diag", random_state=0)
    ),
    "mixture of its own number": on(
        IRIS, None, ARRAYS, lambda: BayesianGaussianMixture(n_components=3, random_state=0)
    ),
    "shifted means": on(IRIS, None, ARRAYS, lambda: MeanShift(bandwidth=1.0)),
    "one mean": on(IRIS, None, ARRAYS, lambda: MeanShift(bandwidth=100.0)),
    "birch": on(IRIS, None, ARRAYS, lambda: Birch(n_clusters=3)),
    "without the outliers": on(
        DIABETES, TARGET, ARRAYS, lambda: linear_model.RANSACRegressor(random_state=0)
    ),
    "latent": on(DIABETES, TARGET, ARRAYS, lambda: PLSRegression(3)),
    "latent, several": on(DIABETES, numpy.c_[TARGET, -TARGET], ARRAYS, lambda: PLSRegression(3)),
    "envelope": on(IRIS, None, ARRAYS, lambda: EllipticEnvelope(random_state=0)),
    "bag of neighbours": on(
        DIABETES,
        TARGET,
        ARRAYS,
        lambda: ensemble.BaggingRegressor(neighbors.KNeighborsRegressor(3), n_estimators=3),
    ),
    "histogram, categories by type": on(TYPED, WORDS, ARRAYS, boosting),
    "histogram, categories by name": on(
        PEOPLE, WORDS, ARRAYS, lambda: boosting(categorical_features=["city", "plan"])
    ),
    "histogram, numbered categories": on(
        CODES, WORDS, ARRAYS, lambda: boosting(categorical_features=[0])
    ),
    "lightgbm, numbered categories": on(
        CODES, WORDS, ARRAYS, lambda: lightgbm("LGBMClassifier", categorical_feature=[0])
    ),
    "lightgbm, categories with gaps": on(TYPED, WORDS, ARRAYS, lambda: lightgbm("LGBMClassifier")),
    "catboost, categories": on(
        KNOWN[["age", "income", "plan"]],
        WORDS,
        ARRAYS,
        lambda: catboost("CatBoostClassifier", cat_features=["plan"]),
    ),
    "catboost, combined categories": on(KNOWN, WORDS, ARRAYS, combined),
    "catboost of numbers, categories": on(
        KNOWN,
        KNOWN.age * 2.0,
        ARRAYS,
        lambda: catboost("CatBoostRegressor", cat_features=["city", "plan", "member"], one_hot_max_size=1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)


def test_catboosts_hash_of_any_text(tmp_path):
    """The library writes its own hashes of a pool's categories beside a model in Python."""
    import random

    from catboost import Pool
    from ekiben.converters.program_runner.categories import category

    die = random.Random(0)
    texts = ["".join(die.choice("abc東é z0") for _letter in range(place % 140)) for place in range(280)]
    frame, target = pandas.DataFrame({"text": texts}), numpy.arange(len(texts)) % 2
    model = catboost("CatBoostClassifier", cat_features=["text"]).fit(frame, target)
    file = tmp_path / "model.py"
    model.save_model(str(file), format="python", pool=Pool(frame, target, cat_features=["text"]))
    names: dict[str, Any] = {}
    exec(file.read_text(encoding="utf-8"), names)
    told = {text.encode("latin-1").decode(): number for text, number in names["cat_features_hashes"].items()}
    assert set(told) == set(texts)
    assert {text: category(text) for text in texts} == told
