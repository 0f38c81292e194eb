# ekiben: one word each. `make help` lists them.
#   PYTHON=python3.12 make lab                    another Python
#   make bench SOAK_ARGS="--seconds 60"            a shorter soak
#   make lab LAB_ARGS="--no-browser --port 9000"   more for JupyterLab
#   make test TEST_ARGS="-k contract -x"           more for pytest

PYTHON ?= python3
LAB_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start hundreds of processes, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

FRONT_END := $(wildcard extension/package.json extension/package-lock.json extension/tsconfig.json) \
	$(shell find extension/src extension/style extension/schema -type f 2>/dev/null)
PACKAGING := pyproject.toml extension/hatch_build.py extension/install.json $(FRONT_END)
# A Docker engine of the machine's own does as well; Debian's would take its place.
DEBIAN_PACKAGES := buildah chromium podman runc docker-registry fonts-noto-cjk wrk \
	$(if $(shell command -v dockerd 2>/dev/null),,docker.io)

.PHONY: help lab test test-fast check fix bench machine clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

lab: $(VENV)/lab.done ## JupyterLab with ekiben, open on the first tutorial
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS) notebooks/01-first-service.ipynb

# What drives a browser or an engine goes alone: both are one of a kind. Both groups run, whatever the first
# found. Status 5: TEST_ARGS chose none of these.
test: $(VENV)/dev.done machine ## every test: units, faces, notebooks, browser, container, packages
	@failed=; \
	$(BIN)/pytest -n logical --dist loadfile -m "not browser and not container" $(TEST_ARGS) || [ $$? = 5 ] || failed=1; \
	$(BIN)/pytest -m "browser or container" $(TEST_ARGS) || [ $$? = 5 ] || failed=1; \
	[ -z "$$failed" ]

# One more than there are processors: many tests wait for a process or a clock.
test-fast: $(VENV)/dev.done ## the tests that need no browser, engine or notebook run
	$(BIN)/pytest -n $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)') --dist loadfile \
		-m "not slow and not browser and not container and not papermill" \
		$(TEST_ARGS)

check: $(VENV)/dev.done extension/node_modules/.package-lock.json ## format, lint, types, layers, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python extension/generate_wire.py --check
	$(BIN)/pytest -q tests/unit/test_catalogue.py
	npm --prefix extension run --silent typecheck

fix: $(VENV)/dev.done ## mends what check finds and a tool can mend
	$(BIN)/python extension/generate_wire.py
	$(BIN)/ruff check --fix --show-fixes .
	$(BIN)/ruff format .

bench: $(VENV)/dev.done ## ours and its peers in one run, as ratios
	$(BIN)/python tests/benchmarks/run.py $(BENCH_ARGS)
	$(BIN)/python tests/benchmarks/soak.py $(SOAK_ARGS)

machine: ## the Debian packages that the browser and container tests need
	@if ! command -v dpkg-query >/dev/null; then exit 0; fi; \
	missing=; for name in $(DEBIAN_PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$name"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "The browser and container tests need more packages: sudo apt-get install$$missing"; exit 1; \
	fi; \
	echo "Installing$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-remove --no-install-recommends $$missing >/dev/null

clean: ## removes what the commands above made
	rm -rf $(VENV) dist extension/node_modules extension/lib extension/ekiben/static extension/ekiben/labextension
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results
	rm -rf extension/*.tsbuildinfo notebooks/.ipynb_checkpoints notebooks/burden.py notebooks/limits.txt
	find extension tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "ekiben needs Python 3.10 or newer: PYTHON=python3.12 make …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "No virtual environment: on Debian, apt-get install python3-venv first."; exit 1; }

$(VENV)/lab.done: $(BIN)/python $(PACKAGING)
	$(BIN)/pip install -q -e ".[lab,papermill,zh]"
	@touch $@

$(VENV)/dev.done: $(BIN)/python $(PACKAGING)
	$(BIN)/pip install -q -e ".[dev]"
	@touch $@ $(VENV)/lab.done

extension/node_modules/.package-lock.json: extension/package-lock.json | $(VENV)/dev.done
	npm --prefix extension ci
	@touch $@
