"""What goes wrong and what takes long, as the panel and the card show it; pictures of each for people to look at."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import ekiben
import nbformat
import pytest
from ekiben import jobs, paths, service
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NAME = "a_variable_with_a_name_that_is_longer_than_the_panel_is_wide"
CELL = f"""
import ekiben, pandas
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
X = pandas.DataFrame({{"note": ["good soup", "bad soup"] * 20, "stars": [5, 1] * 20}})
X["email"] = [f"ann{{n}}@example.com" for n in range(40)]
read = make_column_transformer((TfidfVectorizer(), "note"), ("passthrough", ["stars"]))
soup = make_pipeline(read, LogisticRegression()).fit(X, [True, False] * 20)
{NAME} = LogisticRegression()
box = ekiben.wrap(soup, X, name="soup", compiled=False)
box
"""
RUNS = (
    {
        "event": "layer",
        "name": "base python:3.11-slim-bookworm",
        "bytes": 45_000_000,
        "seconds": 3.2,
        "how": "fetched",
    },
    {"event": "layer", "name": "Python packages", "bytes": 98_000_000, "seconds": 21.2, "how": "made"},
    {"event": "step", "step": 5, "steps": 9, "message": "packing the packages"},
)
FAILS = (
    {"event": "step", "step": 8, "steps": 9, "message": "sending"},
    {
        "event": "error",
        "error": "The registry refused the login (401).",
        "type": "BuildFailed",
        "where": "",
        "remedy": "Log in.",
    },
)


def job(subject, events, wait):
    """A job whose child tells ``events`` and then waits for its end; it stands in for a build of minutes."""
    told = "".join(f"print({json.dumps(json.dumps(event))}, flush=True)\n" for event in events)
    return jobs.start(
        "build", subject, [sys.executable, "-c", told + ("import time; time.sleep(600)" if wait else "")]
    )


@pytest.fixture(scope="module")
def shown(window):
    """A narrow window on a wrapped model, with a job that runs and one that failed; in English."""
    window.set("translation-extension", "plugin", '{"locale": "en"}')
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL), nbformat.v4.new_code_cell("box")]
    )
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, window.lab.root / "states.ipynb")
    made = [job("soup:2", RUNS, True), job("registry.example.com/team/soup:3", FAILS, False)]
    try:
        window.load()
        window.open("states.ipynb")
        window.run_cell(0)
        window.page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]').first.click()
        expect(window.page.locator(".ek-panel [data-box]")).to_have_count(1)
        for each in made:  # others' jobs may be listed too
            expect(window.page.locator(f".ek-panel [data-job='{each.id}']")).to_be_visible()
        yield window
    finally:
        for each in made:
            jobs.cancel(each.id, timeout=1)
            jobs.forget(each.id)


def picture(window, pictures, name):
    for theme in ("Light", "Dark"):
        window.theme(theme)
        window.page.locator(".ek-panel").screenshot(path=pictures / f"{name}-{theme.lower()}.png")
    window.theme("Light")


def test_jobs_say_where_they_are_and_where_they_failed(shown, pictures):
    page = shown.page
    runs = page.locator(".ek-panel [data-job]", has_text="soup:2")
    expect(runs).to_contain_text("step 5 of 9")
    expect(runs).to_contain_text("98 MB · 21.2 s")
    expect(runs.get_by_role("button", name="Cancel soup:2")).to_be_visible()
    failed = page.locator(".ek-panel [data-job]", has_text="soup:3")
    expect(failed).to_contain_text("at step 8 of 9: sending")
    expect(failed).to_contain_text("Log in.")
    expect(failed.locator("summary")).to_have_accessible_name("Log of registry.example.com/team/soup:3")
    picture(shown, pictures, "state-jobs")


def test_nothing_is_wider_than_the_panel(shown):
    page = shown.page
    expect(page.locator(f".ek-panel [data-model={NAME}]")).to_contain_text("it is not fitted")
    wide = page.evaluate(
        """() => { const panel = document.querySelector('.ek-panel').getBoundingClientRect();
            return [...document.querySelectorAll('.ek-panel *')]
                .filter(node => node.offsetParent && node.getBoundingClientRect().right > panel.right + 1)
                .map(node => node.outerHTML.slice(0, 120)); }"""
    )
    assert wide == []


def test_one_click_makes_a_column_free_text(shown):
    page = shown.page
    card = page.locator(".jp-OutputArea-output .ek-card").first
    card.get_by_role("tab", name="Contract").click()
    row = card.locator("tr", has_text="note")
    expect(row).to_contain_text("one of a list")
    row.get_by_role("button", name="Take any text in note").click()
    expect(row).not_to_contain_text("one of a list")
    expect(row.get_by_role("button")).to_have_count(0)
    expect(page.locator(".jp-CodeCell", has_text='box.contract.field("note").text()').first).to_be_visible()


#: Stands in for the notebook around a card: hears the code of a click, and runs it or does not.
HOST = """runs => document.addEventListener('ekiben:code', event => {
    event.stopImmediatePropagation();
    window.heard = event.detail.code;
    if (runs) {
        event.preventDefault();
        event.detail.done = Promise.resolve();
    }
}, { capture: true, once: true })"""


def test_the_image_tab_builds_by_a_click_or_says_why_not(shown):
    page = shown.page
    card = page.locator(".jp-OutputArea-output .ek-card").first
    card.get_by_role("tab", name="Image").click()
    build = card.get_by_role("tabpanel").get_by_role("button", name="Build")
    page.evaluate(HOST, True)
    build.click()
    expect(build).to_be_enabled()
    assert page.evaluate("() => window.heard") == 'image = box.build("soup:1")'
    expect(card).not_to_contain_text("This page runs no cells.")
    page.evaluate(HOST, False)
    build.click()
    expect(card.get_by_role("alert")).to_contain_text("Copy the line into a cell and run it.")
    card.get_by_role("tab", name="Try").click()


def test_what_runs_stands_before_what_failed(shown, pictures):
    """The record of a service that ended in its start, and one that runs."""
    page = shown.page
    with ekiben.open_box("soup").serve() as server:
        record = replace(
            server.record,
            id="soup-000000",
            started="2020-01-01T00:00:00+00:00",
            state="failed",
            pid=0,
            url="",
        )
        file = paths.runtime_dir() / f"{service.PREFIX}{record.id}.json"
        file.write_text(json.dumps(record.to_json()), encoding="utf-8")
        try:
            rows = page.locator(".ek-panel [data-service]")
            expect(page.locator(f".ek-panel [data-service={record.id}]")).to_contain_text(
                "failed", timeout=30_000
            )
            ids = rows.evaluate_all("nodes => nodes.map(node => node.dataset.service)")
            assert ids.index(server.record.id) < ids.index(record.id)
            picture(shown, pictures, "state-services")
        finally:
            file.unlink()


def test_findings_of_an_english_kernel_are_read_in_chinese(shown):
    """The page's language is what JupyterLab writes on it; the kernel's stays."""
    page = shown.page
    cards = page.locator(".jp-OutputArea-output .ek-card")
    english = cards.first.locator(".ek-finding").first
    expect(english).to_contain_text("email")
    page.evaluate("() => { document.documentElement.lang = 'zh-CN'; }")
    try:
        shown.run_cell(
            page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length") - 1
        )
        expect(cards.last.locator(".ek-finding").first).to_contain_text(re.compile("[\u4e00-\u9fff]{4}"))
    finally:
        page.evaluate("() => { document.documentElement.lang = 'en'; }")
