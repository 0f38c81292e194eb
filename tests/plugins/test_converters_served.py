"""Compiled forms behind a real service: the whole sample over HTTP is what the library itself answers."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import ekiben
import numpy
import pytest
import test_committee_converters as committees
import test_text_converters as texts
from ekiben import convert
from ekiben.testing import converter_conformance

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def text() -> tuple[Any, Any]:
    model, target, _form = texts.CASES["all settings"]
    return model.fit(texts.TEXTS, target), texts.TEXTS


def column() -> tuple[Any, Any]:
    model, target, _form = texts.TABLES["a column"]
    return model.fit(texts.TABLE, target), texts.TABLE


def of(name: str) -> tuple[Any, Any]:
    model, sample, _form = committees.CASES[name]()
    return model, sample


SERVED = {
    "texts": text,
    "a column of texts": column,
    "a stack": lambda: of("stack"),
    "support with probabilities": lambda: of("support with probabilities"),
    "categories of CatBoost": lambda: of("catboost, combined categories"),
}


@pytest.mark.parametrize("name", SERVED)
def test_over_http_it_answers_as_the_library_does(name, monkeypatch, tmp_path):
    monkeypatch.setattr(convert, "WORTH", 0.0)
    model, sample = SERVED[name]()
    box = ekiben.wrap(model, sample, name="converted", project_dir=tmp_path / "project", compiled="arrays")
    assert box.compiled.active and box.compiled.converter == "arrays"
    with box.serve() as server:
        got = server.predict(sample).outputs
        single = server.predict(sample[:1]).outputs
        with urllib.request.urlopen(f"{server.url}/metrics") as page:
            told = page.read().decode()
    assert got["predictions"] == numpy.ravel(model.predict(sample)).tolist()
    numpy.testing.assert_allclose(got["probabilities"], model.predict_proba(sample), rtol=1e-6, atol=1e-9)
    assert single["predictions"] == got["predictions"][:1]
    assert f'form="{box.compiled.form}"' in told


def test_a_text_form_needs_neither_the_library_nor_ekiben(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(convert, "WORTH", 0.0)  # how fast it is depends on who else works
    model, sample = text()
    box = converter_conformance("arrays", model, sample, tmp_path / "arrays")
    assert box.compiled.form == texts.ARRAYS and "scikit-learn" not in box.compiled.direct
