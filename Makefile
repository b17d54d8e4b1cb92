# Two commands do everything on a machine with Python 3.11 to 3.13 (venv included) and make: `make run`, `make test`.
SHELL := /bin/sh
.DEFAULT_GOAL := help

EXPERIMENT ?= experiments/thousand-nodes.yaml
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
UV := UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON=$(BIN)/python UV_PYTHON_DOWNLOADS=never $(BIN)/uv

# The first interpreter that is new enough and can make environments.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
	then echo $$python; break; fi; done)

.PHONY: help run test test-stack soak check fix bench conformance differential coverage service docs-check clean

help: ## what each command does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo "  make run EXPERIMENT=experiments/api-mix.yaml ARGS='--simulated' runs another file with more arguments"

$(BIN)/uv:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11, 3.12 or 3.13 with the venv module was found"; \
		echo "  hint: apt-get install python3 python3-venv, or make run PYTHON=/path/to/python3.11"; exit 2; fi
	@echo "installing into $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: $(BIN)/uv pyproject.toml uv.lock
	@$(UV) sync --quiet --frozen --inexact
	@touch $@

$(VENV)/.installed-dev: $(BIN)/uv pyproject.toml uv.lock
	@$(UV) sync --quiet --frozen --inexact --group dev
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed ## run the main experiment on the emulated cloud and write its report
	@$(BIN)/kilonode run $(EXPERIMENT) $(ARGS)

test: $(VENV)/.installed-dev ## all tests, in parallel
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-stack: $(VENV)/.installed-dev ## the tests that bring up real OpenStack services (`kilonode doctor` says what they need) or boot whole machines
	@$(BIN)/python -m pytest -m stack -p no:xdist tests/stack tests/faults $(ARGS)

soak: $(VENV)/.installed-dev ## the tests that go on for a long time, one after the other
	@$(BIN)/python -m pytest -m soak -p no:xdist $(ARGS)

check: $(VENV)/.installed-dev ## style, types, the import table, dead modules, docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/house

fix: $(VENV)/.installed-dev ## what ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## every benchmark, each beside a named peer
	@$(BIN)/python -m benchmarks $(ARGS)

conformance: $(VENV)/.installed-dev ## Tempest against an emulated cloud: docs/conformance.md anew (SERVICE=identity: one service)
	@$(BIN)/python -m tests.conformance.tempest $(SERVICE) $(ARGS)

coverage: $(VENV)/.installed-dev ## docs/coverage.md anew, from the routes and the API reference
	@$(BIN)/python -m tests.conformance.coverage

service: $(VENV)/.installed-dev ## a new service of the emulated cloud that runs and is tested (NAME=dns THING=zone)
	@$(BIN)/python -m tests.scaffold $(NAME) $(THING)

differential: $(VENV)/.installed-dev ## real services asked anew what the emulated cloud is held to (`kilonode doctor` says what they need)
	@$(BIN)/kilonode stack up --name differential --nodes 4 --computes 2 --stages fast
	@$(BIN)/python -m tests.conformance.differential record --name differential $(ARGS); code=$$?; \
		$(BIN)/kilonode stack down --name differential --purge; exit $$code

clean: ## the local environment and caches; runs/ stays
	rm -rf $(VENV) .bench-venv .bench-venv-placement .conformance-venv .mypy_cache .ruff_cache .hypothesis build dist
