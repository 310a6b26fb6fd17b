# Everything you can do here, in one word each. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check docs bench soak format lock clean

BIN := .venv/bin
ARGS ?=
WORKERS ?= 3
PROJECT := pyproject.toml scripts/install requirements/build.txt requirements/uv.txt

# Releases must have been out for a week before we take them, unless they fix a flaw:
# python-multipart 0.0.34 closes advisories.
LOCK := pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	--exclude-newer "7 days" --exclude-newer-package python-multipart=2026-11-17 $(ARGS)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.run ## Install what is missing and start Portico on http://127.0.0.1:8080
	@exec $(BIN)/portico serve --demo $(ARGS)

test: .venv/.dev ## Run the whole test suite (ARGS="-k ledger" for a part of it)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: .venv/.dev ## Lint, format, types, import contracts, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/architecture

docs: .venv/.dev ## Check that the documentation is in step with the code
	@$(BIN)/python -m pytest -q tests/architecture/test_docs.py

bench: .venv/.dev ## Measure speed and memory (minutes; leave the machine alone meanwhile)
	@$(BIN)/python -m pytest -n 0 -m bench --timeout 1800 -s tests/bench $(ARGS)

soak: .venv/.dev ## Kill processes and crash the database under load, for an hour; figures in build/soak
	@$(BIN)/python -m pytest -n 0 -m soak --timeout 7200 -s tests/soak $(ARGS)

format: .venv/.dev ## Format the code and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: .venv/.dev ## Lock the requirements anew, with hashes (ARGS=--upgrade takes newer releases)
	@uv=$$(command -v uv || echo .tools/bin/uv); set -e; \
	$$uv $(LOCK) pyproject.toml --output-file requirements/run.txt; \
	$$uv $(LOCK) pyproject.toml --group dev --constraint requirements/run.txt \
		--output-file requirements/dev.txt; \
	$$uv $(LOCK) requirements/build.in --output-file requirements/build.txt; \
	$$uv $(LOCK) requirements/uv.in --output-file requirements/uv.txt

clean: ## Remove everything installed or built here; the data folder stays
	@rm -rf .venv .tools dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.run: requirements/run.txt $(PROJECT)
	@scripts/install run
	@touch $@

.venv/.dev: requirements/run.txt requirements/dev.txt $(PROJECT)
	@scripts/install dev
	@touch .venv/.run $@
