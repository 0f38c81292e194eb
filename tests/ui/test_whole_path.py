"""From the tutorial to a stopped service with clicks alone, in a real browser, kernel and service."""

from __future__ import annotations

import re
import shutil

import nbformat
import pytest
from ekiben import service
from playwright.sync_api import expect
from rig.waiting import until

pytestmark = pytest.mark.browser

TUTORIAL = "01-first-service.ipynb"
PARAMETERS, TRAIN = 1, 3
SOURCES = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.getSource())"
)


@pytest.fixture(scope="module")
def tutorial(window, repository):
    """The tutorial, opened and trained; its later cells are left to clicks."""
    window.set("translation-extension", "plugin", '{"locale": "en"}')
    window.load()
    shutil.copy(repository / "notebooks" / TUTORIAL, window.lab.root)
    window.open(TUTORIAL)
    window.run_cell(PARAMETERS)
    window.run_cell(TRAIN)
    return window


def panel(page):
    return page.locator(".ek-panel")


def card(page):
    return page.locator(".jp-OutputArea-output .ek-card")


def test_the_button_shows_the_models_that_the_kernel_holds(tutorial, pictures):
    page = tutorial.page
    page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]').first.click()
    row = panel(page).locator('[data-model="clf"]')
    expect(row).to_contain_text("RandomForestClassifier")
    expect(row).to_contain_text("X_train")
    expect(row).to_contain_text("112 rows")
    page.screenshot(path=pictures / "panel-models.png")


def test_one_click_wraps_with_a_cell_that_anyone_can_run_again(tutorial, pictures):
    page = tutorial.page
    panel(page).locator('[data-model="clf"] .ek-wrap').click()
    expect(card(page)).to_contain_text(re.compile(r"clf:\w+"))
    sources = page.evaluate(SOURCES)
    assert "import ekiben\n\nbox = ekiben.wrap(clf, X_train)\nbox" in sources
    expect(panel(page).locator('[data-box="box"]')).to_be_visible()
    page.screenshot(path=pictures / "card-try.png")


def test_the_form_answers_beside_the_notebooks_own_answer(tutorial):
    page = tutorial.page
    length = card(page).locator('[data-field="petal length (cm)"] input[type=number]')
    width = card(page).locator('[data-field="petal width (cm)"] input[type=number]')
    answer = card(page).locator(".ek-answer")
    for values, species in ((("1.4", "0.2"), "setosa"), (("6.0", "2.3"), "virginica")):
        length.fill(values[0])
        width.fill(values[1])
        expect(answer.locator(".ek-value")).to_have_text(species)
        expect(answer).to_contain_text("notebook says")
        expect(answer.locator(".ek-good")).to_contain_text("agrees")


def test_a_value_outside_the_sample_is_answered_with_a_notice(tutorial):
    page = tutorial.page
    field = card(page).locator('[data-field="petal width (cm)"]')
    field.locator("input[type=number]").fill("40")
    expect(field).to_contain_text("outside the sample")
    expect(card(page).locator(".ek-notices")).to_contain_text("petal width")
    field.locator("input[type=number]").fill("2.3")
    expect(card(page).locator(".ek-notices")).to_have_count(0)


def test_the_proof_is_a_table_of_stations(tutorial, pictures):
    page = tutorial.page
    card(page).get_by_role("tab", name="Proof").click()
    expect(card(page)).to_contain_text("48")
    page.screenshot(path=pictures / "card-proof.png")
    card(page).get_by_role("tab", name="Contract").click()
    expect(card(page)).to_contain_text("sepal length (cm)")
    page.screenshot(path=pictures / "card-contract.png")
    card(page).get_by_role("tab", name="Try").click()


def test_serve_is_a_cell_and_the_panel_lists_the_service(tutorial, pictures):
    page = tutorial.page
    card(page).get_by_role("button", name="Serve").click()
    row = panel(page).locator("[data-service]")
    expect(row).to_contain_text("ready")
    expect(card(page).locator(".ek-meta")).to_contain_text("through the service at")
    expect(card(page).locator(".ek-value")).to_have_text("virginica")
    sources = page.evaluate(SOURCES)
    assert "server = box.serve()" in sources
    row.locator("summary", has_text="Log").click()
    expect(row.locator(".ek-log")).to_contain_text("startup complete")
    page.screenshot(path=pictures / "panel-service.png")


def test_a_service_of_another_process_is_listed_too(tutorial):
    import ekiben

    tag = service.running()[0].record.model
    with ekiben.open_box(tag).serve() as other:
        row = panel(tutorial.page).locator(f'[data-service="{other.record.id}"]')
        expect(row).to_contain_text("ready")
    expect(row).to_have_count(0)


def test_stop_in_the_panel_ends_the_service(tutorial):
    page = tutorial.page
    panel(page).locator("[data-service]").get_by_role("button", name="Stop").click()
    expect(panel(page).locator("[data-service]")).to_have_count(0)
    assert not service.running()


RUNNING = "() => window.jupyterapp.shell.currentWidget.content.widgets.some(c => c.model.executionState === 'running')"


def test_models_are_seen_while_a_cell_runs(tutorial):
    page = tutorial.page
    fitted, over = (tutorial.lab.root / name for name in ("fitted", "over"))
    page.evaluate(
        """source => {
            const panel = window.jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = 3;
            window.jupyterapp.commands.execute('notebook:insert-cell-below').then(() => {
                panel.content.activeCell.model.sharedModel.setSource(source);
                void window.jupyterapp.commands.execute('notebook:run-cell');
            });
        }""",
        "import pathlib, time\nsecond = RandomForestClassifier(3).fit(X_train, y_train)\n"
        f"pathlib.Path({str(fitted)!r}).touch()\n"
        f"while not pathlib.Path({str(over)!r}).exists():\n    time.sleep(0.05)",
    )
    page.wait_for_function(RUNNING)
    until(fitted.exists)
    panel(page).get_by_role("button", name="Look again").click()
    expect(panel(page).locator('[data-model="second"]')).to_be_visible()
    # A subshell's answer makes JupyterLab show the kernel as idle; the cell itself tells the truth.
    assert page.evaluate(RUNNING)
    over.touch()
    page.wait_for_function(f"() => !({RUNNING})()")


NO_EKIBEN = """
import sys


class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ekiben":
            raise ModuleNotFoundError("No module named 'ekiben'", name="ekiben")


for name in [name for name in sys.modules if name.partition(".")[0] == "ekiben"]:
    del sys.modules[name]
sys.meta_path.insert(0, Elsewhere())
"""


def test_a_kernel_without_ekiben_is_told_how_to_mend_it(tutorial, pictures):
    """The import fails in this kernel, as where the kernel lives in an environment of its own."""
    page = tutorial.page
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(NO_EKIBEN)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, tutorial.lab.root / "elsewhere.ipynb")
    tutorial.open("elsewhere.ipynb")
    tutorial.run_cell(0)
    page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]:visible').first.click()
    message = panel(page).get_by_role("alert")
    expect(message).to_contain_text("has no ekiben")
    expect(message).to_contain_text("%pip install ekiben")
    page.screenshot(path=pictures / "panel-no-ekiben.png")
    panel(page).get_by_role("button", name="Insert the cell").click()
    assert "%pip install ekiben" in page.evaluate(SOURCES)


def test_nothing_was_asked_of_another_host_and_no_script_failed(tutorial):
    assert tutorial.foreign == []
    assert tutorial.errors == []
