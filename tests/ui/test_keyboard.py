"""Without a mouse, and with names and numbers that are long: everything is reached, named, and read in whole."""

from __future__ import annotations

import re
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LONG = "average_household_disposable_income_after_taxes_and_transfers_2023"
CELL = f"""
import ekiben, numpy, pandas
from sklearn.tree import DecisionTreeClassifier
numbers = numpy.random.default_rng(0).normal(size=(60, 3))
X = pandas.DataFrame(numbers, columns=["{LONG}", "上一年度家庭平均可支配收入（扣除税费及转移支付之后）", "age"])
y = ["one of the classes with a long name" if row[0] > 0 else "another of these classes" for row in numbers]
tree = DecisionTreeClassifier().fit(X, y)
box = ekiben.wrap(tree, X, name="keyboard", compiled=False)
box
"""
#: Controls without a name, by their HTML.
NAMELESS = """() => [...document.querySelectorAll('.ek-panel *, .ek-card *')]
    .filter(node => node.matches('button, a[href], input, select, textarea, summary, [role=tab]') && node.offsetParent)
    .filter(node => !(node.getAttribute('aria-label') || node.textContent.trim() || node.labels?.length
        || node.getAttribute('aria-labelledby')))
    .map(node => node.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def shown(window):
    """A wrapped model with long names, its card and the panel; in English."""
    window.set("translation-extension", "plugin", '{"locale": "en"}')
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, window.lab.root / "keyboard.ipynb")
    window.load()
    window.open("keyboard.ipynb")
    window.run_cell(0)
    window.page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]').first.click()
    card = window.page.locator(".jp-OutputArea-output .ek-card")
    expect(card).to_contain_text("notebook says")
    expect(window.page.locator(".ek-panel [data-box]")).to_have_count(1)
    return window.page, card


def test_escape_closes_a_form_and_focus_comes_back(shown):
    page, _card = shown
    for within in ("[data-model]", "[data-box]"):
        fold = page.locator(f".ek-panel {within} details").first
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(fold).to_have_attribute("open", "")
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(fold).not_to_have_attribute("open", "")
        expect(fold.locator("summary")).to_be_focused()


def test_every_control_has_a_name_that_tells_it_from_its_like(shown):
    page, card = shown
    for tab in card.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(NAMELESS) == []
    panel = page.locator(".ek-panel")
    expect(panel.get_by_role("button", name="Serve box")).to_be_visible()
    expect(panel.get_by_role("button", name="Show card of box")).to_be_visible()


def test_long_names_leave_their_neighbours_room(shown):
    _page, card = shown
    card.get_by_role("tab", name="Contract").click()
    scroll = card.locator(".ek-contract .ek-scroll")
    expect(scroll).to_contain_text(LONG)
    # Where each column has a line's room, nothing must be scrolled to.
    assert scroll.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    card.get_by_role("tab", name="Try").click()
    labels = card.locator(".ek-bar-label")
    expect(labels).to_have_count(2)
    assert labels.evaluate_all("nodes => nodes.every(node => node.scrollHeight <= node.clientHeight + 1)")


def test_what_every_service_brings_along_is_folded(shown):
    _page, card = shown
    card.get_by_role("tab", name="Code").click()
    fold = card.locator('details[data-key="runtime"]')
    gate = fold.get_by_text("runtime/gate.py", exact=True).first
    expect(card.get_by_text("service.py", exact=True).first).to_be_visible()
    expect(gate).to_be_hidden()
    fold.locator("summary").first.click()
    expect(gate).to_be_visible()


def test_tab_goes_as_the_eye_does(shown):
    page, _card = shown
    row = page.locator(".ek-panel [data-model]").first
    fold = row.locator("details")
    fold.locator("summary").focus()
    page.keyboard.press("Tab")
    expect(row.locator(".ek-wrap")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    places = []
    for _control in range(4):
        page.keyboard.press("Tab")
        places.append(page.evaluate("() => document.activeElement.getBoundingClientRect().top"))
    expect(row.locator(".ek-wrap")).to_be_focused()
    assert places == sorted(places)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")


def test_what_every_row_has_says_whose_it_is(shown):
    page, card = shown
    panel = page.locator(".ek-panel")
    expect(panel.locator("summary", has_text="Options").first).to_have_accessible_name("Options of tree")
    expect(panel.locator("summary", has_text="Build image").first).to_have_accessible_name(
        "Build image of box"
    )
    card.get_by_role("button", name="Serve").click()
    service = panel.locator("[data-service]")
    expect(service).to_contain_text("ready")
    try:
        for place, name in (
            (service, "Page of keyboard:"),
            (panel, "Page of box"),
            (card, "Page of keyboard"),
        ):
            address = place.get_by_role("link", name=name).first.get_attribute("href")
            with urlopen(address) as response:
                assert "text/html" in response.headers["Content-Type"]
        copy = service.get_by_role("button", name="Copy curl of keyboard:")
        expect(service.locator("summary")).to_have_accessible_name(re.compile("^Log of keyboard:"))
        expect(copy).to_be_visible()
    finally:
        service.get_by_role("button", name="Stop keyboard:").click()
        expect(service).to_have_count(0)


def test_a_card_whose_kernel_went_says_so(shown):
    page, card = shown
    # The card hears from its kernel that the service of the test before is gone: later than the panel.
    expect(card.get_by_role("button", name="Serve")).to_be_enabled()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(card).to_contain_text("this is the card as it was")
    expect(card.get_by_role("button", name="Serve")).to_be_disabled()
