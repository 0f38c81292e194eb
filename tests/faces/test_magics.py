"""``%ekiben`` in a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ekiben import service
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

SETUP = """
%load_ext ekiben
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X_train, y_train = load_iris(return_X_y=True, as_frame=True)
clf = LogisticRegression(max_iter=500).fit(X_train, y_train)
"""


class Notebook:
    """A kernel with what its last cell said."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.text = ""
        self.data: dict[str, Any] = {}

    def run(self, code: str) -> dict[str, Any]:
        """The content of the reply."""
        self.text, self.data = "", {}
        reply = self.client.execute_interactive(code, timeout=3000, output_hook=self.hear)
        content: dict[str, Any] = reply["content"]
        return content

    def hear(self, message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            self.text += message["content"]["text"]
        elif message["msg_type"] == "execute_result":
            self.data = message["content"]["data"]

    def ok(self, code: str) -> dict[str, Any]:
        """Runs the cell and gives the data of its result."""
        content = self.run(code)
        assert content["status"] == "ok", content
        return self.data

    def value(self, expression: str) -> Any:
        return json.loads(self.ok(f"import json; print(json.dumps({expression}))") or self.text)

    def completions(self, code: str) -> list[str]:
        reply = self.client.complete(code, reply=True, timeout=300)
        matches: list[str] = reply["content"]["matches"]
        return matches


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("magics")))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=300)
    notebook = Notebook(client)
    notebook.ok(SETUP)
    yield notebook
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def wrapped(notebook: Notebook) -> dict[str, Any]:
    return notebook.ok("%ekiben wrap clf X_train --name magic-iris")


def test_wrap_assigns_the_box_and_shows_it(notebook: Notebook, wrapped: dict[str, Any]) -> None:
    assert {"text/plain", "text/html"} <= set(wrapped)
    assert notebook.value("box.model.name") == "magic-iris"
    assert notebook.value("box.live is clf") is True
    assert notebook.value("box.predict(X_train[:2]).outputs['predictions']") == [0, 0]


@pytest.mark.slow
def test_wrap_finds_the_sample_and_the_name(notebook: Notebook) -> None:
    notebook.ok("%ekiben wrap clf --to other --unseen warn")
    assert "sample: X_train" in notebook.text
    assert notebook.value("[other.model.name, other.contract.unseen]") == ["clf", "warn"]


@pytest.mark.slow
def test_serve_ps_log_stop(notebook: Notebook, wrapped: dict[str, Any]) -> None:
    notebook.ok("%ekiben serve")
    url, identity = notebook.value("[server.url, server.record.id]")
    assert service.find(identity).record.state == "ready"
    shown = notebook.ok("%ekiben ps")
    assert url in shown["text/html"] and "<table" in shown["text/html"]
    assert f"magic-iris:{notebook.value('box.model.version')}" in shown["text/plain"]
    notebook.ok(f"%ekiben log {identity} -n 50")
    assert url in notebook.text
    notebook.ok(f"%ekiben stop {identity}")
    assert identity not in [one.id for one in service.servers()]


def test_lists(notebook: Notebook, wrapped: dict[str, Any]) -> None:
    assert "magic-iris" in notebook.ok("%ekiben models")["text/plain"]
    assert notebook.ok("%ekiben images")["text/plain"]
    assert notebook.ok("%ekiben jobs")["text/plain"]
    assert "BentoML" in notebook.ok("%ekiben doctor")["text/html"]
    usage = notebook.ok("%ekiben help")["text/plain"]
    assert usage == notebook.ok("%ekiben")["text/plain"]
    assert "%ekiben build" in usage and "NAME:TAG" in usage


@pytest.mark.parametrize(
    ("line", "name", "told"),
    [
        ("bake clf", "UsageError", "wrap"),
        ("build box", "UsageError", "NAME:TAG"),
        ("wrap 'clf", "UsageError", "quotation"),
        ("wrap nobody X_train", "NotFound", "nobody"),
        ("wrap clf nobody", "NotFound", "nobody"),
        ("log nobody", "NotFound", "nobody"),
        ("build box Wrong:Name", "InvalidName", "Wrong"),
        ("build box iris:1 --dry-run --base 127.0.0.1:9/python:3", "EngineMissing", "127.0.0.1:9"),
    ],
)
def test_errors_are_exceptions(notebook: Notebook, wrapped: Any, line: str, name: str, told: str) -> None:
    """papermill and "run all" must stop on them."""
    content = notebook.run(f"%ekiben {line}")
    assert (content["status"], content["ename"]) == ("error", name)
    assert told in content["evalue"]


@pytest.mark.slow
def test_tab_completes_verbs_variables_and_options(notebook: Notebook) -> None:
    assert notebook.completions("%ekiben se") == ["serve"]
    assert {"wrap", "serve", "ps", "stop", "build", "help"} <= set(notebook.completions("%ekiben "))
    assert "clf" in notebook.completions("%ekiben wrap c")
    assert "X_train" in notebook.completions("%ekiben wrap clf X_t")
    assert "--unseen" in notebook.completions("%ekiben wrap clf --un")
