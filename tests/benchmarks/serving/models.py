"""The models of the comparison: made here once, kept in one file that every server loads.

A model's folder has ``model.joblib`` or, for a network, ``model.pt`` (TorchScript, which needs no class);
``spec.json``, which tells a server's file how rows look; ``rows.json`` and ``answers.json``, the rows
that are sent and the native model's own answers to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import nets


@dataclass(frozen=True)
class Made:
    """A fitted ``model``, the ``sample`` that it is wrapped with, and the ``rows`` that are sent."""

    model: Any
    sample: Any
    rows: list[Any]
    #: ``array``, ``table`` or ``tensor``
    form: str


@dataclass(frozen=True)
class Model:
    """A model on disk. ``rows`` as JSON has them, ``answers`` the native model's, one a row."""

    name: str
    title: str
    folder: Path
    spec: dict[str, Any]
    rows: list[Any]
    answers: list[Any]
    made: Made

    @property
    def form(self) -> str:
        return self.made.form

    @property
    def file(self) -> Path:
        return self.folder / self.spec["file"]


def iris() -> Made:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data, target = load_iris(return_X_y=True)
    return Made(LogisticRegression(max_iter=1000).fit(data, target), data, data.tolist(), "array")


def _thirty() -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    data, target = make_classification(2000, 30, n_informative=12, n_classes=3, random_state=0)
    return data.round(4), target


def forest() -> Made:
    from sklearn.ensemble import RandomForestClassifier

    data, target = _thirty()
    model = RandomForestClassifier(100, random_state=0).fit(data, target)
    return Made(model, data, data[:400].tolist(), "array")


def pipeline() -> Made:
    import numpy
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = numpy.random.default_rng(0)
    size = 2000
    cities = ["Beijing", "Berlin", "Nairobi", "Lima", "Osaka", "Oslo"]
    data = pandas.DataFrame(
        {
            "age": random.integers(18, 90, size).astype(float),
            "income": random.normal(50_000, 15_000, size).round(2),
            "height": random.normal(170, 10, size).round(1),
            "visits": random.integers(0, 50, size).astype(float),
            "city": random.choice(cities, size),
            "plan": random.choice(["free", "basic", "pro"], size),
            "device": random.choice(["phone", "tablet", "desktop"], size),
        }
    )
    score = (
        (data["age"] - 50) / 15
        + (data["plan"] == "pro") * 2
        - (data["city"] == "Oslo")
        + random.normal(0, 0.5, size)
    )
    target = (score > 0).map({True: "buys", False: "leaves"})
    texts = ["city", "plan", "device"]
    numbers = ["age", "income", "height", "visits"]
    columns = ColumnTransformer(
        [("texts", OneHotEncoder(handle_unknown="ignore"), texts), ("numbers", StandardScaler(), numbers)]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(data, target)
    return Made(model, data, data[:400].to_dict("records"), "table")


def lightgbm() -> Made:
    from lightgbm import LGBMClassifier

    data, target = _thirty()
    model = LGBMClassifier(n_estimators=500, n_jobs=1, random_state=0, verbose=-1).fit(data, target)
    return Made(model, data, data[:400].tolist(), "array")


def mlp() -> Made:
    import numpy

    data = numpy.random.default_rng(0).normal(size=(400, 30)).round(4).astype("float32")
    return Made(nets.mlp(), data, _short(data), "tensor")


def cnn() -> Made:
    import numpy

    data = numpy.random.default_rng(0).random((128, 3, 64, 64)).round(3).astype("float32")
    return Made(nets.cnn(), data, _short(data), "tensor")


def _short(data: Any) -> list[Any]:
    """float32 as JSON of few digits: the nearest float64's repr would be three times as long."""
    import numpy

    rows: list[Any] = numpy.round(data.astype("float64"), 4).tolist()
    return rows


MODELS: dict[str, tuple[str, Callable[[], Made]]] = {
    "iris": ("iris, logistic regression", iris),
    "forest": ("random forest, 100 trees × 30 columns", forest),
    "pipeline": ("pipeline with text columns", pipeline),
    "lightgbm": ("LightGBM, 500 trees", lightgbm),
    "mlp": ("MLP 30-128-128-3", mlp),
    "cnn": ("CNN, 64 × 64 × 3", cnn),
}
NETWORKS = ("mlp", "cnn")


def make(name: str, folder: Path) -> Model:
    """Fits the model ``name`` and writes it into ``folder``."""
    title, build = MODELS[name]
    made = build()
    folder.mkdir(parents=True, exist_ok=True)
    import joblib

    joblib.dump(made.sample, folder / "sample.joblib")
    network = made.form == "tensor"
    if network:
        import torch

        data = torch.as_tensor(made.sample[: len(made.rows)])
        torch.jit.trace(made.model, data[:2]).save(str(folder / "model.pt"))
        with torch.inference_mode():
            answers = made.model(data).tolist()
    else:
        joblib.dump(made.model, folder / "model.joblib")
        answers = made.model.predict(made.sample[: len(made.rows)]).tolist()
    spec = {
        "name": name,
        "form": made.form,
        "file": "model.pt" if network else "model.joblib",
        "columns": list(made.sample.columns) if made.form == "table" else [],
        "texts": [key for key, value in made.rows[0].items() if isinstance(value, str)]
        if made.form == "table"
        else [],
        "shape": list(made.sample.shape[1:]),
    }
    for file, content in (("spec.json", spec), ("rows.json", made.rows), ("answers.json", answers)):
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    return Model(name, title, folder, spec, made.rows, answers, made)
