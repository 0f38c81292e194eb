"""What the images are of: a small model, trained anew each time, and one of 191 MB that nothing compresses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

HEAVY = 191_000_000
_seeds = itertools.count(1)


def small() -> tuple[Any, Any]:
    """A logistic regression on iris that differs each time, and its sample."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    table, target = load_iris(return_X_y=True, as_frame=True)
    return LogisticRegression(C=1 + next(_seeds) / 100, max_iter=500).fit(table, target), table


def heavy() -> tuple[Any, Any]:
    """Neighbours among random points: the model is its data, of which gzip takes a twentieth."""
    import pandas as pd
    from sklearn.neighbors import KNeighborsRegressor

    rng = np.random.default_rng(next(_seeds))
    points = pd.DataFrame(rng.standard_normal((HEAVY // 40, 4)), columns=["a", "b", "c", "d"])
    model = KNeighborsRegressor(n_neighbors=1, algorithm="brute")
    return model.fit(points, rng.standard_normal(len(points))), points[:40]
