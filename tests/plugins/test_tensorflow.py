"""TensorFlow beside Keras: SavedModels, several inputs, text, what is no model, and Keras on TensorFlow's backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from ekiben.capture import capture, load_predictor
from ekiben.errors import UnsupportedModel
from ekiben.registry import framework_of

pytestmark = pytest.mark.slow

ROWS = numpy.random.default_rng(0).normal(size=(30, 4)).astype("float32")


@pytest.fixture(scope="module")
def tf() -> Any:
    import tensorflow

    return tensorflow


def answers(record: Any, rows: list[Any]) -> dict[str, Any]:
    return load_predictor(Path(record.folder), record).answer(rows)


def test_a_loaded_saved_model_is_kept_with_its_signature(tf: Any, tmp_path: Path) -> None:
    class Sum(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return tf.reduce_sum(x, axis=1)

    tf.saved_model.save(Sum(), str(tmp_path / "sum"))
    loaded = tf.saved_model.load(str(tmp_path / "sum"))
    record, replay = capture(loaded, ROWS, "summed")
    assert (record.framework, record.storage, record.estimator) == ("tensorflow", "saved-model", "SavedModel")
    assert replay.passed and record.contract.outputs[0].shape == ()
    assert numpy.allclose(answers(record, ROWS.tolist())["predictions"], ROWS.sum(axis=1), atol=1e-6)
    with pytest.raises(UnsupportedModel, match="serving_default") as caught:
        tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
        capture(tf.saved_model.load(str(tmp_path / "empty")), ROWS, "empty")
    assert caught.value.remedy


def test_each_input_has_its_column(tf: Any) -> None:
    class Priced(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            keys, values = tf.constant(["Oslo", "Lima"]), tf.constant([2.0, 3.0])
            self.prices = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1.0)

        def __call__(self, town: Any, nights: Any) -> Any:
            return {"price": self.prices.lookup(town) * nights, "town": town}

    frame = pandas.DataFrame({"town": ["Oslo", "Lima", "Rome"] * 5, "nights": numpy.arange(15) / 2})
    record, replay = capture(Priced(), frame.astype({"nights": "float32"}), "priced")
    assert replay.passed
    got = answers(record, [{"town": "Lima", "nights": 2.0}, {"town": "Rome", "nights": 4.0}])
    assert (got["predictions"], got["town"]) == ([6.0, -4.0], ["Lima", "Rome"])


def test_texts(tf: Any) -> None:
    class Length(tf.Module):
        def predict(self, texts: Any) -> Any:
            return tf.strings.length(texts, unit="UTF8_CHAR")

    record, replay = capture(Length(), ["ab", "abc", "駅弁"], "length")
    assert replay.passed and answers(record, ["駅弁屋"])["predictions"] == [3]


def test_what_tensorflow_cannot_trace_is_refused(tf: Any) -> None:
    class Foreign(tf.Module):
        def __call__(self, rows: Any) -> Any:
            return tf.constant(numpy.sort(rows.numpy()))

    with pytest.raises(UnsupportedModel, match=r"SavedModel.*numpy") as caught:
        capture(Foreign(), ROWS, "foreign")
    assert "attributes of the module" in caught.value.remedy


def test_what_is_no_model(tf: Any) -> None:
    for value in (
        tf.Module(),
        tf.train.Checkpoint(),
        tf.Variable(1.0),
        tf.data.Dataset.range(3),
        tf.constant(1),
    ):
        assert framework_of(value) is None


def test_a_function_may_call_a_module(tf: Any, tmp_path: Path) -> None:
    """The module is kept beside the function's code, as a SavedModel of its own."""
    script = """
import ekiben, numpy, tensorflow as tf

class Double(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
    def __call__(self, rows):
        return rows * 2

double = Double()

def predict(rows):
    return double(tf.constant(rows)).numpy().sum(axis=1)

box = ekiben.wrap(predict, numpy.ones((5, 4), "float32"), name="doubling")
assert box.replays["process"].passed
assert [piece.how for piece in box.model.carried if piece.name == "double"] == ["kept"], box.model.carried
print(box.predict([[1.0] * 4]).outputs["predictions"])
"""
    assert _run(script, tmp_path).splitlines()[-1] == "[8.0]"


def test_keras_on_tensorflow(tmp_path: Path) -> None:
    """In a process of its own, as Keras chooses its backend once; served and replayed on that backend."""
    script = """
import os, sys, pathlib
import numpy, tensorflow as tf
from ekiben.testing import conformance

model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(3), tf.keras.layers.Dense(1)])
X = numpy.random.default_rng(0).normal(size=(30, 4)).astype("float32")
box = conformance("keras", model, X, pathlib.Path(sys.argv[1]))
assert box.model.options["backend"] == "tensorflow", box.model.options
names = {line.partition("==")[0] for line in box.model.requirements}
assert {"keras", "tensorflow-cpu"} <= names and "torch" not in names, names
with box.serve() as server:
    assert server.replay().passed
    assert numpy.allclose(server.predict(X).outputs["predictions"], model.predict(X, verbose=0), atol=1e-5)
print("served on", box.model.options["backend"])
"""
    assert _run(script, tmp_path).splitlines()[-1] == "served on tensorflow"


def _run(script: str, folder: Path) -> str:
    file = folder / "notebook.py"
    file.write_text(script, encoding="utf-8")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, str(file), str(folder / "conformance")],
        env=environment, capture_output=True, text=True, timeout=1500, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
