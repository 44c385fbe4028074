# make run     set up what is missing, then bring in, build, check, release
# make test    the suite                make test-quick  without what takes seconds
# make test-all  with what takes minutes: every reference document, whole runs on other data
# make test-live whole nights against the publishers' emulator
# make ui      Dagster on loopback      make lint        style, types, SQL, layers
# make starter write starter/ again from the publishers' documents
# make docs    write the generated docs again
# make lock    resolve the dependencies again (needs uv)
# make clean   remove the environment and caches; never MONAZITE_HOME

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A Python that Monazite supports: 3.11 to 3.13, the newest that is there.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo "$$p" && break; done)

# Telemetry of every library is off, whatever the house has set.
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
# Bytecode is kept: whole runs and tests start many processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test test-quick test-all test-live lint format ui starter docs lock clean setup

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(READY)

# uv where it is there (seconds), else venv and pip. Both check every hash of the lock.
$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "monazite: needs Python 3.11, 3.12 or 3.13; install one, or make PYTHON=/path/to/python" >&2; exit 1; fi
	@echo "setting up $(VENV) with $(PYTHON)"
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --clear --python "$(PYTHON)" $(VENV); \
		uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock; \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
		"$(PYTHON)" -m venv --clear $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

run: $(READY)
	@$(BIN)/monazite run

ui: $(READY)
	@$(BIN)/monazite ui

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not exhaustive"

test-all: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-live: $(READY)
	@$(BIN)/python -m pytest -q tests/integration/test_live_night.py

test-quick: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not exhaustive"

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@told=$$($(BIN)/python -m pytest -qq --collect-only 2>&1) || { echo "$$told"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/mypy dbt_project/models
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

starter: $(READY)
	@$(BIN)/python -m starter.build

docs: $(READY)
	@$(BIN)/python -m pipelines.publish.dictionary
	@$(BIN)/python -m quality.docs

lock:
	@uv pip compile pyproject.toml --group dev --group build --universal --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --constraint constraints.txt --upgrade --output-file requirements.lock

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
