"""Notebooks that are not the first one: of another language, a second of the same model, and a small or zoomed window."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest
from ekiben import service
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

#: A kernel that echoes and says of itself that it speaks R: none of R is needed to see what the panel makes of it.
ECHO = """
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Echo(Kernel):
    implementation = banner = "echo"
    implementation_version = "1"
    language_info = {"name": "R", "mimetype": "text/x-r-source", "file_extension": ".r"}

    def do_execute(self, code, silent, *rest, **more):
        if not silent:
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code})
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

IPKernelApp.launch_instance(kernel_class=Echo)
"""
CELL = """
import ekiben, numpy
from sklearn.linear_model import LogisticRegression
X = numpy.random.default_rng({seed}).normal(size=(60, 2))
twin = LogisticRegression().fit(X, X[:, 0] > 0)
box = ekiben.wrap(twin, X, name="twin", compiled=False)
box
"""
#: What reaches beyond the panel or a card, and cannot be scrolled to.
WIDE = """() => [...document.querySelectorAll('.ek-panel, .ek-card')].filter(host => host.offsetParent).flatMap(host => {
    const edge = host.getBoundingClientRect().right + 1;
    return [...host.querySelectorAll('*')].filter(node => node.offsetParent && !node.closest('.ek-scroll, pre, .ek-tabs')
        && !node.closest('.ek-offscreen, svg') && node.getBoundingClientRect().right > edge)
        .map(node => node.outerHTML.slice(0, 120));
})"""


def write(window, name, *cells, kernel="python3", language="python"):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": language}
    nbformat.write(notebook, window.lab.root / name)
    window.open(name)


def button(page):
    page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]:visible').first.click()


@pytest.fixture(scope="module")
def opened(window):
    """JupyterLab in English, with a kernel for R beside Python's."""
    folder = window.lab.root.parent / "share" / "kernels" / "echo-r"
    folder.mkdir(parents=True)
    (folder / "echo.py").write_text(ECHO, encoding="utf-8")
    command = [sys.executable, str(folder / "echo.py"), "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Echo (R)", "language": "R"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    window.set("translation-extension", "plugin", '{"locale": "en"}')
    window.load()
    yield window
    window.page.set_viewport_size({"width": 1440, "height": 900})


def test_a_kernel_of_another_language_is_told_apart(opened, pictures):
    page, panel = opened.page, opened.page.locator(".ek-panel")
    write(opened, "of-r.ipynb", "x <- 1", kernel="echo-r", language="R")
    button(page)
    expect(panel).to_contain_text("This kernel speaks R.", timeout=30_000)
    expect(panel.get_by_role("button", name="Wrap")).to_have_count(0)
    opened.run_cell(0)
    expect(page.locator(".jp-OutputArea-output:visible")).to_have_text("x <- 1")
    expect(panel).to_contain_text("This kernel speaks R.")
    page.screenshot(path=pictures / "panel-language.png")
    # Back in a notebook of Python, all is as before.
    write(opened, "of-python.ipynb", "import sklearn.linear_model as m; line = m.LinearRegression()")
    opened.run_cell(0)
    expect(panel.locator("[data-model=line]")).to_be_visible(timeout=30_000)
    assert opened.errors == []


def test_two_notebooks_with_a_service_of_the_same_name(opened):
    """Each card starts, shows and stops its own; the panel lists both, and tells them apart."""
    page, panel = opened.page, opened.page.locator(".ek-panel")
    tags = []
    for seed, name in enumerate(("twin-a.ipynb", "twin-b.ipynb")):
        write(opened, name, CELL.format(seed=seed))
        opened.run_cell(0)
        button(page)
        card = page.locator(".jp-OutputArea-output .ek-card:visible")
        expect(card).to_contain_text("notebook says", timeout=30_000)
        tags.append(card.locator(".ek-tag").inner_text())
        card.get_by_role("button", name="Serve").click()
        expect(card.locator(".ek-state")).to_contain_text("ready", timeout=60_000)
    assert len(set(tags)) == 2
    try:
        for tag, name in zip(tags, ("twin-a.ipynb", "twin-b.ipynb"), strict=True):
            expect(panel.locator("[data-service]", has_text=tag)).to_contain_text(name, timeout=30_000)
        page.locator(".jp-OutputArea-output .ek-card:visible").get_by_role("button", name="Stop").click()
        expect(panel.locator("[data-service]", has_text=tags[1])).to_have_count(0, timeout=30_000)
        expect(panel.locator("[data-service]", has_text=tags[0])).to_contain_text("ready")
        opened.open("twin-a.ipynb")
        card = page.locator(".jp-OutputArea-output .ek-card:visible")
        expect(card.locator(".ek-state")).to_contain_text("ready", timeout=30_000)
    finally:
        for running in service.running():
            if running.record.model in tags:
                running.stop()
    expect(card.locator(".ek-state")).to_contain_text("stopped", timeout=30_000)


def test_a_window_at_200_percent_has_room_for_all(opened, pictures):
    """A page of 1280 × 800 at 200 % is one of 640 × 400 to the style sheet."""
    page = opened.page
    write(opened, "zoomed.ipynb", CELL.format(seed=2))
    opened.run_cell(0)
    button(page)
    expect(page.locator(".ek-panel [data-box]")).to_have_count(1, timeout=30_000)
    page.set_viewport_size({"width": 640, "height": 400})
    page.evaluate("() => { window.jupyterapp.shell.collapseLeft(); }")
    assert page.evaluate(WIDE) == []
    page.screenshot(path=pictures / "zoomed-panel.png")
    page.evaluate("() => { window.jupyterapp.shell.collapseRight(); }")
    card = page.locator(".jp-OutputArea-output .ek-card:visible")
    expect(card).to_contain_text("notebook says", timeout=30_000)
    for tab in ("Try", "Contract", "Proof", "Watch", "Image", "Code"):
        card.get_by_role("tab", name=tab).click()
        assert page.evaluate(WIDE) == [], tab
        page.screenshot(path=pictures / f"zoomed-{tab.lower()}.png")
    page.evaluate("() => { window.jupyterapp.shell.expandRight(); }")
