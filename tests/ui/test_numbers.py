"""Whole numbers on the card: a label, a year and an answer that differs are shown to the last digit.

The bundle is shown on an empty page; a real box answers, without a kernel in between.
"""

from __future__ import annotations

from dataclasses import replace

import ekiben
import numpy
import pandas
import pytest
from ekiben.records import Mismatch, Replay
from ekiben.widget import STATIC
from playwright.sync_api import Page, expect
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

pytestmark = pytest.mark.browser

FIRST = 1_000_001
SHOW = """async ({ code, card }) => {
  const { default: widget } = await import('data:text/javascript;base64,' + code);
  const heard = [];
  const model = {
    get: () => card,
    on: (event, handler) => heard.push(handler),
    off: () => undefined,
    send: async ({ id, verb, rows }) => {
      const data = verb === 'try' ? await window.answer(rows) : null;
      heard.filter(handler => handler.length > 0).forEach(handler => handler({ id, ok: true, data }));
    }
  };
  widget.render({ model, el: document.body });
}"""


@pytest.fixture(scope="module")
def box():
    years = numpy.tile([2023, 2024], 60)
    X = pandas.DataFrame({"year": pandas.Categorical(years), "x": numpy.linspace(0.0, 1.0, 120)})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["year"]), remainder="passthrough"),
        LogisticRegression(),
    )
    return ekiben.wrap(model.fit(X, FIRST + (years == 2024)), X, name="labels", unseen="warn")


def test_whole_numbers_are_shown_to_the_last_digit(page: Page, box) -> None:
    from base64 import b64encode

    differs = Mismatch(0, "predictions", {}, FIRST, FIRST + 1)
    almost = Mismatch(1, "probabilities", {}, 0.12345678, 0.12345679)
    seen = Replay("http", 2, 1.0, box.contract.tolerance, 1.0, (differs, almost))
    card = replace(box.card(), replays=(seen,)).to_json()
    page.expose_function("answer", lambda rows: box.try_rows(rows).to_json())
    page.goto("about:blank")
    page.evaluate(SHOW, {"code": b64encode((STATIC / "widget.js").read_bytes()).decode(), "card": card})
    year = page.locator('[data-field="year"]')
    expect(year.locator("option")).to_have_text(["2023", "2024", "another value …"])
    for chosen, answer in (("2024", FIRST + 1), ("2023", FIRST)):
        year.locator("select").select_option(label=chosen)
        expect(page.locator(".ek-value")).to_have_text(str(answer))
    # A year that the sample did not have is a number too.
    year.locator("select").select_option(label="another value …")
    year.get_by_role("textbox").fill("2025")
    expect(page.locator(".ek-notices")).to_contain_text("2025")
    year.get_by_role("textbox").fill("soon")
    expect(year.locator(".ek-problem")).not_to_be_empty()
    page.get_by_role("tab", name="Proof").click()
    expect(page.locator(".ek-card")).to_contain_text(f"said {FIRST}, here {FIRST + 1}")
    expect(page.locator(".ek-card")).to_contain_text("said 0.12345678, here 0.12345679")
