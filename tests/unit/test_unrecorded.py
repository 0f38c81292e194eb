"""Preprocessing that was forgotten where the model recorded nothing: torch, keras and plain functions."""

from __future__ import annotations

import os
from typing import Any

import numpy
import pandas
import pytest
from ekiben.capture import load_adapter
from ekiben.errors import SampleMismatch
from ekiben.records import Finding
from ekiben.registry import framework_of
from ekiben.unrecorded import check
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

os.environ.setdefault("KERAS_BACKEND", "torch")

RANDOM = numpy.random.default_rng(0)
X = RANDOM.normal((500, -3, 0.01), (80, 1, 0.004), (200, 3))
y = ((X[:, 0] - 500) / 80 + (X[:, 1] + 3) > 0).astype(int)
scaler = StandardScaler().fit(X)
X_scaled = scaler.transform(X)


def looked(model: Any, sample: Any, **namespace: Any) -> tuple[Finding, ...]:
    """What is told when ``model`` is wrapped with ``sample`` in a notebook that has ``namespace``."""
    taken = framework_of(model)
    assert taken is not None
    adapter = load_adapter(taken)
    known = {"model": model, **({"X": sample} if "X" not in namespace else {}), **namespace}
    return check(model, sample, lambda data: adapter.call(model, data), taken.name, known)


@pytest.fixture(scope="module")
def net() -> Any:
    """Logits of a linear classifier that learned on the scaled rows."""
    import torch

    learned = LogisticRegression().fit(X_scaled, y)
    layer = torch.nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(learned.coef_))
        layer.bias.copy_(torch.as_tensor(learned.intercept_))
    return torch.nn.Sequential(layer)


def runs(error: SampleMismatch, **names: Any) -> Any:
    """The function that the error's code makes; the line that wraps is left out."""
    lines = error.code.splitlines()
    assert lines[-1].startswith("box = ekiben.wrap(predict, ")
    exec("\n".join(lines[:-1]), names)
    return names["predict"]


def test_answers_tell_that_a_scaler_was_forgotten(net: Any) -> None:
    with pytest.raises(SampleMismatch, match="answers better for what scaler makes of X") as caught:
        looked(net, X, scaler=scaler, y=y)
    predict = runs(caught.value, model=net, scaler=scaler)
    assert ((predict(X)[:, 0] > 0) == y).mean() > 0.95


def test_the_target_need_not_be_named_like_one(net: Any) -> None:
    import torch

    noise = RANDOM.normal(size=len(X))
    frame = pandas.DataFrame(numpy.column_stack([X, y]), columns=["a", "b", "c", "bought"])
    for beside in ({"noise": noise, "bought": y}, {"df": frame}):
        with pytest.raises(SampleMismatch, match="answers better for what scaler makes of X"):
            looked(net, frame[["a", "b", "c"]].to_numpy(), scaler=scaler, **beside)
    learned = LinearRegression().fit(X_scaled, price := X_scaled @ [2.0, -1.0, 0.5] + 3)
    layer = torch.nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(learned.coef_))
        layer.bias.copy_(torch.as_tensor(learned.intercept_))
    with pytest.raises(SampleMismatch, match="answers better for what scaler makes of X"):
        looked(layer, X, scaler=scaler, noise=noise, price=price)
    assert looked(layer, X_scaled, scaler=scaler, noise=noise, price=price, raw=X) == ()
    assert looked(layer, X_scaled, scaler=scaler, noise=noise) == ()


def test_the_right_sample_is_left_in_peace(net: Any) -> None:
    assert looked(net, X_scaled, scaler=scaler, y=y, raw=X) == ()
    assert looked(net, X_scaled.astype("float32"), scaler=scaler) == ()


def test_what_the_cells_train_on_is_plain(net: Any) -> None:
    import torch

    tensor = torch.as_tensor(X_scaled, dtype=torch.float32)
    cells = ["%matplotlib inline", "loss = criterion(model(Xt), yt)"]
    with pytest.raises(SampleMismatch, match="trains model on what scaler makes of X") as caught:
        looked(net, X, scaler=scaler, Xt=tensor, In=cells)
    assert "torch.as_tensor(scaler.transform(rows)" in caught.value.code
    raw = torch.as_tensor(X, dtype=torch.float32)
    assert looked(net, X, scaler=scaler, Xt=raw, In=cells, X_scaled=X_scaled) == ()


def test_where_nothing_tells_the_two_are_named(net: Any) -> None:
    (finding,) = looked(net, X, scaler=scaler, X_scaled=X_scaled)
    assert finding.level == "warning" and "nothing tells which" in finding.message
    assert "scaler.transform(rows)" in finding.remedy
    assert looked(net, X, scaler=scaler, loss=numpy.array(0.5), y=numpy.array(1)) == ()


def test_another_width_finds_what_makes_it() -> None:
    import torch

    wider = PolynomialFeatures(include_bias=False).fit(X)
    model = torch.nn.Linear(9, 1)
    with pytest.raises(SampleMismatch, match=r"does not take the sample.*what wider makes") as caught:
        looked(model, X, wider=wider, scaler=scaler)
    assert runs(caught.value, model=model, wider=wider)(X[:4]).shape == (4, 1)


@pytest.mark.slow
def test_keras() -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    learned = LogisticRegression().fit(X_scaled, y)
    model.layers[0].set_weights([learned.coef_.T, learned.intercept_])
    with pytest.raises(SampleMismatch) as caught:
        looked(model, X, scaler=scaler, y=y)
    assert "model.predict(scaler.transform(rows), verbose=0)" in caught.value.code
    cells = ["model.fit(X_scaled, y, epochs=3)"]
    with pytest.raises(SampleMismatch, match="trains model on"):
        looked(model, X, scaler=scaler, X_scaled=X_scaled, In=cells)
    assert looked(model, X_scaled, scaler=scaler, y=y) == ()


def test_functions_and_objects() -> None:
    learned = LogisticRegression().fit(X_scaled, y)
    names: dict[str, Any] = {"learned": learned, "scaler": scaler}
    exec("def forgot(rows): return learned.predict(rows)", names)
    exec("def scaled(rows): return learned.predict(scaler.transform(rows))", names)
    with pytest.raises(SampleMismatch) as caught:
        looked(names["forgot"], X, scaler=scaler, y=y, learned=learned)
    assert "model(scaler.transform(rows))" in caught.value.code
    assert looked(names["scaled"], X, scaler=scaler, y=y, learned=learned, X_scaled=X_scaled) == ()

    class Held:
        def __init__(self) -> None:
            self.steps = [scaler, learned]

        def predict(self, rows: Any) -> Any:
            return learned.predict(self.steps[0].transform(rows))

    assert looked(Held(), X, scaler=scaler, y=y, X_scaled=X_scaled) == ()


def test_a_regression() -> None:
    import torch

    truth = X_scaled @ [2.0, -1.0, 0.5] + 3
    model = torch.nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, -1.0, 0.5]]))
        model.bias.copy_(torch.tensor([3.0]))
    with pytest.raises(SampleMismatch, match=r"1\.00 instead of -1\.00"):
        looked(model, X, scaler=scaler, target=truth)


def test_the_width_of_a_first_layer_is_known() -> None:
    import torch

    taken = framework_of(torch.nn.Linear(3, 1))
    assert taken is not None
    inner = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU())
    models = (torch.nn.Linear(3, 1), torch.nn.Sequential(inner, torch.nn.Linear(4, 1)), torch.nn.ReLU())
    assert [taken.describe(model).width for model in models] == [3, 5, None]


def test_a_function_may_name_what_cannot_be_asked() -> None:
    """``ctypes.cdll`` opens a library for each attribute one asks of it; TensorFlow's modules hold one."""
    import ctypes

    def predict(rows: Any) -> Any:
        return learned.predict(rows) if libraries else None

    learned = LogisticRegression().fit(X_scaled, y)
    libraries = ctypes.cdll
    with pytest.raises(SampleMismatch, match="scaler"):
        looked(predict, X, scaler=scaler, y=y)


def test_a_module_lends_what_the_function_names_of_it() -> None:
    """The scaler of ``prep.scaler`` is used, not forgotten; another one in the same module is not."""
    import types

    prep = types.ModuleType("prep")
    vars(prep).update(scaler=scaler, model=LogisticRegression().fit(X_scaled, y))
    names = {"prep": prep}
    exec("def predict(rows):\n    return prep.model.predict(prep.scaler.transform(rows))", names)
    assert looked(names["predict"], X, **names, scaler=scaler, y=y) == ()
    exec("def predict(rows):\n    return prep.model.predict(rows)", names)
    with pytest.raises(SampleMismatch, match="scaler"):
        looked(names["predict"], X, **names, scaler=scaler, y=y)
