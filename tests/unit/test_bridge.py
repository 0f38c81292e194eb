"""Samples that are not what the model was fitted on: noticed, explained, and joined by code that works."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy
import pandas
import pytest
from ekiben.bridge import check
from ekiben.errors import SampleMismatch
from ekiben.frameworks.sklearn import Sklearn
from ekiben.registry import framework_for
from models import applicants, diabetes, iris, people
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of boosting wait for each other awake: with other tests beside, for longer than they work."""
    with threadpool_limits(1):
        yield


def findings(model: Any, sample: Any, /, **namespace: Any) -> tuple[Any, ...]:
    return check(model, sample, Sklearn().describe(model), namespace)


def mismatch(model: Any, sample: Any, /, **namespace: Any) -> SampleMismatch:
    with pytest.raises(SampleMismatch) as caught:
        findings(model, sample, **namespace)
    assert caught.value.remedy
    return caught.value


def joined(error: SampleMismatch, **namespace: Any) -> tuple[Any, Any]:
    """What the remedy's code would wrap."""
    called: list[Any] = []

    class Ekiben:
        def wrap(self, *arguments: Any) -> None:
            called.extend(arguments)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(error.code, {**namespace, "ekiben": Ekiben()})
    model, sample = called
    return model, sample


@pytest.fixture(scope="module")
def wine() -> tuple[pandas.DataFrame, pandas.Series]:
    return load_wine(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def cities() -> tuple[pandas.DataFrame, numpy.ndarray]:
    frame = people()[["age", "city", "income", "plan"]].copy()
    frame["city"] = frame["city"].fillna("Lima")
    frame["plan"] = frame["plan"].astype(object)
    frame["income"] = frame["income"].fillna(30_000).astype("float64")
    y = numpy.where((frame["age"] > 50) ^ (frame["city"] == "Oslo"), "approved", "refused")
    return frame, y


MODELS = [
    LogisticRegression(max_iter=200),
    RandomForestClassifier(10, random_state=0),
    GradientBoostingClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=8),
    KNeighborsClassifier(),
    GaussianNB(),
    SVC(),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("with_target", [True, False], ids=["y", "no-y"])
def test_a_forgotten_scaler(wine, model, with_target):
    X, y = wine
    scaler = StandardScaler().fit(X)
    model.fit(scaler.transform(X), y)
    known = {"X": X, "scaler": scaler, "clf": model, "X_scaled": scaler.transform(X)} | (
        {"y": y} if with_target else {}
    )
    if isinstance(model, LogisticRegression) and not with_target:
        (finding,) = findings(model, X, **known)  # nothing but the variable tells
        assert finding.level == "warning" and "make_pipeline(scaler, clf)" in finding.remedy
        return
    error = mismatch(model, X, **known)
    assert "clf was fitted on what scaler makes of X" in error.message
    pipeline, sample = joined(error, **known)
    assert sample is X
    assert (pipeline.predict(X) == model.predict(known["X_scaled"])).all()


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_boosted_trees_keep_what_they_saw(wine, library):
    X, y = wine
    names = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier", "catboost": "CatBoostClassifier"}
    quiet: dict[str, Any] = {
        "catboost": {"verbose": 0, "allow_writing_files": False, "thread_count": 1},
        "lightgbm": {"verbose": -1, "n_jobs": 1},
        "xgboost": {"n_jobs": 1},
    }
    kind = getattr(importlib.import_module(library), names[library])
    scaler = StandardScaler().fit(X)
    known = {"X": X, "scaler": scaler}
    for rows, fits in ((X, True), (scaler.transform(X), False)):
        clf = kind(n_estimators=10, **quiet[library]).fit(rows, y)
        about = framework_for(clf).describe(clf)
        if fits:
            assert check(clf, X, about, {**known, "clf": clf}) == ()
            continue
        with pytest.raises(SampleMismatch, match="clf was fitted on what scaler makes of X"):
            check(clf, X, about, {**known, "clf": clf})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("with_target", [True, False], ids=["y", "no-y"])
def test_no_alarm_where_the_sample_is_right_though_a_scaler_lies_about(wine, model, with_target):
    """Another model of the same notebook was scaled; this one was not."""
    X, y = wine
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    model.fit(X_train, y_train)
    known = {"scaler": scaler, "clf": model, "X_train": X_train, "X_test": X_test, "X": X}
    known |= {"y_train": y_train, "y_test": y_test, "y": y} if with_target else {}
    assert findings(model, X_train, **known) == ()
    assert findings(model, X_test, **known) == ()
    assert findings(model, X_train.head(8), **known) == ()
    pipeline = make_pipeline(scaler, clone(model)).fit(X_train, y_train)
    assert findings(pipeline, X_train, **known, pipeline=pipeline) == ()


@pytest.mark.parametrize(
    ("model", "sample"), [iris(), diabetes(), applicants()], ids=["forest", "regression", "columns"]
)
def test_no_alarm_for_well_behaved_models(model, sample):
    assert findings(model, sample, model=model, X=sample) == ()


def test_no_alarm_for_a_poor_model_of_unequal_classes():
    """Answering the commonest class always would look better by plain accuracy."""
    random = numpy.random.default_rng(0)
    X = random.normal(5, 2, (400, 3))
    y = (random.random(400) < 0.1 + 0.1 * (X[:, 0] > 6)).astype(int)
    model = LogisticRegression(class_weight="balanced").fit(X, y)
    scaler = StandardScaler().fit(X)
    assert findings(model, X, X=X, y=y, scaler=scaler, model=model, X_scaled=scaler.transform(X)) == ()


def test_the_classes_tell_a_target_that_is_not_named_like_one(wine):
    """A linear model keeps nothing of its data: without the target nothing tells, whatever it is called."""
    X, y = wine
    named = pandas.Series(numpy.array(["low", "mid", "high"])[y])
    scaler = StandardScaler().fit(X)
    clf = LogisticRegression().fit(scaler.transform(X), named)
    for beside in ({"quality": named}, {"quality": named.tolist()}, {"df": X.assign(quality=named)}):
        error = mismatch(clf, X, clf=clf, X=X, scaler=scaler, **beside)
        assert "fitted on what scaler makes of X" in error.message
        # Nothing is held against rows that are right, nor where the labels are of other rows.
        pipeline = make_pipeline(scaler, clf)
        assert findings(pipeline, X, pipeline=pipeline, X=X, scaler=scaler, **beside) == ()
    other = {"quality": named.sample(frac=1, random_state=0).to_numpy(), "ages": numpy.arange(len(X))}
    assert findings(clf, X, clf=clf, X=X, scaler=scaler, **other) == ()


@pytest.mark.parametrize("kind", [LinearRegression, Ridge, SVR], ids=lambda kind: kind.__name__)
def test_numbers_tell_a_target_that_is_not_named_like_one(kind):
    random = numpy.random.default_rng(0)
    X = pandas.DataFrame(
        random.normal([40, 3000, 7], [12, 900, 2], (200, 3)), columns=["age", "rent", "rooms"]
    )
    price = (X["rent"] / 900 - X["age"] / 12 + random.normal(0, 0.2, 200)).rename("price")
    scaler = StandardScaler().fit(X)
    model = kind().fit(scaler.transform(X), price)
    nothing = {
        "order": numpy.arange(200),
        "noise": random.normal(size=200).tolist(),
    }  # numbers, and no target
    for beside in ({"price": price}, {"price": price.to_numpy()}, {"df": X.assign(price=price)}):
        known = {**nothing, "X": X, "scaler": scaler, **beside}
        error = mismatch(model, X, model=model, **known)
        assert "model was fitted on what scaler makes of X" in error.message and "R²" in error.message
        pipeline, _ = joined(error, model=model, **known)
        assert (pipeline.predict(X) == model.predict(scaler.transform(X))).all()
        # Nothing is held against rows that are right, whether the target is there or not.
        right = kind().fit(X, price)
        assert findings(right, X, model=right, **known) == ()
        assert findings(pipeline, X, model=pipeline, **known) == ()
    # Numbers that no answers fit do not hide what else is suspicious.
    twin = {"X": X, "scaler": scaler, "X_scaled": scaler.transform(X)}
    if kind is not SVR:  # it keeps rows, which tell
        (finding,) = findings(model, X, model=model, **nothing, **twin)
        assert finding.level == "warning" and "nothing tells which" in finding.message


def test_two_transformers_one_after_the_other(wine):
    X, y = wine
    scaler = StandardScaler().fit(X)
    pca = PCA(3).fit(scaler.transform(X))
    clf = LogisticRegression().fit(pca.transform(scaler.transform(X)), y)
    known = {"X": X, "y": y, "pca": pca, "scaler": scaler, "clf": clf}
    error = mismatch(clf, X, **known)
    assert "The sample has 13 columns, the model was fitted on 3" in error.message
    assert "scaler → pca would bridge the gap" in error.message
    assert error.code.endswith("box = ekiben.wrap(make_pipeline(scaler, pca, clf), X)")
    assert joined(error, **known)[0].score(X, y) > 0.9


def test_already_scaled_rows_for_a_pipeline_that_scales(wine):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    X_scaled = StandardScaler().fit_transform(X)
    error = mismatch(pipeline, X_scaled, X=X, X_scaled=X_scaled, y=y, pipeline=pipeline)
    assert error.code == "box = ekiben.wrap(pipeline, X)"
    assert findings(pipeline, X, X=X, X_scaled=X_scaled, y=y, pipeline=pipeline) == ()


def test_a_regression_on_scaled_rows():
    model, X = diabetes()
    y = model.predict(X) + 1
    raw = X * 37 + 5
    scaler = MinMaxScaler().fit(raw)
    fitted = LinearRegression().fit(scaler.transform(raw), y)
    error = mismatch(fitted, raw, X=raw, y=y, scaler=scaler, reg=fitted)
    assert "R²" in error.message and "make_pipeline(scaler, reg)" in error.remedy


def test_scaled_columns_put_back_into_the_frame(cities):
    frame, y = cities
    X = frame[["age", "income"]].assign(old=frame["age"] > 70)
    scaler = StandardScaler().fit(X[["age", "income"]])
    X_ready = X.copy()
    X_ready[["age", "income"]] = scaler.transform(X[["age", "income"]])
    clf = RandomForestClassifier(20, random_state=0).fit(X_ready, y)
    known = {"X": X, "y": y, "scaler": scaler, "clf": clf}
    model, _sample = joined(mismatch(clf, X, **known), **known)
    assert (model.predict(X) == clf.predict(X_ready)).all()


def test_one_hot_columns_made_by_pandas(cities):
    """No object of the notebook holds them; the model's own names do."""
    frame, y = cities
    X_dummies = pandas.get_dummies(frame, drop_first=True)
    clf = RandomForestClassifier(10, random_state=0).fit(X_dummies, y)
    known = {"X": frame, "y": y, "clf": clf}
    error = mismatch(clf, frame, **known)
    assert (
        "Missing: city_Oslo, city_京都" in error.message
        and "Unknown to the model: city, plan" in error.message
    )
    model, _sample = joined(error, **known)
    assert (model.predict(frame) == clf.predict(X_dummies)).all()


def test_a_one_hot_encoder_beside_numbers(cities):
    frame, y = cities
    encoder = OneHotEncoder(sparse_output=False).fit(frame[["city", "plan"]])
    X_ready = numpy.hstack([frame[["age", "income"]], encoder.transform(frame[["city", "plan"]])])
    clf = RandomForestClassifier(10, random_state=0).fit(X_ready, y)
    known = {"X": frame, "y": y, "encoder": encoder, "clf": clf}
    model, _sample = joined(mismatch(clf, frame, **known), **known)
    assert (model.predict(frame) == clf.predict(X_ready)).all()


@pytest.mark.parametrize("by", ["codes", "labels", "ordinal"])
def test_categories_as_integer_codes(cities, by):
    frame, y = cities
    X = frame[["age", "city", "income"]]
    X_codes = X.copy()
    known: dict[str, Any] = {"X": X, "y": y}
    if by == "codes":
        X_codes["city"] = X["city"].astype("category").cat.codes
    elif by == "labels":
        known["city_encoder"] = LabelEncoder().fit(X["city"])
        X_codes["city"] = known["city_encoder"].transform(X["city"])
    else:
        known["encoder"] = OrdinalEncoder(categories=[["京都", "Oslo", "Lima"]]).fit(X[["city"]])
        X_codes["city"] = known["encoder"].transform(X[["city"]])
    known["clf"] = clf = RandomForestClassifier(10, random_state=0).fit(X_codes, y)
    error = mismatch(clf, X, **known)
    assert "could not convert string to float" in error.message
    model, _sample = joined(error, **known)
    assert (model.predict(X) == clf.predict(X_codes)).all()


def test_texts_without_their_vectorizer():
    texts = ["good red wine", "bad white wine", "good beer", "bad beer"] * 5
    y = ["+", "-", "+", "-"] * 5
    vectorizer = TfidfVectorizer().fit(texts)
    clf = LogisticRegression().fit(vectorizer.transform(texts), y)
    known = {"texts": texts, "y": y, "vectorizer": vectorizer, "clf": clf}
    model, _sample = joined(mismatch(clf, texts, **known), **known)
    assert model.predict(["good wine"]) == ["+"]


def test_column_order_swapped_with_names(cities):
    frame, y = cities
    X = frame[["age", "income"]]
    clf = RandomForestClassifier(5).fit(X, y)
    swapped = X[["income", "age"]]
    error = mismatch(clf, swapped, clf=clf, swapped=swapped)
    _model, sample = joined(error, clf=clf, swapped=swapped)
    assert list(sample.columns) == ["age", "income"]


def test_column_order_swapped_where_the_model_has_no_names(cities):
    frame, y = cities
    X = frame[["age", "income"]]
    clf = RandomForestClassifier(5).fit(X.to_numpy(), y)
    df = X[["income", "age"]]
    error = mismatch(clf, df, clf=clf, X=X, df=df)
    assert error.code == "box = ekiben.wrap(clf, df[['age', 'income']])"
    assert findings(clf, X, clf=clf, X=X, df=df) == ()


def test_nothing_in_the_notebook_helps(cities):
    frame, y = cities
    clf = RandomForestClassifier(5).fit(frame[["age"]].assign(hidden=1.0), y)
    assert "Missing: hidden" in mismatch(clf, frame, clf=clf, X=frame).message
    ready = pandas.DataFrame({"age": frame["age"], "hidden": 1.0})
    error = mismatch(clf, frame, clf=clf, X=frame, ready=ready)
    assert "ready fits it" in error.message and "ekiben.wrap(clf, ready)" in error.remedy


def test_a_label_encoder_outside_the_model():
    data = load_iris()
    names = data.target_names[data.target]
    encoder = LabelEncoder().fit(names)
    clf = LogisticRegression(max_iter=500).fit(data.data, encoder.transform(names))
    (finding,) = findings(clf, data.data, clf=clf, encoder=encoder)
    assert "encoder knows them as setosa, versicolor, virginica" in finding.message
    assert "clf.fit(X, encoder.inverse_transform(y))" in finding.remedy
    named = LogisticRegression(max_iter=500).fit(data.data, names)
    assert findings(named, data.data, clf=named, encoder=encoder) == ()


def test_far_from_what_was_recorded_without_anything_else(wine):
    X, _y = wine
    clf = KMeans(3, n_init=1, random_state=0).fit(StandardScaler().fit_transform(X))
    (finding,) = findings(clf, X.to_numpy() + 100, clf=clf)
    assert "outside the data that the model was fitted on" in finding.message
