# Everything a developer or a newcomer types. Each target does its own set-up in .venv;
# nothing is needed but Python 3.11 or newer and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The first Python here that is new enough; `make PYTHON=/path/to/python3.12 setup` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

# Test processes: one for each core, or `make WORKERS=0 test` for one process and a debugger.
WORKERS ?= auto
TESTS ?= tests

# How many kills at random instants `make faults` tries, and from which seed on.
KILLS ?= 500
SEED ?= 1

# What `make bench` measures: `make BENCH="--rows 4,5 --json out.json" bench`; all of it else.
BENCH ?=
PEERS := .bench
PEERS_READY := $(PEERS)/.ready

# uv must neither look for another Python nor read settings that are not this project's.
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv --no-config
COMPILE := $(UV) pip compile --python $(BIN)/python --quiet --universal \
	--python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

.PHONY: help setup run test check faults bench format lock upgrade clean

help: ## say what can be typed
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the environment in .venv from requirements.lock

run: $(READY) ## see it work: a small force's events, clocks and mails, on this machine only
	@$(BIN)/monitor demo

test: $(READY) ## run the tests, in random order, on all cores
	@$(BIN)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 $(TESTS)

check: $(READY) ## format, lint, types, imports, tests: all that must hold; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-check} $(MAKE) --no-print-directory test

faults: $(READY) ## kill daemons at every step and KILLS times at random: nothing may be lost
	@$(BIN)/python -m tests.faults.campaign --named --kills $(KILLS) --seed $(SEED)

bench: $(READY) $(PEERS_READY) ## measure the monitor beside what people use instead (BENCH="--rows 7")
	@$(BIN)/python -m benchmarks $(BENCH)

format: $(READY) ## put the code into its format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(READY) ## write the locks again after pyproject.toml has changed
	@$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra postgres --constraints requirements.lock \
		--output-file requirements-run.lock
	@$(COMPILE) benchmarks/peers.in --output-file benchmarks/peers.lock

upgrade: $(READY) ## raise every version in the locks to the newest allowed
	@$(COMPILE) pyproject.toml --all-extras --upgrade --output-file requirements.lock
	@$(COMPILE) benchmarks/peers.in --upgrade --output-file benchmarks/peers.lock
	@$(MAKE) --no-print-directory lock

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) $(PEERS) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find monitor tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment has no stamp and is made anew; one that is only behind is synchronised.
$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 setup" >&2; exit 1; }
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	@# uv comes by its own hashes out of the same lock.
	@awk '/^[^ ]/{take = /^uv==/} take' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r $(VENV)/uv.lock
	@$(UV) pip sync --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The peers come into an environment of their own: the monitor never sees them.
$(PEERS_READY): benchmarks/peers.lock | $(READY)
	@$(UV) venv --quiet --clear --python $(BIN)/python $(PEERS)
	@$(UV) pip sync --quiet --python $(PEERS)/bin/python --require-hashes benchmarks/peers.lock
	@touch $@
