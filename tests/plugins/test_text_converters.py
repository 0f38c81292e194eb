"""Text classification as notebooks write it: the compiled form answers the whole sample and strange texts alike."""

from __future__ import annotations

import random
from typing import Any

import numpy
import pandas
import pytest
from ekiben import form_code
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, Normalizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from test_converters import ARRAYS, TREES, tried

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

COMMON = "the a of and film movie good bad great awful naïve café Zürich plot actor 東京 don't not very I you is was 3"
WORDS = COMMON.split() + [f"word{place}" for place in range(800)]


def texts(count: int = 250) -> list[str]:
    """Reviews by the roll of a die; some are empty, or have nothing but stop words."""
    die = random.Random(0)
    made = []
    for _text in range(count):
        words = [
            die.choice(WORDS if die.random() < 0.5 else WORDS[:24]) for _word in range(die.randint(0, 40))
        ]
        made.append(" ".join(words) + die.choice(["", "!", "\n\n\tz", " ÄÖ", " 🙂"]))
    return [*made, "", "the of and", "   ", "é" * 50, "good " * 3000]


TEXTS = texts()
SORTS = numpy.array(
    ["pos" if ("good" in text) ^ ("bad" in text) else "meh" if len(text) % 2 else "neg" for text in TEXTS]
)
TWO = SORTS == "pos"
TABLE = pandas.DataFrame(
    {
        "review": TEXTS,
        "stars": numpy.random.default_rng(0).integers(1, 6, len(TEXTS)),
        "shop": [["a", "b", "c"][len(text) % 3] for text in TEXTS],
    }
)


def logistic() -> Any:
    return LogisticRegression(max_iter=300)


def columns() -> Any:
    return make_column_transformer(
        (TfidfVectorizer(), "review"),
        (StandardScaler(), ["stars"]),
        (OneHotEncoder(handle_unknown="ignore"), ["shop"]),
    )


def boosted() -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=10)


def lightly() -> Any:
    import lightgbm

    return lightgbm.LGBMClassifier(n_estimators=10, verbose=-1)


TFIDF = {"stop_words": "english", "ngram_range": (1, 2), "sublinear_tf": True, "strip_accents": "unicode"}
CASES: dict[str, tuple[Any, Any, str]] = {
    "counts": (make_pipeline(CountVectorizer(), MultinomialNB()), SORTS, ARRAYS),
    "tf-idf": (make_pipeline(TfidfVectorizer(), logistic()), SORTS, ARRAYS),
    "all settings": (make_pipeline(TfidfVectorizer(**TFIDF, min_df=2), logistic()), TWO, ARRAYS),
    "pairs as written": (
        make_pipeline(
            TfidfVectorizer(ngram_range=(2, 3), norm="l1", lowercase=False, strip_accents="ascii"), logistic()
        ),
        TWO,
        ARRAYS,
    ),
    "bits": (
        make_pipeline(
            CountVectorizer(binary=True, max_features=300), TfidfTransformer(use_idf=False), LinearSVC()
        ),
        SORTS,
        ARRAYS,
    ),
    "characters": (
        make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), SGDClassifier()),
        SORTS,
        ARRAYS,
    ),
    "characters of words": (
        make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)), SGDClassifier(loss="log_loss")),
        SORTS,
        ARRAYS,
    ),
    "in between": (
        make_pipeline(TfidfVectorizer(), SGDClassifier(loss="modified_huber", random_state=0)),
        SORTS,
        ARRAYS,
    ),
    "hashes": (make_pipeline(HashingVectorizer(n_features=2**18), logistic()), SORTS, ARRAYS),
    "hashes without signs": (
        make_pipeline(
            HashingVectorizer(n_features=2**8, alternate_sign=False, norm=None, ngram_range=(1, 2)),
            TfidfTransformer(),
            ComplementNB(),
        ),
        SORTS,
        ARRAYS,
    ),
    "a pattern": (
        make_pipeline(CountVectorizer(token_pattern=r"(?u)\b(\w)\w*\b"), BernoulliNB()),
        SORTS,
        ARRAYS,
    ),
    "a vocabulary": (make_pipeline(CountVectorizer(vocabulary=["good", "bad"]), logistic()), SORTS, ARRAYS),
    "meanings": (
        make_pipeline(TfidfVectorizer(), TruncatedSVD(10, random_state=0), Normalizer(), logistic()),
        SORTS,
        ARRAYS,
    ),
    "the best": (make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=99), MaxAbsScaler(), logistic()), SORTS, ARRAYS),
    "side by side": (
        make_pipeline(
            make_union(TfidfVectorizer(), CountVectorizer(analyzer="char")), StandardScaler(with_mean=False), logistic()
        ),
        SORTS,
        ARRAYS,
    ),
    "stars": (make_pipeline(TfidfVectorizer(), Ridge()), TWO * 3.5, ARRAYS),
    "support": (make_pipeline(TfidfVectorizer(), SVC()), SORTS, ARRAYS),
    "support, straight": (make_pipeline(TfidfVectorizer(), SVC(kernel="linear")), SORTS, ARRAYS),
    "a forest": (make_pipeline(TfidfVectorizer(), RandomForestClassifier(20, random_state=0)), SORTS, TREES),
    "xgboost": (make_pipeline(TfidfVectorizer(), boosted()), TWO.astype(int), ARRAYS),
}  # fmt: skip
TABLES: dict[str, tuple[Any, Any, str]] = {
    "a column": (make_pipeline(columns(), logistic()), SORTS, ARRAYS),
    "a column, xgboost": (make_pipeline(columns(), boosted()), TWO.astype(int), ARRAYS),
    "a column, lightgbm": (make_pipeline(columns(), lightly()), TWO, ARRAYS),
}


RECORDS = [
    {"from": str(turn % 9), "to": f"stop {turn * 7 % 60}", "far": turn % 11 / 2, "cash": turn % 3 > 0}
    for turn in range(300)
]
PRICES = numpy.array([record["far"] * 3 + len(record["to"]) for record in RECORDS])
TRIPS: dict[str, tuple[Any, Any, str]] = {
    "records": (make_pipeline(DictVectorizer(), LinearRegression()), PRICES, ARRAYS),
    "records, laid out": (
        make_pipeline(DictVectorizer(sparse=False), StandardScaler(), logistic()),
        PRICES > 15,
        ARRAYS,
    ),
    "records, xgboost": (make_pipeline(DictVectorizer(), boosted()), PRICES > 15, ARRAYS),
}


@pytest.mark.parametrize("name", TRIPS)
def test_records_are_compiled_and_agree(name, tmp_path):
    model, target, form = TRIPS[name]
    found, _contract = tried(model.fit(RECORDS, target), RECORDS, tmp_path, "accept")
    assert found.form == form, found.reason
    assert found.rows == len(RECORDS) and found.edges > 30


@pytest.mark.parametrize("name", [*CASES, *TABLES])
def test_it_is_compiled_and_agrees(name, tmp_path):
    model, target, form = {**CASES, **TABLES}[name]
    sample = TABLE if name in TABLES else TEXTS
    found, contract = tried(model.fit(sample, target), sample, tmp_path, "accept")
    assert found.form == form, found.reason
    assert found.rows == len(sample) and found.edges > 8
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    rows = [(text, 3, "a") for text in TEXTS] if name in TABLES else TEXTS
    crowd = run(rows)  # one by one as in a crowd
    for key, together in crowd.items():
        singles = numpy.array([run([row])[key][0] for row in rows])
        if singles.dtype.kind == "f":
            numpy.testing.assert_allclose(singles, numpy.array(together), rtol=1e-6, atol=1e-9)
        else:
            assert singles.tolist() == numpy.array(together).tolist()


def test_a_gap_is_refused_as_the_model_refuses_it(tmp_path):
    """A sample with a gap in its texts is no sample that such a model answers; its contract may still say so."""
    model = make_pipeline(columns(), logistic()).fit(TABLE, SORTS)
    _found, contract = tried(model, TABLE, tmp_path, "accept")
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    with pytest.raises(TypeError, match="A text is wanted, not None"):
        run([(None, 3, "a")])


def words(text: str) -> list[str]:
    return text.split("-")


@pytest.mark.parametrize("setting", ["tokenizer", "preprocessor", "analyzer", "strip_accents"])
def test_a_function_of_the_users_own_is_named(setting, tmp_path):
    function = str.upper if setting in ("preprocessor", "strip_accents") else words
    model = make_pipeline(CountVectorizer(**{setting: function}), logistic()).fit(TEXTS, SORTS)
    found, _contract = tried(model, TEXTS, tmp_path)
    name = "upper" if function is str.upper else "words"
    assert (found.form, found.reason) == ("", f"Its {setting} is a function of your own: {name}.")


def test_a_vocabulary_of_a_hundred_thousand_is_never_laid_out(tmp_path):
    """Memory is that of the words that come, not of rows times the vocabulary."""
    import tracemalloc

    many = [f"w{place} w{place * 7 % 100_000}" for place in range(100_000)]
    model = make_pipeline(TfidfVectorizer(), SGDClassifier(max_iter=3, tol=None)).fit(
        many, [place % 3 for place in range(100_000)]
    )
    found, contract = tried(model, many[:2000], tmp_path)
    assert found.form == ARRAYS, found.reason
    run = form_code.load(tmp_path / "compiled").load(tmp_path / "compiled", contract.to_json())
    tracemalloc.start()
    run(many[:2000])
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8_000_000, most  # 2,000 × 100,000 numbers would be 1.6 GB
