"""Cells in a real kernel: run in any order, run again, failed, under magics. One kernel for all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.papermill

CELLS = {
    "import": "import ekiben\n\ndef wrapped(function, **options):\n"
    "    try:\n        box = ekiben.wrap(function, ['a', 'bb', 'ccc'], name='cells', **options)\n"
    "    except ekiben.EkibenError as error:\n        print(type(error).__name__, error)\n"
    "    else:\n        print(box.predict(['dddd']).outputs['predictions'], box.carried)",
    "first": "def helper(text):\n    return len(text)",
    "user": "def model(texts):\n    return [helper(text) for text in texts]",
    "second": "def helper(text):\n    return -len(text)",
    "failed": "1 / 0\ndef helper(text):\n    return 77",
    "wrap": "wrapped(model)",
    "timed": "%%time\nFACTOR = 3\ndef helper(text):\n    return FACTOR * len(text)",
    "blank": "\n\ndef reads(texts):\n    with open('words.txt') as words:\n"
    "        return [words.read() + text for text in texts]\nwrapped(reads)",
    "magic": "%pwd\ntext = !echo five\ntext = list(text)\ndef model(texts):\n    return [text[0] for _ in texts]",
    "shown": "def shows(texts):\n    display(texts)\n    return texts\nwrapped(shows)",
    "again": "old = lambda texts: [helper(text) for text in texts]",
    "wrap old": "wrapped(old)",
}  # fmt: skip


class Kernel:
    """Runs cells by name, in the order that the test wishes; gives what they printed."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client
        self.numbers = {name: number for number, name in enumerate(CELLS)}

    def run(self, *names: str) -> str:
        for name in names:
            number = self.numbers[name]
            cell = self.client.execute_cell(self.client.nb.cells[number], number)
        return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[Kernel]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS.values()])
    folder = tmp_path_factory.mktemp("cells")
    (folder / "words.txt").write_text("w")
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where, allow_errors=True)
    with client.setup_kernel():
        made = Kernel(client)
        made.run("import")
        yield made


def test_the_definition_that_ran_last_travels(kernel):
    assert kernel.run("second", "user", "first", "wrap").startswith("[4] ")  # [2], [3], [4]
    assert kernel.run("second", "wrap").startswith("[-4] ")
    told = kernel.run("failed", "wrap")
    assert told.startswith("[-4] ") and "not the last version that ran" in told


def test_a_definition_under_a_magic_is_found_with_its_line(kernel):
    told = kernel.run("timed", "wrap")
    assert told.startswith("[12] ") and ", line 3" in told and ", line 2" in told


def test_magics_beside_a_definition_do_not_hide_it(kernel):
    assert kernel.run("magic", "wrap").startswith("['five'] ")


def test_the_shells_own_open_is_pythons_and_the_file_is_asked_for(kernel):
    told = kernel.run("blank")
    assert re.match(r"NotCarried cell \d+, line 4: The code opens words\.txt", told)
    assert "files=['words.txt']" in told


def test_what_shows_things_belongs_to_the_notebook(kernel):
    told = kernel.run("shown")
    assert told.startswith("NotCarried") and ", line 2: shows uses display" in told


def test_a_lambda_with_a_name(kernel):
    assert kernel.run("again", "wrap old").startswith("[12] ")
