# Every target sets up its own environment from the hashed lock, which is complete: nothing is resolved, nothing is installed by hand.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.locked

.PHONY: demo test endurance check lint types sql notebooks policy bench lock clean

demo: $(STAMP)
	$(BIN)/leii demo

test: check
	$(BIN)/pytest -q --numprocesses 3 --dist loadscope --durations=25 -m "not endurance"

endurance: $(STAMP)
	$(BIN)/pytest -q --numprocesses 2 --dist loadscope -m endurance

check: $(STAMP)
	$(MAKE) --jobs 2 sql types lint notebooks policy

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

sql: $(STAMP)
	$(BIN)/python -m storage.extensions .venv/duckdb_extensions
	LEII_DBT_ALL=1 LEII_DBT_EXTENSIONS=$(CURDIR)/.venv/duckdb_extensions $(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models

notebooks: $(STAMP)
	$(BIN)/marimo check --strict notebooks

# The stamp is an empty file: a leii.toml of the checkout is about somebody's own LEII_HOME.
policy: $(STAMP)
	LEII_CONFIG=$(STAMP) $(BIN)/leii policy --check

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; set PYTHON")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

# Needs uv. The lock names no index, so that it works behind any mirror.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --group dev --python-version 3.11 --quiet \
		--custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .leii .world .pytest_cache .mypy_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs
	! grep -qs '^# Written by `leii demo`' leii.toml || rm leii.toml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
