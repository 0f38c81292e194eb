"""The lines of Podman, Buildah and both of Docker's builders become steps in words."""

from __future__ import annotations

import pytest
from ekiben.builders import steps


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("INFO: STEP 1/37: FROM docker.io/library/python:3.11-slim AS base-container", (1, 37)),
        ("STEP 31/37: RUN uv --directory ./src pip install -r requirements.txt", (31, 37)),
        ("INFO: Step 3/12 : ENV LANG=C.UTF-8", (3, 12)),
        ("#5 [3/9] COPY --chown=bentoml:bentoml . ./", (3, 9)),
        ("#12 [base-container  4/14] RUN mkdir $BENTO_PATH", (4, 14)),
        ("#1 [internal] load build definition from Dockerfile", None),
        ("#5 sha256:9e3ea8720c6d 3.51MB / 3.51MB 0.2s done", None),
        ("INFO: --> 45083ef9d4d", None),
        ("Collecting step 1/2", None),
        ("", None),
    ],
)
def test_a_line_that_begins_a_step(line: str, step: tuple[int, int] | None) -> None:
    found = steps.step_of(line)
    assert (found and found[:2]) == step


@pytest.mark.parametrize(
    ("instruction", "words"),
    [
        ("FROM docker.io/library/python:3.11-slim AS base-container", "Fetching the base image"),
        ("RUN command -v uv >/dev/null || pip install uv", "Installing the installer"),
        (
            "RUN UV_PYTHON_INSTALL_DIR=/x uv venv --python 3.11 /app/.venv",
            "Making the Python environment",
        ),
        ("RUN if [ -d ./src ]; fi; uv --directory $X pip install -r r.txt", "Installing the Python packages"),
        ("COPY --chown=bentoml:bentoml . ./", "Copying the service and the model"),
        ("COPY --chown=bentoml:bentoml ./env/python ./env/python/", "Copying the build's files"),
        ("ENV PATH=/app/.venv/bin:$PATH", "Setting up the image"),
        ("HEALTHCHECK CMD curl", "HEALTHCHECK CMD curl"),
        ("SHELL " + "x" * 200, "SHELL " + "x" * 73 + "…"),
    ],
)
def test_an_instruction_in_words(instruction: str, words: str) -> None:
    assert steps.meaning(instruction) == words


def test_only_layers_that_the_build_added_are_its_own() -> None:
    layers = steps.Layers()
    for line in (
        "INFO: STEP 2/37: ENV LANG=C.UTF-8",
        "INFO: --> Using cache 45083ef9d4d51c12e5a1c2e0a7e1f3a1b2c3d4e5f60718293a4b5c6d7e8f9012",
        "INFO: --> 45083ef9d4d",
        "INFO: STEP 3/37: RUN true",
        "INFO: --> ca4388a05a8",
        "Step 4/12 : ENV A=1",
        " ---> Using cache",
        " ---> 05a0eadca94f",
        "Step 5/12 : RUN true",
        " ---> Running in 0123456789ab",
        " ---> c59e7d5bf03a",
    ):
        layers.hear(line)
    assert layers.added == ["ca4388a05a8", "c59e7d5bf03a"]


def test_the_engines_own_words_without_the_frame() -> None:
    lines = [
        "INFO: STEP 1/37: FROM nowhere/python:3.11-slim",
        "INFO: Error: creating build container: manifest unknown",
        "ERROR: ",
        "Encountered exception while trying to building image: manifest unknown",
        "Traceback (most recent call last):",
        "bentoml.exceptions.BentoMLException: manifest unknown",
    ]
    told = steps.spoken(lines)
    assert told == [
        "STEP 1/37: FROM nowhere/python:3.11-slim",
        "Error: creating build container: manifest unknown",
    ]
    assert "base=" in steps.remedy(told)
    assert steps.remedy(["something else"]) == "The log above says why."


def test_the_layers_of_a_push() -> None:
    digest = "8dffd4a8d89d949ba514a00070136a93846c1d05f6dcf0a2c77263fb5d7489cc"
    podman = [
        "Getting image source signatures",
        f"Copying blob sha256:{digest}",
        f"Copying config sha256:{digest}",
    ]
    assert [steps.pushed(line) for line in podman] == ["", digest, ""]
    assert steps.pushed(f"Copying blob {digest[:12]} skipped: already exists") == digest[:12]
    docker = ["Preparing", "Waiting", "Pushed", "Layer already exists", "Mounted from library/python"]
    told = [steps.pushed(f"5f70bf18a086: {state}") for state in docker]
    assert told == ["", "", *["5f70bf18a086"] * 3]


def test_a_push_that_fails_speaks_of_the_registry_and_not_of_a_base() -> None:
    away = 'Error: pinging the registry: Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused'
    refused = "Error: checking whether a blob exists in 127.0.0.1:5000/team/x: unauthorized: authentication required"
    for line, word in ((away, "push again"), (refused, "log in")):
        told = steps.remedy([line], pushing=True)
        assert word in told and "base" not in told
    assert "base=" in steps.remedy([away])
    assert "disk" in steps.remedy(["write: no space left on device"], pushing=True)
