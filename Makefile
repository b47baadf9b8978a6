# Two commands on a fresh machine: `make report` and `make test`. Each makes what it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help report setup test test-slow test-all serve check bench clean

help:
	@echo "make report    generate the default world, train, evaluate: var/report/index.html"
	@echo "make test      run the tests (make test-all: with the slow ones)"
	@echo "make serve     serve on http://127.0.0.1:8000"
	@echo "make setup     install everything for development"
	@echo "make check     format, lint, types, imports"
	@echo "make bench     measure every suite: var/benchmark (an hour; DATA=DIR for public data)"
	@echo "make clean     remove what was installed and made"

# The run-time packages only; a development environment serves as well.
.venv/run-time: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Python %d.%d cannot be used: Python 3.11 to 3.13 is needed, for example make PYTHON=python3.12" % v)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/development: requirements-dev.txt .venv/run-time
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

setup: .venv/development

report: .venv/run-time
	$(BIN)/python -m evaluation report

serve: .venv/run-time
	$(BIN)/python -m api

# One thread for each of the two runs beside each other: more would wait for each other. Every
# module is compiled once, not by every process that tests start.
test: .venv/development
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: .venv/development
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow

test-all: test test-slow

check: .venv/development
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > .import-linter.log || { cat .import-linter.log; exit 1; }
	rm -f .import-linter.log

SUITES := ranking segmentation anomaly policy speed service

bench: .venv/development
	mkdir -p var/benchmark
	for suite in $(SUITES); do \
		$(BIN)/python -m evaluation benchmark --suite $$suite $(if $(DATA),--data $(DATA)) \
			--output var/benchmark/$$suite.json || exit 1; \
	done

clean:
	rm -rf .venv var out build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
