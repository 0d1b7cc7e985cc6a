# The two commands are `make run` and `make test`; both set up what they need.
# Needs Python 3.11+, git and make; everything else comes from the lock file.

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
# The first interpreter that really runs and is new enough (version managers leave shims that do not).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help run test lint types layers unit coverage lock clean

TESTS := $(BIN)/python -m pytest -n 2 -m "not chaos and not fuzz and not node and not scale"

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: $(STAMP) ## Start everything embedded, with a demo site
	@exec $(BIN)/scaicms dev

test: lint types layers unit ## Everything that must hold before a commit

lint: $(STAMP) ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Static types
	$(BIN)/mypy scaicms workers bench

layers: $(STAMP) ## Who may import whom
	$(BIN)/lint-imports --no-logo

unit: $(STAMP) ## Tests against embedded PostgreSQL and Valkey
	$(TESTS)

coverage: $(STAMP) ## The same tests with their coverage, which takes half as long again
	$(TESTS) --cov --cov-report=term:skip-covered --cov-fail-under=90

lock: $(STAMP) ## Bring the lock file up to pyproject.toml; what is pinned stays pinned (UPGRADE=--upgrade for newer ones)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras $(UPGRADE) \
		--prerelease if-necessary-or-explicit --no-header --no-annotate --no-emit-index-url \
		pyproject.toml --output-file requirements.lock

clean: ## Remove the environment and the embedded engines' data
	rm -rf $(VENV) .scaicms

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "scaiCMS needs Python 3.11 or newer; set PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Installing into $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: install it (Debian: python3-venv)." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
