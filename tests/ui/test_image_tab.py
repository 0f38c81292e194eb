"""The Image tab: what an image will weigh before the click, and afterwards what is known of it."""

from __future__ import annotations

import platform
import re

import nbformat
import pytest
from ekiben.image import kept
from ekiben.records import Audit, Image, Part, Replay, Tolerance, Vulnerability
from playwright.sync_api import expect
from rig import projects
from rig.registry import Registry

pytestmark = [pytest.mark.browser, pytest.mark.container]

CELL = """
import os, ekiben
os.environ["EKIBEN_BASE_IMAGE"] = {base!r}
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True, as_frame=True)
clf = LogisticRegression(max_iter=500).fit(X, y)
box = ekiben.wrap(clf, X, name="weighed")
box
"""
WORDS = {
    "en": ("Image", r"Estimated size: about \d+ MB", "Look again", "jinja2 3.1.2 · CVE-2026-0001 · fixed in 3.1.7"),
    "zh_CN": ("镜像", r"预计大小：约 \d+ MB", "重新查询", "jinja2 3.1.2 · CVE-2026-0001 · 已在 3.1.7 中修复"),
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base image in a registry, and the registry."""
    hub = Registry(tmp_path_factory.mktemp("hub")).start()
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "amd64"
    yield projects.base(f"{hub.address}/python:1", machine), hub
    hub.stop()


@pytest.mark.parametrize("language", sorted(WORDS))
def test_it_tells_the_size_before_the_click(window, pictures, base, language):
    reference, hub = base
    tab, told, again, found = WORDS[language]
    window.set("translation-extension", "plugin", f'{{"locale": "{language}"}}')
    name = f"weighed-{language}.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(CELL.format(base=reference))],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        ),
        window.lab.root / name,
    )
    window.load()
    window.open(name)
    hub.kill()
    window.run_cell(0)
    card = window.page.locator(".jp-OutputArea-output .ek-card")
    card.get_by_role("tab", name=tab).click()
    # The registry is away: said at once, and asked again by a click.
    button = card.get_by_role("button", name=again)
    expect(button).to_be_visible()
    expect(card).to_contain_text(hub.address)
    hub.start()
    button.click()
    expect(card.locator(".ek-size")).to_have_text(re.compile(told), timeout=600_000)
    expect(card.locator(".ek-treemap svg")).to_contain_text("scikit-learn")
    expect(card.locator(".ek-code")).to_contain_text("box.build(")
    card.scroll_into_view_if_needed()
    window.page.screenshot(path=pictures / f"image-tab-{language}.png")

    tag = card.locator(".ek-tag").inner_text()
    known = Vulnerability("jinja2", "3.1.2", "CVE-2026-0001", ("3.1.7",))
    base_has = tuple(Vulnerability("glibc", "2.36-9", f"CVE-2026-01{n:02}") for n in range(11))
    record = Image(
        reference="weighed:1",
        digest="sha256:" + "0" * 64,
        bytes=120_000_000,
        engine="oci",
        model=tag,
        created="2026-01-01T00:00:00+00:00",
        replay=Replay("image", 48, 0.0, Tolerance(), 1.0),
        parts=(Part("jinja2", "package", 120_000_000, "3.1.2", True),),
        audit=Audit(30, ("local",), (known, *base_has)),
    )
    kept.keep(record)
    try:
        window.page.evaluate("() => window.dispatchEvent(new Event('ekiben:services'))")
        listed = card.locator(".ek-audit li")
        expect(listed.first).to_have_text(found)
        expect(listed).to_have_count(12)
        expect(card.locator(".ek-audit li:visible")).to_have_count(10)
        card.locator(".ek-audit summary").click()
        expect(listed.last).to_be_visible()
        expect(card.locator(".ek-audit")).to_contain_text("local")
        window.page.screenshot(path=pictures / f"image-tab-known-{language}.png")
    finally:
        kept.forget(record.reference)
    assert window.errors == []
