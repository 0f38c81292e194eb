"""Notebooks that are not of Python."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest
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
    return window


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
