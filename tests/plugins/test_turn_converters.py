"""What is found turn by turn, by a process's hidden function or along a curve: compiled, and answering alike."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from test_converters import ARRAYS, DIABETES, IRIS, KIND, TARGET, TWO, Made, agrees, on

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAMES = numpy.array(["setosa", "versicolor", "virginica"])[KIND]
#: Every third row's class is not known.
SOME = numpy.where(numpy.arange(len(KIND)) % 3, KIND, -1)
WORDS = ("train", "lunch", "rice", "model", "tree", "forest", "station", "box")
TEXTS = [" ".join(WORDS[(place * step) % 8] for step in range(1, 7)) for place in range(120)]
ABOUT = [place % 2 for place in range(120)]
COLUMN = DIABETES[:, 2:3]


def before(*parts: Any) -> Any:
    return make_pipeline(*parts, LogisticRegression(max_iter=300))


CASES: dict[str, Made] = {
    "process": on(IRIS, TWO, ARRAYS, GaussianProcessClassifier),
    "process, three names": on(IRIS, NAMES, ARRAYS, GaussianProcessClassifier),
    "process, sum of kernels": on(
        IRIS,
        TWO,
        ARRAYS,
        lambda: GaussianProcessClassifier(
            ConstantKernel(2.0) * RBF([1.0, 2.0, 1.0, 0.5]) + 0.1 * DotProduct() + WhiteKernel(0.3),
            optimizer=None,
        ),
    ),
    "parts": on(IRIS, KIND, ARRAYS, lambda: before(NMF(3, max_iter=300))),
    "parts of texts": on(TEXTS, ABOUT, ARRAYS, lambda: before(TfidfVectorizer(), NMF(3))),
    "parts, few and flat": on(IRIS, KIND, ARRAYS, lambda: before(NMF(2, alpha_W=0.01, l1_ratio=0.5))),
    "topics": on(
        TEXTS,
        ABOUT,
        ARRAYS,
        lambda: before(CountVectorizer(), LatentDirichletAllocation(4, random_state=0)),
    ),
    "topics of numbers": on(IRIS, KIND, ARRAYS, lambda: before(LatentDirichletAllocation(3, random_state=0))),
    "spread labels": on(IRIS, SOME, ARRAYS, lambda: LabelSpreading(gamma=2.0)),
    "propagated labels": on(IRIS, SOME, ARRAYS, lambda: LabelPropagation(gamma=2.0)),
    "curve": on(COLUMN, TARGET, ARRAYS, lambda: IsotonicRegression(out_of_bounds="clip")),
    "curve with an end": on(COLUMN, TARGET, ARRAYS, IsotonicRegression),
    "curve that refuses": on(COLUMN, TARGET, ARRAYS, lambda: IsotonicRegression(out_of_bounds="raise")),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_compiled_and_agrees(name, tmp_path):
    agrees(CASES[name], tmp_path)
