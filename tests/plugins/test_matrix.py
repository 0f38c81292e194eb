"""Framework × {captured, saved, loaded in a clean process, served, replayed}: real models, real services.

The answers that a service must give are asked of the library itself, not of the adapter.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas
import psutil
import pytest
from ekiben import template
from ekiben.box import Box
from ekiben.capture import capture
from ekiben.errors import UnsupportedModel
from ekiben.registry import framework, framework_of, names
from ekiben.service import RunningServer
from ekiben.testing import conformance
from nobodys import Mean, shade, weigh
from PIL import Image
from rig.clients import Client
from rig.station import Station
from rig.ways import TENSORFLOW, WAYS, Refused, refusal
from sklearn.datasets import load_diabetes, load_iris

# Keras chooses its backend when it is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]


@dataclass(frozen=True)
class Case:
    """A model, the sample, and what the library itself predicts for the sample."""

    model: Any
    sample: Any
    predictions: list[Any]
    unfitted: Any = None


def iris() -> tuple[pandas.DataFrame, pandas.Series]:
    """Four numbers, a category, and three classes that are text."""
    data = load_iris(as_frame=True)
    frame = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    frame["shade"] = numpy.where(frame.sepal_width > 3, "dark", "light")
    return frame, data.target.map(dict(enumerate(map(str, data.target_names))))


def diabetes() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Ten numbers and a target."""
    return load_diabetes(return_X_y=True)


def sklearn() -> Case:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    X, y = iris()
    columns = make_column_transformer((OneHotEncoder(), ["shade"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(X, y)
    return Case(model, X, model.predict(X).tolist(), LogisticRegression())


def sklearn_search() -> Case:
    """A meta-estimator around a pipeline, with a polars table for a sample and the user's own classifier inside."""
    import polars
    from nobodys_estimators import Nearest
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = iris()
    X = X.drop(columns="shade")
    pipeline = make_pipeline(StandardScaler(), Nearest())
    model = GridSearchCV(pipeline, {"nearest__power": [1, 2]}, cv=3).fit(X, y)
    return Case(model, polars.from_pandas(X), model.predict(X).tolist(), GridSearchCV(pipeline, {}))


def sklearn_outputs() -> Case:
    """Several outputs a row, from an Arrow table."""
    import pyarrow
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.tree import DecisionTreeRegressor

    X, y = diabetes()
    frame = pandas.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    model = MultiOutputRegressor(DecisionTreeRegressor(max_depth=3)).fit(frame, numpy.column_stack([y, -y]))
    return Case(model, pyarrow.Table.from_pandas(frame), model.predict(frame).tolist())


def xgboost() -> Case:
    import xgboost

    X, y = iris()
    X = X.astype({"shade": "category"})
    model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(X, y == "virginica")
    return Case(model, X, model.predict(X).tolist(), xgboost.XGBClassifier())


def lightgbm() -> Case:
    import lightgbm

    X, y = iris()
    X = X.astype({"shade": "category"})
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, y)
    return Case(model, X, model.predict(X).tolist(), lightgbm.LGBMClassifier())


def catboost() -> Case:
    import catboost

    X, y = iris()
    settings = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "cat_features": ["shade"]}
    model = catboost.CatBoostClassifier(**settings).fit(X, y)
    return Case(model, X, model.predict(X)[:, 0].tolist(), catboost.CatBoostClassifier())


def onnx() -> Case:
    import onnxruntime
    import skl2onnx
    from sklearn.linear_model import LogisticRegression

    X, y = iris()
    X = X.drop(columns="shade").to_numpy(dtype="float32")
    graph = skl2onnx.to_onnx(LogisticRegression(max_iter=500).fit(X, y), X[:1])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return Case(session, X, session.run(None, {"X": X})[0].tolist())


def torch() -> Case:
    import torch
    from nobodys_net import Net

    torch.manual_seed(0)
    model, images = Net(), torch.rand(60, 1, 8, 8)
    with torch.inference_mode():
        predictions = model.eval()(images).tolist()
    return Case(model.train(), images, predictions)


def keras() -> Case:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((10,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)]
    model, X = keras.Sequential(layers), diabetes()[0].astype("float32")
    return Case(model, X, model.predict(X, verbose=0).tolist(), keras.Sequential([keras.layers.Dense(1)]))


def tensorflow() -> Case:
    import tensorflow
    from nobodys_tf import Gauge

    X = diabetes()[0]
    model = Gauge(10)
    return Case(model, X, model(tensorflow.constant(X, "float32"))["level"].numpy().tolist())


def statsmodels() -> Case:
    import numpy as np  # noqa: F401 - the formula's name for it
    import statsmodels.formula.api as formulas

    X, y = iris()
    frame = X.assign(target=(y == "virginica").astype(int))
    model = formulas.ols("target ~ np.log(petal_length) + C(shade)", frame)
    results = model.fit()
    sample = X[["petal_length", "shade"]]
    return Case(results, sample, results.predict(sample).tolist(), model)


def series() -> Case:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    times = pandas.date_range("2020-01-01", periods=72, freq="MS")
    wave = 10 + numpy.sin(numpy.arange(72) / 2) + numpy.random.default_rng(0).normal(0, 0.1, 72)
    results = SARIMAX(pandas.Series(wave, times), order=(1, 0, 0), seasonal_order=(1, 0, 0, 12)).fit(disp=0)
    steps = pandas.DataFrame({"step": range(1, 25)})
    return Case(results, steps, results.forecast(24).tolist())


def transformers() -> Case:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, pipeline

    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    words = [*marks.values(), "good", "bad", "a", "very", "film"]
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    labels = {0: "sad", 1: "glad"}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=32, id2label=labels, **small)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=32, **marks)
    network = BertForSequenceClassification(config).eval()
    model = pipeline("text-classification", model=network, tokenizer=tokenizer, device="cpu")
    texts = [
        f"{start} {judged} film" for start in ("a", "a very", "好") for judged in ("good", "bad", "fine")
    ]
    return Case(model, texts, [entry["label"] for entry in model(texts)])


def pictures(count: int = 12) -> list[Image.Image]:
    """Photographs of noise, half of them dark; one is wider than the others."""
    random = numpy.random.default_rng(0)
    sizes = [(24, 20, 3)] * (count - 1) + [(24, 30, 3)]
    levels = [90 if index % 2 else 255 for index in range(count)]
    return [
        Image.fromarray(random.integers(0, level, size, dtype="uint8"))
        for level, size in zip(levels, sizes, strict=True)
    ]


def image_transformers() -> Case:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, pipeline
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ViTConfig(image_size=16, patch_size=8, id2label={0: "dark", 1: "light"}, **small)
    processor = ViTImageProcessorPil(size={"height": 16, "width": 16})
    network = ViTForImageClassification(config).eval()
    model = pipeline("image-classification", model=network, image_processor=processor, device="cpu")
    images = pictures()
    return Case(model, images, [entry[0]["label"] for entry in model(images)])


def image_torch() -> Case:
    import torch
    from nobodys_net import Bright

    images = pictures()[:-1]
    pixels = torch.from_numpy(numpy.stack([numpy.asarray(image) for image in images])).permute(0, 3, 1, 2)
    model = Bright()
    with torch.inference_mode():
        return Case(model, images, model(pixels).tolist())


def image_keras() -> Case:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((24, 20, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(2, 5)]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    images = numpy.stack([numpy.asarray(image) for image in pictures()[:-1]])
    return Case(model, images, model.predict(images, verbose=0).tolist())


def image_function() -> Case:
    images = pictures()
    return Case(shade, images, shade(images))


def python() -> Case:
    rows = [{"left": float(index), "right": index / 3} for index in range(20)]
    return Case(Mean(2.0), rows, Mean(2.0).predict(rows))


def card_function() -> Case:
    cards = [
        {"weight": place / 4, "photo": image, "name": f"card {place}"}
        for place, image in enumerate(pictures()[:-1])
    ]
    return Case(weigh, cards, weigh(cards))


#: Framework, or framework and what it is given: how each is kept, and what its service needs.
CASES: dict[str, tuple[Callable[[], Case], str, tuple[str, ...]]] = {
    "sklearn": (sklearn, "skops", ("scikit-learn", "skops")),
    "sklearn, a search over a subclass": (sklearn_search, "skops", ("scikit-learn", "skops")),
    "sklearn, several outputs": (sklearn_outputs, "skops", ("scikit-learn", "skops")),
    "xgboost": (xgboost, "ubj", ("xgboost-cpu", "scikit-learn")),
    "lightgbm": (lightgbm, "lightgbm-text", ("lightgbm",)),
    "catboost": (catboost, "cbm", ("catboost",)),
    "onnx": (onnx, "onnx", ("onnxruntime",)),
    "torch": (torch, "torch-export", ("torch",)),
    "keras": (keras, "keras", ("keras", "torch")),
    "tensorflow": (tensorflow, "saved-model", ("tensorflow-cpu",)),
    "statsmodels": (statsmodels, "cloudpickle", ("statsmodels",)),
    "statsmodels, a series": (series, "cloudpickle", ("statsmodels",)),
    "transformers": (transformers, "safetensors", ("transformers", "torch")),
    "python": (python, "cloudpickle", ("bentoml",)),
    "python, a function of images": (image_function, "source", ("pillow", "numpy")),
    "python, a function of rows with an image": (card_function, "source", ("pillow", "numpy")),
    "torch, images": (image_torch, "torch-export", ("torch", "pillow")),
    "keras, images": (image_keras, "keras", ("keras", "torch", "pillow")),
    "transformers, images": (image_transformers, "safetensors", ("transformers", "torch", "pillow")),
}


#: Their libraries start threads when they are imported, by themselves or through polars, where that is
#: installed; so no service is forked and it starts the ordinary way.
THREADED = {"catboost", "statsmodels", "statsmodels, a series"}


@pytest.fixture(scope="module", params=CASES)
def station(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Case, Box]:
    """One framework's model in its box; making it holds the plugin against the whole conformance suite."""
    name: str = request.param
    case = CASES[name][0]()
    folder: Path = tmp_path_factory.mktemp(name)
    box = conformance(name.partition(",")[0], case.model, case.sample, folder, unfitted=case.unfitted)
    return name, case, box


@pytest.fixture(scope="module")
def server(station: tuple[str, Case, Box]) -> Iterator[RunningServer]:
    """Its service, forked from a warm process where that is possible, which is true of all but those."""
    box = station[2]
    family = type(box.live or station[1].model).__module__
    template.begin()
    template.prime(box.model.tag, family, json.loads(template._kept(family).read_text(encoding="utf-8")))
    with box.serve() as started:
        if sys.platform == "linux" and station[0] not in THREADED:
            assert psutil.Process(started.record.pid).ppid() == template._own.process.pid
        yield started


def same(got: Any, wanted: Any) -> bool:
    """Text and classes to the letter, numbers to the last digits of 32 bits."""
    if isinstance(numpy.ravel(wanted)[0], (str, bool)):
        return list(got) == list(wanted)
    return bool(numpy.allclose(got, wanted, rtol=1e-5, atol=1e-6))


def test_captured(station: tuple[str, Case, Box]) -> None:
    name, case, box = station
    assert box.model.framework == name.partition(",")[0]
    assert box.contract.sample_rows == len(case.sample)
    assert box.replays["kernel"].passed


def test_saved(station: tuple[str, Case, Box]) -> None:
    name, _case, box = station
    _make, storage, needed = CASES[name]
    assert box.model.storage == storage
    pinned = {line.partition("==")[0] for line in box.model.requirements}
    assert set(needed) <= pinned
    assert not {"jupyterlab", "ipykernel", "ekiben", "pytest"} & pinned
    assert any("training data" in finding.message for finding in box.model.findings) is (
        name == "statsmodels"
    )


def test_loaded_in_a_clean_process(station: tuple[str, Case, Box]) -> None:
    _name, case, box = station
    replay = box.replays["process"]
    assert replay.passed and (box.compiled.active or replay.worst == 0)
    assert replay.rows == len(box.contract.golden.rows) >= min(9, len(case.sample))


def test_served(station: tuple[str, Case, Box], server: RunningServer) -> None:
    _name, case, _box = station
    assert same(server.predict(case.sample).outputs["predictions"], case.predictions)


@pytest.fixture(scope="module")
def asked(station: tuple[str, Case, Box], server: RunningServer) -> Station:
    """The service, to be asked in other protocols."""
    return Station(*station, server)


@pytest.mark.parametrize("way", [*WAYS, *TENSORFLOW])
def test_every_protocol_answers_as_the_kernel(asked: Station, way: str, tensorflow_client: Client) -> None:
    def ask() -> dict[str, Any]:
        return WAYS[way](asked) if way in WAYS else TENSORFLOW[way](asked, tensorflow_client)

    if told := refusal(asked, way):
        with pytest.raises(Refused, match=told[1]) as caught:
            ask()
        assert caught.value.status == told[0]
        return
    outputs = ask()
    if way.endswith(("classify", "regress")):
        assert len(outputs) == 1
    else:
        assert asked.golden["answers"].keys() <= outputs.keys()
    for output in asked.golden["answers"].keys() & outputs.keys():
        asked.agrees(outputs[output], output, relative=1e-5, absolute=1e-6)


def test_replayed(station: tuple[str, Case, Box], server: RunningServer) -> None:
    replay = server.replay()
    assert replay.passed and (station[2].compiled.active or replay.worst == 0)


def test_every_framework_of_ours_is_in_the_matrix() -> None:
    assert {name.partition(",")[0] for name in CASES} == set(names("framework"))


def boosters() -> list[Any]:
    """Models without classes of their own, as ``train`` gives them."""
    import lightgbm
    import xgboost

    X, y = diabetes()
    return [
        xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, y), 5),
        lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(X, y), 5),
    ]


def test_plain_boosters_are_kept_in_their_own_format() -> None:
    for booster, storage in zip(boosters(), ("ubj", "lightgbm-text"), strict=True):
        record, replay = capture(booster, diabetes()[0], "booster")
        assert (record.storage, record.contract.task) == (storage, "regression")
        assert replay.passed and not record.findings
        assert record.compiled.active or replay.worst == 0


def test_a_formula_that_cannot_leave_the_notebook_is_refused() -> None:
    import statsmodels.formula.api as formulas

    def secret(values: Any) -> Any:
        return values**2

    X, _y = iris()
    results = formulas.ols("petal_width ~ secret(petal_length)", X).fit()
    with pytest.raises(UnsupportedModel, match=r"read back.*secret") as caught:
        capture(results, X[["petal_length"]], "secret")
    assert "np." in caught.value.remedy


def test_what_cannot_be_exported_is_pickled_and_told() -> None:
    from nobodys_net import Moody

    X = diabetes()[0].astype("float32")
    record, replay = capture(Moody(), X, "moody")
    assert (record.storage, replay.passed) == ("cloudpickle", True)
    told = [finding.message for finding in record.findings]
    assert any("torch.export cannot trace it" in message for message in told)
    assert any("depends on the rows beside it" in message for message in told), "it sums over the batch"


def test_a_loss_is_no_model() -> None:
    from torch import nn

    assert framework_of(nn.CrossEntropyLoss()) is None
    assert framework_of(nn.Linear(1, 1)) is framework("torch")


def test_a_lambda_layer_is_refused() -> None:
    import keras

    layers = [keras.Input((10,)), keras.layers.Lambda(lambda rows: rows * 2)]
    with pytest.raises(UnsupportedModel, match="Lambda") as caught:
        capture(keras.Sequential(layers), diabetes()[0].astype("float32"), "lambda")
    assert "register_keras_serializable" in caught.value.remedy


def test_training_data_stay_at_home_where_they_can() -> None:
    import statsmodels.api as models

    X, y = diabetes()
    record, replay = capture(models.OLS(y, X).fit(), X, "ols")
    assert replay.passed and record.bytes < X.nbytes / 2
    assert not any("training data" in finding.message for finding in record.findings)
