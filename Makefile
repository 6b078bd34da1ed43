# The developers' interface; .ci/run runs the same. Needs only python3.11 (or newer), make and pip.
#   make demo    install what a user needs, then text -> video in demo/, refined and scored
#   make test    the whole test suite
#   make studio  set up the web app and open it over FOLDER (demo)
#   make check   lint, types, floors, docs
#   make docs    build the documentation into site/
#   make leaderboard  write docs/leaderboard.md from the measured runs of benchmarks/regis_leaderboard.py
#   make zoo      write docs/zoo.md from the models, their cards and the measured runs
#   make networks            fetch the outside networks, so that the tests that need them run
#   make test-capabilities   the test suite as on an old CPU, on one with AVX2, and as this CPU is
PYTHON  ?= $(shell command -v python3.11 || command -v python3)
VENV    ?= .venv
WORKERS ?= 2
PIP_FLAGS ?=

BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip install -qq --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt
CORE := $(VENV)/.core-installed
DEV  := $(VENV)/.dev-installed
STUDIO := $(VENV)/.studio-installed
FOLDER ?= demo
PROMPT := a person with green hair, a white shirt, red trousers and brown boots walks to the left

.PHONY: demo studio test test-capabilities networks zoo leaderboard check docs install dev clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "moviola needs Python 3.11 or newer; say make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing moviola into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing moviola and the developers' tools into $(VENV) ..."
	@$(PIP) -e '.[dev]'
	@touch $(CORE) $@

$(STUDIO): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing moviola and what its studio needs into $(VENV) ..."
	@$(PIP) -e '.[studio,restyle,evaluate]'
	@touch $(CORE) $@

install: $(CORE)
dev: $(DEV)

demo: $(CORE)
	@mkdir -p demo
	$(BIN)/moviola generate "$(PROMPT)" --model sprites --frames 16 --seed 0 -o demo/generated.mp4
	$(BIN)/moviola generate "$(PROMPT)" --model sprites --frames 16 --seed 0 --refine 2 --refiner regis-u -o demo/refined.mp4
	$(BIN)/moviola generate "$(PROMPT)" --model sprites --frames 16 --seed 0 --refine 2 --refiner regis-u --upscale 4 -o demo/walk.mp4 --sheet demo/walk.png
	$(BIN)/moviola evaluate demo/generated.mp4 demo/refined.mp4 --metrics ssim,motion,flicker

studio: $(STUDIO)
	@mkdir -p $(FOLDER)
	$(BIN)/moviola studio $(FOLDER) --open

test: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses $(WORKERS) --dist worksteal $(ARGS)

test-capabilities: $(DEV)
	$(BIN)/python scripts/test_capabilities.py -n auto --maxprocesses $(WORKERS) --dist worksteal $(ARGS)

networks: $(DEV)
	@$(BIN)/python scripts/fetch_networks.py

leaderboard: $(DEV)
	@$(BIN)/python scripts/leaderboard.py

zoo: $(DEV)
	@$(BIN)/python scripts/zoo.py

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

docs: $(DEV)
	$(BIN)/mkdocs build --strict
	@echo "open site/index.html"

clean:
	rm -rf $(VENV) site demo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
