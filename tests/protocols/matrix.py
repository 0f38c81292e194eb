"""The models that every protocol must answer for as the kernel does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import pandas
from rig.station import Station

__all__ = ["CASES", "Case", "Station"]


@dataclass(frozen=True)
class Case:
    """A model, its sample, and what the library itself answers to it, by output."""

    model: Any
    sample: Any
    answers: dict[str, Any]


def _classifier(model: Any, X: Any) -> Case:
    return Case(
        model,
        X,
        {"predictions": model.predict(X).tolist(), "probabilities": model.predict_proba(X).tolist()},
    )


def array() -> Case:
    """Iris as a plain array; the classes are numbers."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True)
    return _classifier(LogisticRegression(max_iter=500).fit(X, y), X)


def numbers() -> Case:
    """Iris as a table of numbers; the classes are text."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data = load_iris(as_frame=True)
    names = data.target.map(dict(enumerate(map(str, data.target_names))))
    return _classifier(RandomForestClassifier(5, random_state=0).fit(data.data, names), data.data)


def applicants() -> Case:
    """Text categories, gaps, a categorical, dates, texts, booleans."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = numpy.random.default_rng(0)
    n = 120
    X = pandas.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "city": random.choice(["Lima", "Oslo", "京都"], n),
            "income": random.normal(30_000, 9_000, n).astype("float32"),
            "plan": pandas.Categorical(random.choice(["b", "a"], n), categories=["b", "a", "unused"]),
            "since": pandas.date_range("2024-01-01", periods=n, freq="h"),
            "the note": [f"note {index}" for index in range(n)],
            "member": random.random(n) > 0.5,
        }
    )
    X.loc[::7, "income"] = numpy.nan
    X.loc[::11, "city"] = None
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", scaled, ["age", "income"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression())
    return _classifier(model.fit(X, numpy.where(X["age"] > 50, "approved", "refused")), X)


def several() -> Case:
    """A regression with two answers a row."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import LinearRegression

    X, y = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(X, numpy.column_stack([y, y / 3]))
    return Case(model, X, {"predictions": model.predict(X).tolist()})


def texts() -> Case:
    """Texts to a mood."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    X = [f"a {word} film {index}" for index, word in enumerate(["good", "bad", "好", "fine"] * 10)]
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    return _classifier(model.fit(X, ["sad" if "bad" in text else "glad" for text in X]), X)


def images() -> Case:
    """Small images through a network of PyTorch."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 10)]
    model, X = torch.nn.Sequential(*layers).eval(), torch.rand(40, 1, 8, 8)
    with torch.inference_mode():
        return Case(model, X.numpy(), {"predictions": model(X).tolist()})


def cards() -> Case:
    """Rows with a photograph among their fields."""
    from PIL import Image

    random = numpy.random.default_rng(0)
    pixels = [random.integers(0, 255, (6, 5, 3), dtype="uint8") for _ in range(40)]
    rows = [
        {"weight": place / 4, "photo": Image.fromarray(photo), "name": f"card {place}"}
        for place, photo in enumerate(pixels)
    ]
    return Case(_weigh, rows, {"predictions": _weigh(rows)})


def _weigh(rows: list[dict[str, Any]]) -> list[float]:
    import numpy

    return [row["weight"] + float(numpy.asarray(row["photo"]).mean()) for row in rows]


CASES: dict[str, Callable[[], Case]] = {
    "array": array,
    "numbers": numbers,
    "applicants": applicants,
    "several": several,
    "texts": texts,
    "images": images,
    "cards": cards,
}
