"""Sizes of wheels whose index does not tell them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ekiben.builders.oci import estimate


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_is_looked_at_and_a_server_is_asked(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b.whl").write_bytes(b"x" * 1234)
    (tmp_path / "c.whl").write_bytes(b"x" * 99)
    urls = {
        "here": (tmp_path / "a b.whl").as_uri(),
        "there": f"{served}/c.whl",
        "gone": f"{served}/gone.whl",
        "nowhere": "http://127.0.0.1:9/d.whl",
        "lost": (tmp_path / "e.whl").as_uri(),
        "odd": "git+ssh://example.org/f",
    }
    monkeypatch.setattr(estimate, "_PATIENCE", 60.0)
    assert estimate._asked(urls) == {"here": 1234, "there": 99}
    assert estimate._asked({}) == {}


@pytest.mark.parametrize("library", ["xgboost", "torch"])
def test_what_wheels_weigh_in_the_layers_is_foreseen(library: str) -> None:
    """Against what was weighed once: the sizes of a lock's wheels, and of the layers that were made of them.

    ``weighed.json`` is of real builds (XGBoost's and PyTorch's CPU wheels, Linux, x86-64), which take minutes and
    hundreds of megabytes; scikit-learn's and LightGBM's are made by the tests of images.
    """
    told = json.loads(Path(__file__).with_name("weighed.json").read_text())[library]
    spare = set(told["spare"])
    foreseen = sum(estimate.expected(size, spare=name in spare) for name, size in told["wheels"].items())
    assert foreseen == pytest.approx(told["layers"], rel=0.15)
    assert any(name.startswith(library) for name in told["wheels"])
