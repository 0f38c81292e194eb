"""An error in a notebook shows the notebook's own lines, then what, where and the remedy."""

import subprocess
import sys

CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
shell.run_cell('''import ekiben
def my_step(thing):
    return ekiben.wrap(thing, [[1.0]])
my_step("no model")
''')
"""


def shown(cells: str) -> str:
    done = subprocess.run([sys.executable, "-c", cells], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_the_steps_are_the_notebooks_and_the_message_is_whole():
    told = shown(CELLS)
    assert "my_step(" in told
    assert "return ekiben.wrap(thing" in told
    assert "UnsupportedModel" in told
    assert "→" in told
    assert "box.py" not in told
    assert told.count("\n") < 30
