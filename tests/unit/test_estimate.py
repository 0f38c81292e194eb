"""Sizes of wheels whose index does not tell them."""

from __future__ import annotations

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


def test_a_file_is_looked_at_and_a_server_is_asked(tmp_path: Path, served: str) -> None:
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
    assert estimate._asked(urls) == {"here": 1234, "there": 99}
    assert estimate._asked({}) == {}
