"""A model of images in the form: the example's picture, a file from the disk, a file that does not fit."""

from __future__ import annotations

import nbformat
import numpy
import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CELL = """
import ekiben, numpy
from PIL import Image

def shade(images):
    return ["dark" if numpy.asarray(image).mean() < 128 else "light" for image in images]

random = numpy.random.default_rng(0)
photos = [Image.fromarray(random.integers(0, top, (24, 32, 3), dtype="uint8")) for top in (90, 255, 256, 80)]
box = ekiben.wrap(shade, photos, name="shade")
box
"""
WORDS = {
    "en": ("Try", "Drop an image here, or choose a file", "The image is 9 × 9 pixels, not 32 × 24.", "A row is an image."),
    "zh_CN": ("试用", "把图像拖到这里，或选择文件", "图像大小是 9 × 9 像素，而不是 32 × 24。", "每行是一张图像。"),
}  # fmt: skip


@pytest.mark.parametrize("language", sorted(WORDS))
def test_an_image_is_dropped_into_the_form(window, pictures, tmp_path, language):
    attempt, words, refused, told = WORDS[language]
    white, wrong = tmp_path / "white.png", tmp_path / "wrong.png"
    Image.fromarray(numpy.full((24, 32, 3), 255, dtype="uint8")).save(white)
    Image.new("RGB", (9, 9)).save(wrong)
    window.set("translation-extension", "plugin", f'{{"locale": "{language}"}}')
    name = f"images-{language}.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(CELL)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        ),
        window.lab.root / name,
    )
    window.load()
    window.open(name)
    window.run_cell(0)
    page = window.page
    card = page.locator(".jp-OutputArea-output .ek-card")
    expect(card.get_by_role("tab", name=attempt)).to_be_visible()
    drop, value = card.locator(".ek-drop"), card.locator(".ek-value")
    expect(drop).to_contain_text(words)
    expect(drop).to_contain_text("32 × 24")
    expect(value).to_have_text("dark")
    card.locator("input[type=file]").set_input_files(white)
    expect(value).to_have_text("light")
    expect(card.locator(".ek-beside")).to_contain_text("light")
    for theme in ("Light", "Dark"):
        window.theme(theme)
        card.scroll_into_view_if_needed()
        page.screenshot(path=pictures / f"image-{language}-{theme.lower()}.png")
    window.theme("Light")
    # A real drop: the file travels in the event, as from the desktop.
    data = page.evaluate_handle(
        """async bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], 'wrong.png', { type: 'image/png' }));
            return data;
        }""",
        list(wrong.read_bytes()),
    )
    drop.dispatch_event("drop", {"dataTransfer": data})
    expect(card.locator(".ek-bad")).to_contain_text(refused)
    page.screenshot(path=pictures / f"image-{language}-refused.png")
    card.get_by_role("tab").nth(1).click()
    expect(card).to_contain_text(told)
    assert window.foreign == [] and window.errors == []
