"""JupyterLab's page of ekiben's settings speaks the page's language, and the toolbar has its button all the same."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        (
            "en",
            ("Models, services and images of the ekiben panel.", "Insert cells", "Seconds between two looks"),
        ),
        ("zh_CN", ("ekiben 面板的模型、服务和镜像。", "插入单元格", "两次查看之间的秒数")),
    ],
)
def test_the_settings_page_speaks_the_pages_language(window, pictures, locale, words):
    window.set("translation-extension", "plugin", f'{{"locale": "{locale}"}}')
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, window.lab.root / "settings.ipynb")
    window.load()
    window.open("settings.ipynb")
    button = window.page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]').first
    expect(button).to_be_visible()
    window.command("settingeditor:open", query="ekiben")
    page = window.page.locator(".jp-SettingsPanel")
    for word in words:
        expect(page).to_contain_text(word)
    window.page.screenshot(path=pictures / f"settings-{locale}.png")
