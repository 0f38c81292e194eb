"""Real models × {a compiled form that agrees, or the honest reason}: the sample, edge rows, and the library's own word."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from ekiben import contract as contracts
from ekiben import convert, form_code, patience
from ekiben.capture import _example, load_adapter
from ekiben.registry import framework_for
from ekiben.testing import converter_conformance
from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.manifold import Isomap
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

os.environ.setdefault("KERAS_BACKEND", "torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

IRIS, KIND = load_iris(return_X_y=True)
GAPS = IRIS.copy()
GAPS[::7, 2] = numpy.nan
DIABETES, TARGET = load_diabetes(return_X_y=True)
TREES, ARRAYS, GRAPH = "NumPy + ONNX Runtime", "NumPy", "ONNX Runtime"


def people() -> tuple[pandas.DataFrame, numpy.ndarray]:
    """Numbers with gaps, text categories with gaps, a categorical, booleans."""
    random = numpy.random.default_rng(0)
    n = 300
    frame = pandas.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "income": random.normal(30_000, 9_000, n),
            "city": random.choice(["Lima", "Oslo", "京都"], n),
            "plan": pandas.Categorical(random.choice(["b", "a"], n), categories=["b", "a", "unused"]),
            "member": random.random(n) > 0.5,
        }
    )
    frame.loc[::7, "income"] = numpy.nan
    frame.loc[::11, "city"] = None
    return frame, numpy.where((frame.age > 50) ^ (frame.city == "Oslo"), "approved", "refused")


PEOPLE, WORDS = people()
#: So many towns that a row of them is mostly zeros.
TOWNS = PEOPLE.assign(town=[f"town {place % 250}" for place in range(len(PEOPLE))])


def prepared() -> ColumnTransformer:
    """What notebooks do to a table: imputers, a scaler, one-hot and ordinal categories."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("texts", texts, ["city"]),
            ("order", OrdinalEncoder(), ["plan"]),
        ],
        remainder="passthrough",
    )


def xgboost(name: str, **settings: Any) -> Any:
    import xgboost

    return getattr(xgboost, name)(n_estimators=15, **settings)


def lightgbm(name: str, **settings: Any) -> Any:
    import lightgbm

    return getattr(lightgbm, name)(n_estimators=15, verbose=-1, min_child_samples=5, **settings)


def catboost(name: str, **settings: Any) -> Any:
    import catboost

    return getattr(catboost, name)(iterations=15, verbose=0, allow_writing_files=False, **settings)


Made = Callable[[], tuple[Any, Any, str]]


def on(sample: Any, target: Any, form: str, make: Callable[[], Any]) -> Made:
    return lambda: (make().fit(sample, target), sample, form)


TWO = KIND == 1
CASES: dict[str, Made] = {
    "logistic": on(IRIS, KIND, ARRAYS, lambda: linear_model.LogisticRegression(max_iter=500)),
    "logistic two": on(IRIS, TWO, ARRAYS, lambda: linear_model.LogisticRegression(max_iter=500)),
    "ridge classifier": on(IRIS, KIND, ARRAYS, linear_model.RidgeClassifier),
    "sgd": on(IRIS, KIND, ARRAYS, lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0)),
    "linear svc": on(IRIS, KIND, ARRAYS, svm.LinearSVC),
    "ridge": on(DIABETES, TARGET, ARRAYS, linear_model.Ridge),
    "poisson": on(DIABETES, TARGET, ARRAYS, linear_model.PoissonRegressor),
    "several targets": on(DIABETES, numpy.c_[TARGET, -TARGET], ARRAYS, linear_model.LinearRegression),
    "one model a target": on(
        DIABETES, numpy.c_[TARGET, -TARGET], ARRAYS, lambda: MultiOutputRegressor(linear_model.Ridge())
    ),
    "tree": on(GAPS, KIND, ARRAYS, DecisionTreeClassifier),
    "tree of numbers": on(DIABETES, TARGET, TREES, DecisionTreeRegressor),
    "forest": on(GAPS, KIND, ARRAYS, lambda: ensemble.RandomForestClassifier(30, random_state=0)),
    "forest float32": on(
        IRIS.astype("float32"), KIND, ARRAYS, lambda: ensemble.RandomForestClassifier(30, random_state=0)
    ),
    "extra trees": on(IRIS, TWO, ARRAYS, lambda: ensemble.ExtraTreesClassifier(30)),
    "forest of numbers": on(
        DIABETES, numpy.c_[TARGET, -TARGET], TREES, lambda: ensemble.RandomForestRegressor(20)
    ),
    "boosting": on(IRIS, KIND, ARRAYS, lambda: ensemble.GradientBoostingClassifier(n_estimators=15)),
    "boosting two": on(IRIS, TWO, ARRAYS, lambda: ensemble.GradientBoostingClassifier(n_estimators=15)),
    "boosting of numbers": on(
        DIABETES, TARGET, ARRAYS, lambda: ensemble.GradientBoostingRegressor(n_estimators=15)
    ),
    "histogram": on(GAPS, KIND, ARRAYS, lambda: ensemble.HistGradientBoostingClassifier(max_iter=15)),
    "histogram two": on(GAPS, TWO, ARRAYS, lambda: ensemble.HistGradientBoostingClassifier(max_iter=15)),
    "histogram of counts": on(
        DIABETES, TARGET, ARRAYS, lambda: ensemble.HistGradientBoostingRegressor(max_iter=15, loss="poisson")
    ),
    "isolation": on(DIABETES, None, TREES, lambda: ensemble.IsolationForest(n_estimators=20)),
    "bagging": on(IRIS, KIND, ARRAYS, lambda: ensemble.BaggingClassifier(n_estimators=5)),
    "bayes": on(IRIS, KIND, ARRAYS, naive_bayes.GaussianNB),
    "bayes of counts": on(IRIS, KIND, ARRAYS, naive_bayes.MultinomialNB),
    "bayes of bits": on(IRIS, KIND, ARRAYS, lambda: naive_bayes.BernoulliNB(binarize=2.0)),
    "neighbours": on(IRIS[:, ::-1], KIND, ARRAYS, lambda: neighbors.KNeighborsClassifier(1)),
    "neighbours of numbers": on(DIABETES, TARGET, ARRAYS, neighbors.KNeighborsRegressor),
    "svc": on(IRIS, KIND, ARRAYS, svm.SVC),
    "svc two": on(IRIS, TWO, ARRAYS, lambda: svm.SVC(kernel="poly")),
    "svr": on(DIABETES, TARGET, ARRAYS, svm.SVR),
    "network": on(IRIS, KIND, ARRAYS, lambda: MLPClassifier(max_iter=50)),
    "network of numbers": on(DIABETES, TARGET, ARRAYS, lambda: MLPRegressor(max_iter=50)),
    "calibrated": on(IRIS, KIND, ARRAYS, lambda: CalibratedClassifierCV(svm.LinearSVC())),
    "calibrated two": on(IRIS, TWO, ARRAYS, lambda: CalibratedClassifierCV(naive_bayes.GaussianNB())),
    "votes": on(
        IRIS,
        KIND,
        ARRAYS,
        lambda: ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression(max_iter=500)), ("b", naive_bayes.GaussianNB())],
            voting="soft",
        ),
    ),
    "clusters": on(IRIS, None, ARRAYS, lambda: KMeans(3, random_state=0)),
    "search": on(
        IRIS,
        KIND,
        ARRAYS,
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), PCA(2), linear_model.LogisticRegression()),
            {"logisticregression__C": [0.1, 1.0]},
        ),
    ),
    "polynomials": on(
        IRIS, KIND, ARRAYS, lambda: make_pipeline(MinMaxScaler(), PolynomialFeatures(3), linear_model.Ridge())
    ),
    "logarithms": on(
        IRIS, KIND, ARRAYS, lambda: make_pipeline(FunctionTransformer(numpy.log1p), naive_bayes.GaussianNB())
    ),
    "table, linear": on(
        PEOPLE, WORDS, ARRAYS, lambda: make_pipeline(prepared(), linear_model.LogisticRegression())
    ),
    "table, forest": on(
        PEOPLE, WORDS, TREES, lambda: make_pipeline(prepared(), ensemble.RandomForestClassifier(20))
    ),
    "table, histogram": on(
        PEOPLE, WORDS, ARRAYS, lambda: make_pipeline(prepared(), ensemble.HistGradientBoostingClassifier())
    ),
    "table, rare categories": on(
        PEOPLE,
        WORDS,
        ARRAYS,
        lambda: make_pipeline(
            make_column_transformer(
                (
                    OneHotEncoder(drop="first", min_frequency=100, handle_unknown="infrequent_if_exist"),
                    ["city"],
                ),
                (TargetEncoder(), ["plan"]),
                ("passthrough", ["age", "member"]),
            ),
            ensemble.GradientBoostingClassifier(n_estimators=10),
        ),
    ),
    "table, hundreds of categories": on(
        TOWNS,
        WORDS,
        ARRAYS,
        lambda: make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town", "city"]),
                (StandardScaler(), ["age"]),
            ),
            linear_model.LogisticRegression(max_iter=500),
        ),
    ),
    "table, hundreds of categories for trees": on(
        TOWNS,
        WORDS == "approved",
        ARRAYS,
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town", "city"])),
            xgboost("XGBClassifier"),
        ),
    ),
    "xgboost": on(GAPS, KIND, ARRAYS, lambda: xgboost("XGBClassifier")),
    "xgboost two": on(GAPS, TWO, ARRAYS, lambda: xgboost("XGBClassifier")),
    "xgboost of numbers": on(DIABETES, TARGET, ARRAYS, lambda: xgboost("XGBRegressor")),
    "xgboost, categories": on(
        PEOPLE[["age", "income", "plan"]],
        WORDS == "approved",
        ARRAYS,
        lambda: xgboost("XGBClassifier", enable_categorical=True),
    ),
    "lightgbm": on(GAPS, KIND, ARRAYS, lambda: lightgbm("LGBMClassifier")),
    "lightgbm two": on(IRIS, TWO, ARRAYS, lambda: lightgbm("LGBMClassifier")),
    "lightgbm of numbers": on(DIABETES, TARGET, ARRAYS, lambda: lightgbm("LGBMRegressor")),
    "lightgbm, categories": on(
        PEOPLE[["age", "income", "plan"]], WORDS, ARRAYS, lambda: lightgbm("LGBMClassifier")
    ),
    "catboost": on(GAPS, KIND, ARRAYS, lambda: catboost("CatBoostClassifier")),
    "catboost two": on(GAPS, TWO.astype(int), ARRAYS, lambda: catboost("CatBoostClassifier")),
    "catboost of numbers": on(DIABETES, TARGET, ARRAYS, lambda: catboost("CatBoostRegressor")),
}


def tried(model: Any, sample: Any, folder: Path, unseen: Any = "reject", **options: Any) -> Any:
    """The record of ``convert``, the contract, and the form as the service would run it."""
    taken = framework_for(model)
    adapter = load_adapter(taken)
    contract = contracts.infer(
        sample, lambda data: adapter.call(model, data), taken.describe(model), unseen=unseen
    )
    # Time is no matter here: what is asked is whether it can be, and agrees.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "WORTH", 0.0)
        patch.setattr(convert, "MAKING_SECONDS", 900.0)
        found, _imports = convert.convert(
            model, sample, contract, adapter.call, folder, example=_example(contract), seconds=900, **options
        )
    return found, contract


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)


def agrees(make: Made, tmp_path: Path) -> None:
    """It has the form that it should have, which answers as the library does, and one by one as in a crowd."""
    model, sample, form = make()
    found, contract = tried(model, sample, tmp_path)
    assert found.form == form, found.reason
    assert found.rows == len(sample) and found.edges > 5
    assert {timing.rows for timing in found.timings} == {1, 100}
    # The library's own word, not the adapter's.
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    data = contract.to_json()
    proof = convert.Proof(contract, lambda _data: {}, sample, 0.0)
    rows = proof.checked(data["golden"]["rows"])
    got = run(rows)
    wanted = model.predict(convert.assemble(data, rows))
    if wanted.dtype.kind in "fc":
        numpy.testing.assert_allclose(got["predictions"].reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-7)
    else:
        assert got["predictions"].tolist() == wanted.reshape(got["predictions"].shape).tolist()
    singles = [run([row])["predictions"][0] for row in rows]  # one by one as in a crowd
    if wanted.dtype.kind in "fc":
        numpy.testing.assert_allclose(singles, got["predictions"], rtol=1e-12)
    else:
        assert numpy.array(singles).tolist() == got["predictions"].tolist()


@pytest.mark.parametrize("unseen", ["warn", "accept"])
def test_an_unknown_category_is_answered_alike(unseen, tmp_path):
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), ("passthrough", ["age"])),
        linear_model.LogisticRegression(),
    ).fit(PEOPLE[["city", "age"]], WORDS)
    found, contract = tried(model, PEOPLE[["city", "age"]], tmp_path, unseen)
    assert found.form == ARRAYS, found.reason
    assert contract.unseen == unseen


NOTES = pandas.DataFrame({"age": PEOPLE.age, "note": [f"lives in {city} alone" for city in PEOPLE.city]})
REASONS = {
    "a function of the user's": (
        lambda: make_pipeline(FunctionTransformer(lambda x: x * 2), linear_model.Ridge()).fit(
            DIABETES, TARGET
        ),
        DIABETES,
        "It calls the function <lambda>.",
    ),
    "not written down yet": (
        lambda: neighbors.KNeighborsClassifier(metric="canberra").fit(IRIS, TWO),
        IRIS,
        "KNeighborsClassifier (canberra) has no faster form yet.",
    ),
    "a part of it": (
        lambda: make_pipeline(Isomap(n_components=2), linear_model.Ridge()).fit(IRIS, KIND),
        IRIS,
        "Isomap has no faster form yet.",
    ),
    "texts of its own": (
        lambda: catboost("CatBoostClassifier", text_features=["note"]).fit(NOTES, WORDS),
        NOTES,
        "It has texts or embeddings of its own.",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_where_it_cannot_be_it_says_why(name, tmp_path):
    make, sample, reason = REASONS[name]
    found, _contract = tried(make(), sample, tmp_path)
    assert (found.form, found.reason) == ("", reason)


def test_networks_become_one_graph(tmp_path):
    import keras
    import torch
    from nobodys_net import Moody, Net

    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((10,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)]
    cases = {
        "net": (Net().train(), torch.rand(60, 1, 8, 8)),
        "keras": (keras.Sequential(layers), DIABETES.astype("float32")),
    }
    for name, (model, sample) in cases.items():
        (tmp_path / name).mkdir()
        found, _contract = tried(model, sample, tmp_path / name)
        assert found.form == GRAPH, (name, found.reason)
        assert found.rows == len(sample) and found.worst < 1e-2
    assert cases["net"][0].training, "the live model learns on"
    (tmp_path / "moody").mkdir()
    found, _contract = tried(Moody(), torch.rand(60, 4), tmp_path / "moody")
    assert not found.form and "cannot be written down" in found.reason and "\x1b" not in found.reason


def test_an_export_that_is_interrupted_leaves_the_network_to_answer(monkeypatch, tmp_path):
    """The exporter has no end of its own: it is stopped where it stands, and the live model is as it was."""
    import torch
    from nobodys_net import Net

    monkeypatch.setattr(patience, "EVERY", 0.02)
    monkeypatch.setattr(patience, "GRACE", 120.0)
    model, sample = Net().train(), torch.rand(60, 1, 8, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    shown = sys.stdout

    def say(text: str) -> None:
        if "interrupt" in text:
            signal.raise_signal(signal.SIGINT)

    found, _contract = tried(model, sample, tmp_path, say=say)
    assert (found.form, found.reason) == ("", "You interrupted the search for a faster form.")
    assert sys.stdout is shown and not list(tmp_path.iterdir())
    assert model.training and all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )
    found, _contract = tried(model, sample, tmp_path)  # and the exporter works again
    assert found.form == GRAPH, found.reason


def test_ours_pass_the_suite_that_strangers_pass(monkeypatch, tmp_path):
    import torch

    monkeypatch.setattr(convert, "WORTH", 0.0)  # how fast so small a network is depends on who else works
    forest = ensemble.RandomForestRegressor(5, random_state=0).fit(DIABETES, TARGET)
    box = converter_conformance("arrays", forest, DIABETES, tmp_path / "arrays")
    assert box.compiled.form == TREES
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    box = converter_conformance("onnx", net, torch.rand(60, 4), tmp_path / "onnx")
    assert box.compiled.form == GRAPH


def test_the_suite_sees_a_converter_that_cannot(tmp_path):
    model = neighbors.KNeighborsClassifier(metric="canberra").fit(IRIS, TWO)
    with pytest.raises(AssertionError, match=r"compiled: .*no faster form yet"):
        converter_conformance("arrays", model, IRIS, tmp_path)
