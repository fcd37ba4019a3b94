# `make help` lists what there is. Everything happens in .venv, which is made when it is missing.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PINS := $(wildcard requirements/*.txt)

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench soak soak-short overload chaos clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.installed ## train on the built-in table and serve on http://127.0.0.1:8000
	PORT=$(PORT) $(BIN)/placar demo

test: $(VENV)/.installed-dev ## run every test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev ## lint, types, layers, spelling, fresh docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src/placar scripts
	cd tests && ../$(BIN)/mypy --config-file ../pyproject.toml .
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs scripts benchmarks *.md
	$(BIN)/python scripts/make_reference.py --check

format: $(VENV)/.installed-dev ## rewrite the code in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/make_reference.py

bench: $(VENV)/.installed-bench ## serving, box and quality, in short form
	$(BIN)/python benchmarks/box/bench.py --short
	$(BIN)/python benchmarks/serving/bench.py --short
	$(BIN)/python benchmarks/quality/bench.py

soak: $(VENV)/.installed-bench ## 10 minutes of everything at once in a small box, then the usual service in it
	$(BIN)/python benchmarks/soak/soak.py --keep

soak-short: $(VENV)/.installed ## the same for 75 s, without the usual service
	$(BIN)/python benchmarks/soak/soak.py --short

overload: $(VENV)/.installed ## ten times what the box can do, and what one core can do
	$(BIN)/python benchmarks/soak/overload.py --keep; boxed=$$?; \
	$(BIN)/python benchmarks/soak/overload.py --core --keep && exit $$boxed

chaos: $(VENV)/.installed ## 5 minutes of kill -9 at random under load, then a deploy
	$(BIN)/python benchmarks/soak/chaos.py

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .mypy_cache tests/.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(PINS) | $(VENV)/bin/python
	@scripts/need_openmp.sh $(BIN)/python
	$(PIP) install -r requirements/serving.txt -r requirements/training.txt
	$(PIP) install --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	$(PIP) install -r requirements/dev.txt
	touch $@

$(VENV)/.installed-bench: requirements/bench.txt $(VENV)/.installed
	$(PIP) install -r requirements/bench.txt
	touch $@
