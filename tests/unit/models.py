"""Real models on real data, small enough to fit in a second."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy
import pandas
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


@lru_cache
def iris() -> tuple[Any, pandas.DataFrame]:
    """A forest on a DataFrame; the classes are text."""
    data = load_iris(as_frame=True)
    names = data.target.map(dict(enumerate(map(str, data.target_names))))
    return RandomForestClassifier(10, random_state=0).fit(data.data, names), data.data


@lru_cache
def diabetes() -> tuple[Any, numpy.ndarray]:
    """A regression on a plain array."""
    X, y = load_diabetes(return_X_y=True)
    return LinearRegression().fit(X, y), X


@lru_cache
def people() -> pandas.DataFrame:
    """Every kind of column: text categories with gaps, float32 with NaN, a categorical, dates, booleans."""
    random = numpy.random.default_rng(0)
    n = 300
    frame = pandas.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "city": random.choice(["Lima", "Oslo", "京都"], n),
            "income": random.normal(30_000, 9_000, n).astype("float32"),
            "plan": pandas.Categorical(random.choice(["b", "a"], n), categories=["b", "a", "unused"]),
            "since": pandas.date_range("2024-01-01", periods=n, freq="h"),
            "note": [f"note {index}" for index in range(n)],
            "member": random.random(n) > 0.5,
        }
    )
    frame.loc[::7, "income"] = numpy.nan
    frame.loc[::11, "city"] = None
    return frame


@lru_cache
def applicants() -> tuple[Pipeline, pandas.DataFrame]:
    """A ColumnTransformer pipeline with text categories, gaps and an imputer."""
    X = people()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression())
    return model.fit(X, numpy.where(X["age"] > 50, "approved", "refused")), X
