"""Notebooks of trouble: each ends in a right service, or in an error that names cause and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import papermill
import pytest

pytestmark = [pytest.mark.papermill, pytest.mark.slow]

FOLDER = Path(__file__).parent / "trouble"

#: What the notebook must print, as a regular expression over all that it printed.
OUTCOMES = {
    "aware_datetimes": r"right: 48 rows, worst 0",
    "categories_as_codes": r"refused: \w+: .*city(.|\n)*→ (.|\n)*encoder",
    "cell_run_out_of_order": r"right: 20 rows, worst 0",
    "class_in_a_cell": r"right: 30 rows, worst 0",
    "column_order_swapped": r"refused: \w+: .*another order(.|\n)*→ (.|\n)*feature_names_in_",
    "custom_transformer": r"right: 48 rows, worst 0",
    "data_file": r"refused: \w+: .*rates\.csv(.|\n)*→ .*files=(.|\n)*right: 4 rows, worst 0",
    "empty_frame": r"refused: UnsupportedSample: The sample has no rows.\n  → ",
    "float32_and_float64": r"right: 48 rows, worst 0",
    "forgotten_scaler": r"refused: \w+: (.|\n)*→ (.|\n)*make_pipeline\(scaler, model\)",
    "forgotten_scaler_of_a_network": r"refused: \w+: .*trains net on what scaler makes of X(.|\n)*→ (.|\n)*"
    r"scaler\.transform\(rows\)(.|\n)*right: 48 rows, worst 0",
    "global_constant": r"right: 6 rows, worst 0",
    "huge_frame": r"right: \d+ rows, worst 0",
    "label_encoder_outside": r"warning: (.|\n)*labels(.|\n)*right: 48 rows, worst 0",
    "lambda_in_a_pipeline": r"right: 48 rows, worst 0",
    "local_module": r"right: 4 rows, worst 0",
    "multi_output": r"right: 48 rows, worst 0",
    "pandas_index": r"right: 48 rows, worst 0",
    "random_model": r"refused: ReplayMismatch: .*48 of 48 golden rows(.|\n)*→ ",
    "sparse_input": r"refused: UnsupportedSample: The sample is a sparse matrix(.|\n)*→ ",
    "string_labels": r"right: 48 rows, worst 0",
}


def test_no_notebook_is_left_out():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(OUTCOMES)


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_trouble_ends_well(name, tmp_path):
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(FOLDER / f"{name}.ipynb"), str(out), kernel_name="python3", cwd=str(tmp_path),
        progress_bar=False, execution_timeout=900,
    )  # fmt: skip
    printed = "".join(
        output.get("text", "")
        for cell in nbformat.read(out, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stdout"
    )
    # A compiled form may round its last digit otherwise; that is no difference.
    printed = re.sub(r"worst \d(\.\d+)?e-(1[3-9]|[2-9]\d|\d{3})\b", "worst 0", printed)
    assert re.search(OUTCOMES[name].replace("worst 0", r"worst 0(\.0)?(?![.\d])"), printed), printed
