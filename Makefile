# A newcomer needs two of these: `make run` and `make test`. All of it lives in .venv inside the checkout; outside it
# only system libraries are installed, only where they are missing, and only where apt may be used.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# More words for the command that a target runs: make test ARGS="-k belt"
ARGS ?=
# The interpreter to make .venv with; empty: the first suitable one.
PYTHON ?=
export PYTHON

.PHONY: help setup setup-run setup-mutation run demo test test-hil test-import test-gpu test-long lint format docs mutation clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv and install everything for development (nothing to do the second time)
	@deploy/setup.sh dev

setup-run:
	@deploy/setup.sh run

setup-mutation:
	@deploy/setup.sh mutation

run: setup-run ## run the simulated line with all its processes, and print the address of its page
	@$(BIN)/takt run $(ARGS)

demo: setup-run ## the same line as fast as it goes, held against the truth, with a picture of the rejects
	@$(BIN)/takt demo $(ARGS)

test: setup ## every test that this machine can run, long ones shortened; names what was left out
	@$(BIN)/python -m tests $(ARGS)

test-hil: setup ## real kernel GPIO, watchdog and cameras in a virtual machine (its image is made the first time: minutes)
	@$(BIN)/python -m tests.hil.image
	@$(BIN)/python -m pytest tests/hil $(ARGS)

test-import: setup ## real exports of other libraries against our packages of them (7 GB the first time)
	@$(BIN)/python -m tests.imports.exports
	@$(BIN)/python -m pytest tests/imports $(ARGS)

test-gpu: ## TensorRT on this machine's GPU: builds, execution against ONNX Runtime, graphs, a soak, a real fault, memory (20 minutes)
	@$(BIN)/python -m pytest tests/gpu $(ARGS)

test-long: setup ## every test at full length (hours)
	@$(BIN)/python -m pytest --long --timeout=14400 $(ARGS)

lint: setup ## ruff, mypy and import-linter
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

format: setup ## let ruff write the code's layout and mend what it can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

docs: setup ## write the tables in docs/ anew from the code that they describe
	@$(BIN)/python -m tests.reference --update

mutation: setup-mutation ## change rules of the belt and of decisions, one at a time, and see which tests notice
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

clean: ## remove caches and what runs have written
	@rm -rf build dist mutants runs takt-demo .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	@rm -rf .venv
