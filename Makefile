# Everything a person or a machine does with a checkout. A fresh Debian with Python 3.11 and make
# is enough to begin: `make demo`.

PYTHON ?= python3
# What `make test` runs, for example TESTS="tests/unit/model -k token"; nothing means all.
TESTS ?=
# Whether `make test` runs the long tests too: it does where CI is set, or LONG=1 is given.
LONG ?= $(CI)
# What `make demo` is told, for example DEMO=--check.
DEMO ?=
# How long `make soak` runs, in seconds.
SOAK ?= 600
# What `make bench` runs, for example BENCH="click --seconds 5"; nothing means all.
BENCH ?=

bin := .venv/bin

.PHONY: help setup assets demo test soak check lint types imports tidy bench reference
.PHONY: screenshots clean

help:
	@echo "make setup        install what is needed to run into this folder"
	@echo "make demo         make a demo instance, start it, print its addresses and log-in"
	@echo "make test         run the tests; LONG=1 for the long ones too, TESTS=… for some"
	@echo "make soak         ten minutes of steady load with kills; SOAK=… seconds"
	@echo "make check        lint, format, types, import rules, house rules"
	@echo "make bench        measure; prints a table and writes bench/results"
	@echo "make assets       fetch the web assets again"
	@echo "make reference    write docs/reference from the code again"
	@echo "make screenshots  take the pictures of the documents again"
	@echo "make clean        remove what the other targets made"

setup:
	@$(PYTHON) tools/setup.py run

assets:
	@$(PYTHON) tools/setup.py assets

demo: setup
	@$(bin)/aftersend demo $(DEMO)

test:
	@$(PYTHON) tools/setup.py run tests
	$(bin)/pytest -n 2 --dist worksteal $(if $(LONG),,-m "not long") $(TESTS)

soak:
	@$(PYTHON) tools/setup.py run tests
	AFTERSEND_SOAK_SECONDS=$(SOAK) $(bin)/pytest -q tests/fault/test_soak.py

check: lint types imports tidy

lint: setup
	$(bin)/ruff check .
	$(bin)/ruff format --check .

types: setup
	$(bin)/mypy

imports: setup
	$(bin)/lint-imports

tidy: setup
	$(bin)/python -m tools.tidy
	$(bin)/python -m tools.reference --check

reference: setup
	$(bin)/python -m tools.reference

bench:
	@$(PYTHON) tools/setup.py run tests
	@$(bin)/python -m bench $(BENCH)

screenshots:
	@$(PYTHON) tools/setup.py run tests
	$(bin)/python -m tools.screenshots

clean:
	rm -rf .venv .tools frontend/node_modules src/aftersend/web/static/vendor demo
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	rm -f bench/results/*.json
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} +
