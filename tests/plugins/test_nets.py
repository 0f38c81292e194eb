"""Networks of many kinds are compiled and agree, also in what they refuse and while the live one learns on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import nobodys_nets as nets
import numpy
import pytest
import torch
from ekiben import convert, form_code
from ekiben.testing import converter_conformance
from test_converters import GRAPH, tried

pytestmark = pytest.mark.slow

RANDOM = numpy.random.default_rng(0)
STEPS = RANDOM.normal(size=(60, 5, 3)).astype("float32")
WORDS = RANDOM.integers(0, 50, (60, 7))
ROWS = RANDOM.normal(size=(60, 6)).astype("float32")
PIXELS = RANDOM.random((60, 8, 8, 1)).astype("float32")
layers = keras.layers


def named() -> Any:
    """Two answers by name, in Keras' functional way."""
    rows = keras.Input((6,))
    found = layers.Dense(8, activation="relu")(rows)
    return keras.Model(rows, {"classes": layers.Dense(3)(found), "value": layers.Dense(1)(found)})


def stack(*parts: Any) -> Callable[[], Any]:
    return lambda: keras.Sequential(
        [keras.Input(parts[0][0], dtype=parts[0][1]), *(make() for make in parts[1:])]
    )


CASES: dict[str, tuple[Callable[[], Any], Any]] = {
    "torch LSTM": (nets.Series, torch.tensor(STEPS)),
    "torch GRU": (nets.BothWays, torch.tensor(STEPS)),
    "torch embeddings": (nets.Words, torch.tensor(WORDS)),
    "torch table": (nets.Wrapping, torch.tensor(WORDS)),
    "torch batch norm": (nets.normalised, torch.tensor(ROWS)),
    "torch attention": (nets.attentive, torch.tensor(RANDOM.normal(size=(60, 5, 8)).astype("float32"))),
    "torch answers": (nets.Several, torch.tensor(ROWS[:, :4])),
    "keras LSTM": (
        stack(((5, 3), "float32"), lambda: layers.LSTM(8), lambda: layers.Dense(2)),
        STEPS,
    ),
    "keras embedding": (
        stack(
            ((7,), "int64"),
            lambda: layers.Embedding(50, 8),
            layers.GlobalAveragePooling1D,
            lambda: layers.Dense(3),
        ),
        WORDS,
    ),
    "keras batch norm": (
        stack(
            ((6,), "float32"),
            lambda: layers.Dense(16),
            layers.BatchNormalization,
            lambda: layers.Dropout(0.5),
            lambda: layers.Dense(3),
        ),
        ROWS,
    ),
    "keras convolution": (
        stack(
            ((8, 8, 1), "float32"),
            lambda: layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D,
            layers.Flatten,
            lambda: layers.Dense(3, activation="softmax"),
        ),
        PIXELS,
    ),
    "keras answers": (named, ROWS),
}


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_compiled_and_agrees(name, tmp_path):
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    make, sample = CASES[name]
    found, contract = tried(make(), sample, tmp_path)
    assert found.form == GRAPH, found.reason
    assert found.rows == len(sample) and found.edges > 0
    answers = contract.golden.answers
    assert list(answers) == ["predictions", *(["value"] if "answers" in name else [])]


def test_an_embedding_refuses_what_its_table_has_not(tmp_path):
    torch.manual_seed(0)
    found, contract = tried(nets.Words(), torch.tensor(WORDS), tmp_path)
    assert found.form == GRAPH, found.reason
    home = tmp_path / form_code.FOLDER
    run = form_code.load(home).load(home, json.loads(json.dumps(contract.to_json())))
    fine = [0, 49, 0, 49, 1, 2, 3]
    assert run([fine])["predictions"].shape == (1, 3)
    for place in (0, 6):
        for wrong in (-1, -50, 50, 2**31 - 1):
            with pytest.raises(Exception, match="out of data bounds"):
                run([[wrong if at == place else value for at, value in enumerate(fine)]])


def test_what_it_learned_stays_and_answers_are_those_of_evaluation(tmp_path):
    torch.manual_seed(0)
    net = nets.normalised()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found, contract = tried(net, torch.tensor(ROWS), tmp_path)
    assert found.form == GRAPH and net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    golden = contract.golden
    with torch.inference_mode():
        told = net.eval()(torch.tensor(golden.rows, dtype=torch.float32))
    assert numpy.allclose(golden.answers["predictions"], told, rtol=1e-5, atol=1e-6)


def test_several_answers_are_served_as_the_notebook_gave_them(monkeypatch, tmp_path):
    monkeypatch.setattr(convert, "WORTH", 0.0)  # how fast so small a network is depends on who else works
    torch.manual_seed(0)
    box = converter_conformance("onnx", nets.Several().eval(), torch.tensor(ROWS[:, :4]), tmp_path)
    assert [entry.name for entry in box.contract.outputs] == ["predictions", "value"]
