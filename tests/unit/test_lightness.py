"""``import ekiben`` is quick and brings nothing heavy with it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "IPython", "anywidget", "bentoml", "ipykernel", "ipywidgets", "jinja2", "jupyter_client", "jupyter_core",
    "jupyter_server", "jupyterlab", "numpy", "pandas", "psutil", "skops", "sklearn", "starlette", "torch",
    "tornado", "traitlets", "uvicorn",
}  # fmt: skip
MEASURE = """
import sys, time
start = time.process_time()
import ekiben
seconds = time.process_time() - start
ekiben.__version__, dir(ekiben)
import json
print(json.dumps([seconds, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def measured() -> tuple[float, set[str]]:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


def test_import_loads_no_framework_no_jupyter_and_no_bentoml() -> None:
    assert measured()[1] & HEAVY == set()


def test_import_takes_under_150_ms() -> None:
    """Of its own work: how long it waits for a busy machine is none of ours."""
    best = min(measured()[0] for _ in range(5))
    assert best < 0.150, f"the best of five took {best * 1000:.0f} ms"


def test_an_error_class_can_be_named_without_loading_anything() -> None:
    code = (
        f"import sys, ekiben; ekiben.EkibenError; print({HEAVY!r} & {{n.split('.')[0] for n in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_loading_a_scikit_learn_model_does_not_bring_pytorch_with_it() -> None:
    code = (
        "import sys; from ekiben.frameworks.sklearn_adapter import skops_io; skops_io();"
        "print('torch' in sys.modules, len(sys.meta_path)); import torch; print(torch.ones(1).sum().item());"
        "import sklearn.externals.array_api_compat.torch"
    )
    plain = subprocess.run(
        [sys.executable, "-c", "import sys; print(len(sys.meta_path))"],
        capture_output=True,
        text=True,
        check=True,
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", plain.stdout.strip(), "1.0"]
