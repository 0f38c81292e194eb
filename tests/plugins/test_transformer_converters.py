"""Transformers before a model, written down: bins, splines, quantiles, powers, projections."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest
from sklearn.cluster import FeatureAgglomeration
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - without it there is none
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection
from test_converters import ARRAYS, DIABETES, GAPS, IRIS, KIND, TARGET, TREES, Made, agrees, on

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


#: No two rows are as near to a third.
HOLES = numpy.random.default_rng(0).normal(size=(len(DIABETES), 4))
HOLES[::5, 0] = HOLES[::7, 2] = numpy.nan


def before_ridge(*parts: Any) -> Made:
    return on(DIABETES, TARGET, ARRAYS, lambda: make_pipeline(*parts, Ridge()))


def splines(**settings: Any) -> Made:
    return before_ridge(SplineTransformer(**settings))


CASES: dict[str, Made] = {
    "bins": before_ridge(KBinsDiscretizer(4, encode="ordinal")),
    "bins as columns": before_ridge(KBinsDiscretizer(4)),
    "splines": splines(),
    "splines go on straight": splines(extrapolation="linear", include_bias=False),
    "splines go on": splines(extrapolation="continue", degree=2),
    "splines again and again": splines(extrapolation="periodic"),
    "splines refuse": splines(extrapolation="error"),
    "splines with gaps": on(
        GAPS,
        KIND,
        ARRAYS,
        lambda: make_pipeline(SplineTransformer(handle_missing="zeros"), LogisticRegression()),
    ),
    "quantiles": before_ridge(QuantileTransformer(n_quantiles=100)),
    "quantiles to a bell": before_ridge(QuantileTransformer(n_quantiles=100, output_distribution="normal")),
    "quantiles with gaps": on(
        GAPS,
        KIND,
        ARRAYS,
        lambda: make_pipeline(
            QuantileTransformer(n_quantiles=50, output_distribution="normal"),
            HistGradientBoostingRegressor(max_iter=5),
        ),
    ),
    "powers": before_ridge(PowerTransformer()),
    "powers of positive numbers": on(
        IRIS,
        KIND,
        ARRAYS,
        lambda: make_pipeline(PowerTransformer("box-cox"), LogisticRegression(max_iter=500)),
    ),
    "bits": before_ridge(Binarizer(threshold=0.01)),
    "components": before_ridge(PCA(3, whiten=True)),
    "components in portions": before_ridge(IncrementalPCA(3)),
    "components by a kernel": before_ridge(KernelPCA(3, kernel="rbf")),
    "factors": before_ridge(FactorAnalysis(3)),
    "independent ones": before_ridge(FastICA(3, random_state=0)),
    "columns alike": before_ridge(FeatureAgglomeration(3)),
    "by chance": before_ridge(GaussianRandomProjection(3, random_state=0)),
    "waves": before_ridge(RBFSampler(random_state=0)),
    "a kernel's sketch": before_ridge(Nystroem(n_components=20, random_state=0)),
    "gaps told by the nearest": on(
        HOLES, TARGET, ARRAYS, lambda: make_pipeline(KNNImputer(weights="distance"), Ridge())
    ),
    "gaps told in rounds": on(
        HOLES,
        TARGET,
        ARRAYS,
        lambda: make_pipeline(IterativeImputer(max_iter=3, random_state=0, add_indicator=True), Ridge()),
    ),
    "gaps told by forests": on(
        HOLES,
        TARGET,
        TREES,
        lambda: make_pipeline(
            IterativeImputer(RandomForestRegressor(3), max_iter=2, min_value=-1.0, random_state=0), Ridge()
        ),
    ),
    "gaps as columns": on(
        HOLES, TARGET, ARRAYS, lambda: make_pipeline(make_union(SimpleImputer(), MissingIndicator()), Ridge())
    ),
    "targets of several classes": on(
        pandas.DataFrame({"kind": KIND[::-1].astype(str), "width": IRIS[:, 1]}),
        KIND,
        ARRAYS,
        lambda: make_pipeline(
            make_column_transformer((TargetEncoder(random_state=0), ["kind"]), ("passthrough", ["width"])),
            LogisticRegression(),
        ),
    ),
    "discriminants": on(
        IRIS,
        KIND,
        ARRAYS,
        lambda: make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression(max_iter=500)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)
