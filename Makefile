# Identity gateway. `make help` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz bench chart lock clean bootstrap

PYTEST_WORKERS ?= 2
BIN := .venv/bin

# Images of Python often forbid to keep what was compiled; each worker and each process that a test starts would compile all again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 12

run: bootstrap ## everything on this machine: database, services, simulated Entra ID, two demo companies
	@exec $(BIN)/python -m tests.stack

test: bootstrap ## every test that CI runs
	@scripts/test-tools.sh
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile

check: bootstrap ## format, lint, types, generated pages up to date
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python scripts/docs.py --check

fuzz: bootstrap ## search the gate for holes with atheris; FUZZ_SECONDS=60
	@scripts/fuzz.sh

bench: bootstrap ## the benchmarks: a table, and JSON in benchmarks/results
	@$(BIN)/python -m benchmarks

chart: bootstrap ## lint, render and validate the Helm chart
	@scripts/helm.sh
	@$(BIN)/python -m pytest tests/charts

lock: bootstrap ## pin the dependencies again
	@PATH="$(CURDIR)/.venv/bin:$(CURDIR)/.tools/uv/bin:$$PATH" $(BIN)/python scripts/lock.py

clean: ## remove .local and build output, nothing else
	@rm -rf .local .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

bootstrap:
	@scripts/bootstrap.sh
