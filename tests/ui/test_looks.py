"""Light and dark, English and Chinese: the words change with the language, nothing is cut off, and pictures to look at.

``EKIBEN_PICTURES=notebooks/pictures pytest tests/ui/test_looks.py`` renews the pictures of the READMEs.
"""

from __future__ import annotations

import re
import shutil
import threading

import ekiben
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LANGUAGES = {"en": "first-service", "zh_CN": "first-service-zh"}
WORDS = {
    "en": ("Models in this notebook", "Services", "Try", "notebook says"),
    "zh_CN": ("此笔记本中的模型", "服务", "试用", "笔记本的答案"),
}
WATCH = {"en": ("Watch", "99 % within", "req/s"), "zh_CN": ("监控", "99% 在", "次/秒")}


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def shown(request, window, repository):
    """The wrapped and served tutorial in one language."""
    window.set("translation-extension", "plugin", f'{{"locale": "{request.param}"}}')
    name = f"looks-{request.param}.ipynb"
    shutil.copy(repository / "notebooks" / "01-first-service.ipynb", window.lab.root / name)
    window.load()
    page = window.page
    expect(page.locator("html")).to_have_attribute("lang", request.param.replace("_", "-"))
    window.open(name)
    for index in (1, 3, 5, 10):
        window.run_cell(index)
    page.locator('.jp-NotebookPanel-toolbar [data-command="ekiben:wrap"]').first.click()
    expect(page.locator(".ek-panel [data-service]")).to_have_count(1)
    yield window, request.param
    window.run_cell(12)
    expect(page.locator(".ek-panel [data-service]")).to_have_count(0)


def watched(page, card, language, picture):
    """The Watch tab and the panel's line show what the service is asked, as it is asked."""
    (server,) = ekiben.running()
    rows = list(server.contract.golden.rows)
    over = threading.Event()

    def ask():
        while not over.wait(0.05):
            server.predict(rows)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        card.get_by_role("tab", name=WATCH[language][0]).click()
        expect(card.locator(".ek-watch")).to_contain_text(WATCH[language][1])
        expect(card.locator(".ek-watch-drift tr").first).to_contain_text(re.compile(r"\d\.\d\d"))
        line = page.locator(".ek-panel .ek-pulse")
        expect(line).to_contain_text(re.compile(WATCH[language][2] + r" · [\d.]+ ms · \d+ MB"))
        page.wait_for_timeout(5000)
        page.screenshot(path=picture)
    finally:
        over.set()
        asking.join()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_words_and_pictures(shown, theme, pictures):
    window, language = shown
    page = window.page
    window.theme(theme)
    heading, services, attempt, beside = WORDS[language]
    panel, card = page.locator(".ek-panel"), page.locator(".jp-OutputArea-output .ek-card")
    expect(panel).to_contain_text(heading)
    expect(panel).to_contain_text(services)
    expect(card.get_by_role("tab", name=attempt)).to_be_visible()
    expect(card).to_contain_text(beside)
    card.scroll_into_view_if_needed()
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.ek-card button, .ek-card label, .ek-panel button, .ek-panel h3')]
            .filter(node => node.offsetParent && node.scrollWidth > node.clientWidth + 1
                    && getComputedStyle(node).textOverflow !== 'ellipsis')
            .map(node => node.textContent)"""
    )
    assert cut == []
    name = LANGUAGES[language] + ("-dark" if theme == "Dark" else "")
    page.screenshot(path=pictures / f"{name}.png")
    watched(page, card, language, pictures / f"{name}-watch.png")
    card.get_by_role("tab", name=attempt).click()
    window.theme("Light")
    assert window.foreign == []
