"""Edge cases against a real service: what it stands, and that what it does not is found and kept."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ekiben
import pytest
from ekiben import service
from ekiben.fuzz import fuzz
from ekiben.project import render, write
from models import applicants

pytestmark = pytest.mark.slow


#: What is sent is generated from the description of the routes, and what comes is held against it.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def box():
    model, X = applicants()
    return ekiben.wrap(model, X, name="fuzzed")


def test_the_service_stands_edge_cases_and_schemathesis(box, tmp_path):
    with box.serve() as server:
        report = box.fuzz(examples=300)
        assert report.passed, report.failures
        assert report.requests >= 200
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/docs.json"),
                *(
                    "--checks",
                    ",".join(CHECKS),
                    "--max-examples",
                    "25",
                    "--phases",
                    "examples,fuzzing",
                    "--seed",
                    "1",
                ),
                *("--request-timeout", "120", "--suppress-health-check", "all", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        assert "passed" in done.stdout
        assert server.replay().passed


def test_a_service_that_breaks_is_caught_with_the_smallest_row_and_remembered(box, tmp_path):
    """A service whose user broke it for great ages: a 500 that no golden example shows."""
    project = render(box.model)
    bug = "        assert all(row['age'] < 85 for row in rows)\n        return self.predictor"
    source = project.files["service.py"].replace("        return self.predictor", bug)
    project = write(replace(project, files={**project.files, "service.py": source}), tmp_path / "broken")
    with service.start(project, box.model) as server:
        report = fuzz(server.url, box.model.contract, project.folder, examples=60)
        assert not report.passed
        found = report.failures[0]
        assert (found.status, found.expected) == (500, "200")
        assert len(found.body["rows"]) == 1 and found.body["rows"][0]["age"] >= 85
        kept = json.loads((Path(project.folder) / "regressions.json").read_text())
        assert kept[0]["body"] == found.body
        again = fuzz(server.url, box.model.contract, project.folder, examples=2)
        assert found in again.failures
