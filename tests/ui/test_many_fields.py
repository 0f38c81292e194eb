"""A form of a hundred fields: one is found by its name, without a mouse, and what is wrong is never hidden."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CELL = """
import ekiben, numpy, pandas
from sklearn.linear_model import LinearRegression
numbers = numpy.random.default_rng(0).normal(size=(60, 100))
X = pandas.DataFrame(numbers, columns=[f"sensor {n // 10} channel {n % 10}" for n in range(100)])
wide = ekiben.wrap(LinearRegression().fit(X, numbers[:, 0]), X, name="wide", compiled=False)
wide
"""
FEW = """
few = ekiben.wrap(LinearRegression().fit(X.iloc[:, :14], numbers[:, 0]), X.iloc[:, :14], name="few", compiled=False)
few
"""


@pytest.fixture(scope="module")
def cards(window):
    """The cards of a model of 100 fields and of one of 14; in English."""
    window.set("translation-extension", "plugin", '{"locale": "en"}')
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (CELL, FEW)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, window.lab.root / "wide.ipynb")
    window.load()
    window.open("wide.ipynb")
    window.run_cell(0)
    window.run_cell(1)
    found = window.page.locator(".jp-OutputArea-output .ek-card")
    expect(found).to_have_count(2, timeout=30_000)
    for card in found.all():
        expect(card).to_contain_text("notebook says", timeout=30_000)
    return window.page, found


def lines(card):
    return card.locator(".ek-line:visible")


def test_a_field_is_found_by_words_of_its_name(cards):
    page, found = cards
    card = found.first
    box = card.get_by_role("searchbox", name="Find a field")
    expect(card.locator(".ek-filter")).to_contain_text("100 fields")
    expect(lines(card)).to_have_count(24)
    box.focus()
    page.keyboard.type("CHANNEL 3")
    expect(lines(card)).to_have_count(19)  # sensors 0 to 9, and each channel of sensor 3
    expect(card.locator(".ek-filter")).to_contain_text("19 of 100 fields")
    page.keyboard.type(" sensor 97")
    expect(lines(card)).to_have_count(0)
    expect(card.locator(".ek-filter")).to_contain_text("no field of 100 has this in its name")
    box.fill("9 channel 7")
    expect(card.locator(".ek-filter")).to_contain_text("2 of 100 fields")
    page.keyboard.press("Enter")
    expect(card.locator('[data-field="sensor 7 channel 9"] .ek-number')).to_be_focused()


def test_escape_shows_all_again_as_they_were(cards):
    page, found = cards
    card = found.first
    box = card.get_by_role("searchbox", name="Find a field")
    box.fill("sensor 9")
    page.keyboard.press("Escape")
    expect(box).to_have_value("")
    expect(box).to_be_focused()
    expect(lines(card)).to_have_count(24)
    expect(card.locator(".ek-form > details")).not_to_have_attribute("open", "")


def test_what_is_wrong_is_seen_though_something_else_is_looked_for(cards):
    _page, found = cards
    card = found.first
    box = card.get_by_role("searchbox", name="Find a field")
    box.fill("sensor 9 channel 9")
    wrong = card.locator('[data-field="sensor 9 channel 9"] .ek-number')
    wrong.fill("")
    expect(card.locator('[data-field="sensor 9 channel 9"]')).to_contain_text("Type a number")
    box.fill("sensor 0 channel 0")
    expect(wrong).to_be_visible()
    wrong.fill("0.5")
    expect(lines(card)).to_have_count(19)  # the problem is mended
    box.fill("")
    expect(lines(card)).to_have_count(24)


def test_few_fields_need_no_such_box(cards):
    _page, found = cards
    expect(lines(found.last)).to_have_count(14)
    expect(found.last.get_by_role("searchbox")).to_have_count(0)
