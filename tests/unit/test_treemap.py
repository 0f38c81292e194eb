"""What weighs what: the layout, the picture, and whose a file or a module is."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ekiben import treemap
from ekiben.builders import weights
from ekiben.builders.oci import contents
from ekiben.builders.weights import Package
from ekiben.image.layers import Layers, unused_text
from ekiben.image.proving import imports
from ekiben.records import Image, Layer, Part


@pytest.mark.parametrize("weights", [[6, 6, 4, 3, 2, 2, 1], [1], [1000, 1, 1], list(range(60, 0, -1))])
def test_areas_are_in_the_ratio_of_weights_and_fill_the_room(weights: list[float]) -> None:
    room = treemap.Box(0, 0, 600, 400)
    boxes = treemap.squarify(weights, room)
    assert len(boxes) == len(weights)
    for weight, box in zip(weights, boxes, strict=True):
        assert box.w * box.h == pytest.approx(600 * 400 * weight / sum(weights), rel=1e-6)
        assert box.x >= -1e-6 and box.x + box.w <= 600 + 1e-6
        assert box.y >= -1e-6 and box.y + box.h <= 400 + 1e-6
    for one, box in enumerate(boxes):
        for other in boxes[one + 1 :]:
            apart = box.x + box.w <= other.x + 1e-6 or other.x + other.w <= box.x + 1e-6
            assert apart or box.y + box.h <= other.y + 1e-6 or other.y + other.h <= box.y + 1e-6
    assert treemap.squarify([], room) == []


def test_it_is_squarer_than_strips() -> None:
    """The example of the paper: the longest rectangle has sides of 25 to 9."""
    boxes = treemap.squarify([6, 6, 4, 3, 2, 2, 1], treemap.Box(0, 0, 600, 400))
    assert max(max(box.w / box.h, box.h / box.w) for box in boxes) < 2.8


def image(*parts: Part) -> Image:
    return Image("i:1", "sha256:0", sum(p.bytes for p in parts), "oci", "i:1", "", parts=parts)


def test_the_picture_is_valid_and_says_what_was_never_imported() -> None:
    parts = [
        Part("a<b", "package", 90, "1", True),
        Part("idle", "package", 10, "2", False),
        Part("m", "model", 0),
    ]
    drawn = ElementTree.fromstring(treemap.svg(parts))
    assert drawn.get("role") == "img"
    titles = [found.text for found in drawn.iter("title")]
    assert titles == ["a<b 1 · 90 B", "idle 2 · 10 B · never imported"]
    assert treemap.svg([]) == ""
    many = [Part(f"p{k}", "package", 100 - k) for k in range(60)]
    assert "20 smaller parts" in treemap.svg(many)
    html = Layers(image(*parts))._repr_html_()
    assert "<script" not in html and "idle (10 B)" in html
    assert Layers(image(*parts)).unused == (parts[1],)
    assert "idle" in repr(Layers(image(*parts)))


def test_bentoml_is_told_to_be_for_its_own_routes() -> None:
    assert "own routes" in unused_text((Part("bentoml", "package", 5, "1", False),))
    assert "own routes" not in unused_text((Part("other", "package", 5, "1", False),))


def test_whose_a_module_is() -> None:
    files = {
        "six": ["six.py", "six-1.dist-info/RECORD"],
        "api": ["opentelemetry/trace/__init__.py", "opentelemetry/context.py"],
        "sdk": ["opentelemetry/sdk/trace/x.cpython-311-x86_64-linux-gnu.so"],
        "data": ["data-1.dist-info/RECORD", "../../bin/data", "data.txt"],
    }
    places = weights.alone(files)
    assert places == {
        "six": ("six",),
        "api": ("opentelemetry/context", "opentelemetry/trace"),
        "sdk": ("opentelemetry/sdk",),
        "data": (),
    }
    packages = [Package(name, "1", 10, places[name]) for name in files]
    used = {"six", "opentelemetry.sdk.trace.x", "json"}
    told = {part.name: part.imported for part in weights.parts(packages, used, share=0.5)}
    assert told == {"six": True, "api": False, "sdk": True, "data": None}
    assert {part.imported for part in weights.parts(packages, ())} == {None}


def test_what_lies_in_layers(tmp_path: Path) -> None:
    site = contents.SITE
    record = b"pkg/__init__.py,,\npkg/deep/a.py,,\npkg-1.0.dist-info/RECORD,,\n"
    packages = [
        (f"{site}pkg/__init__.py", b"x" * 600, 600),
        (f"{site}pkg/deep/a.py", b"x" * 300, 300),
        (f"{site}pkg-1.0.dist-info/RECORD", record, 100),
    ]
    code = [(f"{site}pkg/deep/__pycache__/a.cpython-311.pyc", b"y" * 500, 500)]
    layers = []
    for digest, lies, name, size in (
        ("sha256:1", packages, "Python packages", 500),
        ("sha256:2", code, "bytecode of the packages", 100),
    ):
        contents.keep(tmp_path, digest, contents.weigh(lies))
        layers.append(Layer(digest, size, name))
    layers += [Layer("sha256:3", 20, "the service"), Layer("sha256:4", 7, "the model m:1")]
    whole = Image(
        "i:1", "", 1627, "oci", "m:1", "", (Layer("sha256:0", 1000, "base:1"), *layers), base="base:1@x"
    )
    found = contents.parts(tmp_path, whole, {"pkg.deep.a"})
    assert [(part.name, part.kind, part.bytes) for part in found] == [
        ("base:1", "base", 1000),
        ("pkg", "package", 600),
        ("service", "code", 20),
        ("model m:1", "model", 7),
    ]
    assert (found[1].version, found[1].imported) == ("1.0", True)
    assert sum(part.bytes for part in found) == whole.bytes


def test_imports_are_read_from_pythons_own_lines() -> None:
    log = "hello\nimport time: self [us] | cumulative | imported package\nimport time:  12 |  34 |   a.b\nbye"
    plain, modules = imports(log)
    assert plain == "hello\nbye"
    assert modules == {"a.b"}
    assert not re.search("import time", plain)
